"""Write a file so that a reader never sees half of it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py

from lauedepth.core.errors import BusyError, LaueDepthError, OutputError
from lauedepth.core.locks import claim, share
from lauedepth.io.hdf5 import sync

Validate = Callable[[Path], list[str]]

# HDF5 crashes the program where not even its own headers find room on the disk.
_LEAST_SPACE = 2**20

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_ERRNO = re.compile(r"errno = (\d+)")
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_REMEDY = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space or ask for a larger quota",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EROFS: "choose a folder that you may write to",
    errno.ENOENT: "create the folder first",
    errno.ENOTDIR: "choose another folder",
    errno.EISDIR: "choose another name",
}


def partial_path(path: Path) -> Path:
    """Return the name under which a file is written before it is published."""
    return path.with_name(f"{path.name}.partial")


@contextmanager
def publish(path: Path | str, validate: Validate | None = None) -> Iterator[Path]:
    """Give a name to write to; when all went well, check the file and rename it.

    A leftover of a writer that was killed is removed. On any failure the partial file is
    removed and whatever was at ``path`` stays as it was.

    Parameters
    ----------
    path : Path or str
        Where the file shall be.
    validate : callable, optional
        Returns what is wrong with the finished file.

    Yields
    ------
    Path
        The name to write to, an empty file; close it before leaving.

    Raises
    ------
    OutputError
        No permission, no space, another writer at work, or the file is not valid.
    """
    path = Path(path)
    partial = partial_path(path)
    lock = _claim(path, partial)
    try:
        try:
            yield partial
            # A shared lock still keeps other writers out, and lets the validator read.
            with suppress(BlockingIOError):
                share(lock)
            reasons = validate(partial) if validate else []
            if reasons:
                raise OutputError(
                    f"was not written as it should be: {reasons[0]}", str(path), "report this"
                )
            sync(partial)
            partial.replace(path)
            sync(path.parent)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _as_output_error(error, path) from error
    finally:
        os.close(lock)


@contextmanager
def publish_hdf5(path: Path | str, validate: Validate | None = None) -> Iterator[h5py.File]:
    """Give an HDF5 file to write; see `publish`.

    HDF5 keeps unwritten pages in memory and fails again at closing when the disk is full.
    The partial file is cut to nothing first then, so that closing always finds room.
    """
    path = Path(path)
    with publish(path, validate) as partial:
        file = h5py.File(partial, "w", locking=False)
        try:
            yield file
            file.flush()
            file.close()
        except BaseException as error:
            _abandon(file, partial)
            if isinstance(error, OSError | RuntimeError) and _is_write_failure(error):
                raise _as_output_error(error, path) from error
            raise


def _claim(path: Path, partial: Path) -> int:
    """Create the partial file and hold a lock on it, so that two writers cannot mix.

    It is always a new file: what lies under its name may be a link to something of the user's.
    """
    if path.is_dir():
        raise OutputError("is a folder", str(path), "choose another name")
    try:
        _remove_leftover(path, partial)
        descriptor = os.open(partial, _NEW, 0o666)
    except FileExistsError:
        raise _other_writer(path) from None
    except OSError as error:
        raise _as_output_error(error, path) from error
    try:
        claim(descriptor)
        if not _is_named(descriptor, partial):
            raise _other_writer(path)
        os.posix_fallocate(descriptor, 0, _LEAST_SPACE)
        os.ftruncate(descriptor, 0)
    except BlockingIOError:
        os.close(descriptor)
        raise _other_writer(path) from None
    except LaueDepthError:
        os.close(descriptor)
        raise
    except OSError as error:
        partial.unlink(missing_ok=True)
        os.close(descriptor)
        raise _as_output_error(error, path) from error
    return descriptor


def _remove_leftover(path: Path, partial: Path) -> None:
    """Remove what a writer left that was killed; a link is nobody's leftover."""
    if partial.is_symlink():
        raise OutputError(f"{partial.name} is a link", str(path), "remove it")
    try:
        descriptor = os.open(partial, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        claim(descriptor)
        if _is_named(descriptor, partial):
            partial.unlink()
    except BlockingIOError:
        raise _other_writer(path) from None
    finally:
        os.close(descriptor)


def _is_named(descriptor: int, path: Path) -> bool:
    """Return whether a name still belongs to an open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _other_writer(path: Path) -> BusyError:
    return BusyError("is being written by another process", str(path), "wait for it, or stop it")


def _abandon(file: h5py.File, partial: Path) -> None:
    with suppress(OSError):
        os.truncate(partial, 0)
    with suppress(OSError, RuntimeError):
        file.close()


def _is_write_failure(error: BaseException) -> bool:
    return isinstance(error, OSError | RuntimeError) and _number_of(error) is not None


def _number_of(error: BaseException) -> int | None:
    """Return the system's error number, which h5py often keeps in the text alone."""
    match = _ERRNO.search(str(error))
    if match:
        return int(match[1])
    number = getattr(error, "errno", None)
    if number is None and "No space left" in str(error):
        return errno.ENOSPC
    return number


def _as_output_error(error: BaseException, path: Path) -> LaueDepthError:
    number = _number_of(error)
    if number is None:
        return OutputError(f"cannot be written: {error}", str(path))
    what = "the disk is full" if number in _NO_SPACE else os.strerror(number).lower()
    return OutputError(f"cannot be written: {what}", str(path), _REMEDY.get(number, ""))
