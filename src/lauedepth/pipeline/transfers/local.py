"""Copying files within one machine: verified by checksum, and resumable."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

from lauedepth.pipeline.errors import AbsentError, ChangedError, OutputError, StoppedError
from lauedepth.pipeline.paths import open_inside, printable
from lauedepth.pipeline.protocols import Item, Member

BLOCK: Final = 1 << 20


class LocalCopy:
    """Copies through ``NAME.partial``; the part already copied is not copied again."""

    def copy(self, item: Item, stop: Callable[[], bool]) -> str:
        """Copy the file and return its SHA-256; an existing copy is only verified.

        Raises
        ------
        AbsentError
            If the file is not there, or its folder cannot be entered.
        ChangedError
            If the file is not as `item` says, or changes meanwhile.
        InputError
            If the file leads out of its folder.
        OutputError
            If another file is at the destination, or the copy cannot be verified.
        StoppedError
            If `stop` became true.
        """
        destination = item.destination.path
        destination.parent.mkdir(parents=True, exist_ok=True)
        with _opened(destination.parent) as folder:
            there = _open_there(folder, destination)
            if there is not None:
                with FileIO(there) as file:
                    return _verified(file, item, stop)
            return _copied(item, folder, stop)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Open a folder: everything below goes by its descriptor, whatever its path leads to later."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _copied(item: Item, folder: int, stop: Callable[[], bool]) -> str:
    """Copy a file into an open folder and return its digest."""
    try:
        source = open_inside(item.source.path, item.name)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise AbsentError(f"is absent ({error.strerror})", printable(item.name)) from error
    with FileIO(source) as file:
        _expect(file.fileno(), item)
        destination = item.destination.path
        name = destination.name + ".partial"
        with FileIO(_open_partial(folder, destination.with_name(name)), "r+") as partial:
            size = math.inf if item.member is None else item.member.size
            digest = _stream(file, partial, size, stop)
            _expect(file.fileno(), item)
            where = printable(str(destination))
            if _digest(partial, stop) != digest or item.sha256 not in ("", digest):
                os.unlink(name, dir_fd=folder)
                raise OutputError("the copy does not match its checksum", where, "retry")
            if not _is_named(partial.fileno(), folder, name):
                raise OutputError("was replaced while it was being written", where, "retry")
            os.rename(name, destination.name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)
    return digest


def _open_there(folder: int, destination: Path) -> int | None:
    """Open what is at the destination already; None where nothing is."""
    try:
        return _regular(_open(folder, destination, os.O_RDONLY), destination)
    except FileNotFoundError:
        return None


def _open_partial(folder: int, partial: Path) -> int:
    """Open a partial file, new or left over, to go on writing it.

    What another user planted in its place is refused: a link would lead to a file of somebody's.
    """
    descriptor = _regular(_open(folder, partial, os.O_RDWR | os.O_CREAT), partial)
    if os.fstat(descriptor).st_nlink > 1:
        os.close(descriptor)
        raise OutputError("is a link", printable(str(partial)), "remove it, then retry")
    return descriptor


def _open(folder: int, path: Path, flags: int) -> int:
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path.name, flags, 0o666, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise OutputError("is a link", printable(str(path)), "remove it, then retry") from error


def _regular(descriptor: int, path: Path) -> int:
    """Return the descriptor of a file; anything else is closed and refused."""
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OutputError("is not a file", printable(str(path)), "move it away, then retry")


def _is_named(descriptor: int, folder: int, name: str) -> bool:
    """Return whether an open file still has its name."""
    try:
        named = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))


def _verified(file: FileIO, item: Item, stop: Callable[[], bool]) -> str:
    """Return the digest of a file that an earlier, interrupted attempt completed."""
    digest = _digest(file, stop)
    same_size = item.member is None or os.fstat(file.fileno()).st_size == item.member.size
    if item.sha256 not in ("", digest) or not same_size:
        raise OutputError(
            "another file is already there",
            printable(str(item.destination.path)),
            "move it away, then retry",
        )
    return digest


def _expect(descriptor: int, item: Item) -> None:
    status = os.fstat(descriptor)
    now = Member(item.name, status.st_size, status.st_mtime_ns)
    if item.member is not None and now != item.member:
        raise ChangedError("changed after it was complete", printable(item.name))


def _stream(source: FileIO, partial: FileIO, left: float, stop: Callable[[], bool]) -> str:
    """Append what is missing to the partial file and return the digest of the whole source.

    At most `left` bytes are read, so that a file that keeps growing is not followed for ever.

    The part already copied is hashed from the source, not from the copy, so that a damaged
    copy fails its verification.
    """
    digest, buffer = hashlib.sha256(), memoryview(bytearray(BLOCK))
    have = partial.seek(0, os.SEEK_END)
    while count := source.readinto(buffer[: min(BLOCK, have) if have else BLOCK]):
        if stop():
            raise StoppedError("cancelled while copying")
        left -= count
        if left < 0:
            raise ChangedError("grew while it was being copied")
        digest.update(buffer[:count])
        if have:
            have -= count
        else:
            write_all(partial, buffer[:count])
    os.fsync(partial.fileno())
    return digest.hexdigest()


def write_all(target: FileIO, block: bytes | memoryview) -> None:
    """Write a whole block to an unbuffered file, which may take it in parts."""
    view = memoryview(block)
    while view:
        view = view[target.write(view) :]


def _digest(file: FileIO, stop: Callable[[], bool]) -> str:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(BLOCK))
    file.seek(0)
    while count := file.readinto(buffer):
        if stop():
            raise StoppedError("cancelled while verifying")
        digest.update(buffer[:count])
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """Return the checksum of a file."""
    with path.open("rb", buffering=0) as file:
        return _digest(file, lambda: False)
