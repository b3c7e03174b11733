"""Finished blocks of an unfinished run, kept beside its output until the result is published."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lauedepth.core.decoding.pixels import DecodedPixels
from lauedepth.core.errors import InputError, LaueDepthError, OutputError
from lauedepth.core.files import open_file, read_file
from lauedepth.core.locks import Holder, claim
from lauedepth.io import publish

_IDENTITY: Final = "run.json"
_PLAN: Final = "plan.json"
_PINNED: Final = "pinned"
_LOCK: Final = "lock"
_LOCK_MODE: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_FIELDS: Final = tuple(field.name for field in fields(DecodedPixels))
_SEAL: Final = "sha256"
_UNREADABLE: Final = (
    *(OSError, ValueError, KeyError, EOFError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What reading a damaged archive of arrays raises."""


class CheckpointError(LaueDepthError):
    """An unfinished run cannot be resumed."""


@dataclass(frozen=True)
class RunIdentity:
    """What must be the same for blocks of one run to be used by another.

    Attributes
    ----------
    parts : mapping of str to str
        Digests by what they were made of ("input", "configuration", ...).
    """

    parts: Mapping[str, str]

    @classmethod
    def of(cls, **contents: object) -> RunIdentity:
        """Digest what JSON can hold, each part by itself."""
        return cls(
            {
                name: sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
                for name, content in contents.items()
            }
        )

    @property
    def digest(self) -> str:
        """One digest of all parts."""
        return sha256(json.dumps(dict(self.parts), sort_keys=True).encode()).hexdigest()

    def differences(self, other: RunIdentity) -> list[str]:
        """Return the names of the parts that differ."""
        names = dict.fromkeys([*self.parts, *other.parts])
        return [name for name in names if self.parts.get(name) != other.parts.get(name)]


def blocks_folder(output: Path) -> Path:
    """Return where the finished blocks of a run are kept."""
    return output.with_name(f"{output.name}.blocks")


class Checkpoint:
    """The finished blocks of one run, in a folder; made by `open_checkpoint`.

    Each block is one file, written under another name and renamed, with a CRC-32 of every
    array (a ZIP archive, as NumPy writes it). So a process that is killed leaves whole blocks.

    Attributes
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def finished(self) -> set[int]:
        """Return the numbers of the blocks that are there and whole; damaged ones go."""
        numbers = set()
        for path in sorted(self.folder.glob("block_*.npz")):
            number = int(path.stem.rpartition("_")[2])
            try:
                self.load(number)
            except InputError:
                path.unlink()
            else:
                numbers.add(number)
        return numbers

    def block_size(self, wanted: Mapping[str, int]) -> dict[str, int]:
        """Return how the run was cut into blocks; as `wanted` if it begins now.

        Parameters
        ----------
        wanted : mapping of str to int
            What the size of blocks is made of.

        Raises
        ------
        CheckpointError
            There are blocks, but what says how large they are is missing or damaged.
        """
        path = self.folder / _PLAN
        if next(self.folder.glob("block_*.npz"), None) is not None:
            try:
                stored = json.loads(read_file(path))
                return {name: int(stored[name]) for name in wanted}
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise CheckpointError(
                    "does not say how large the finished blocks are",
                    str(path),
                    "run without --resume to start over",
                ) from error
        with publish(path) as partial:
            partial.write_text(json.dumps(dict(wanted)), encoding="utf-8")
        return dict(wanted)

    def pin(self, file: Path) -> Path | None:
        """Return a copy of a file as it was when the run began; None where there was none.

        Raises
        ------
        InputError
            It is not a file.
        OutputError
            It cannot be copied.
        """
        pinned = self.folder / _PINNED
        begun = next(self.folder.glob("block_*.npz"), None) is not None
        if not begun and not pinned.exists() and file.exists():
            if not file.is_file():
                raise InputError("is not a file", str(file))
            with publish(pinned) as partial:
                shutil.copyfile(file, partial)
        return pinned if pinned.exists() else None

    def save(self, number: int, decoded: DecodedPixels) -> None:
        """Keep a finished block.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        columns: dict[str, Any] = {name: np.asarray(getattr(decoded, name)) for name in _FIELDS}
        sealed = columns | {_SEAL: np.array(_seal(number, columns))}
        with publish(self._path(number)) as partial, partial.open("wb") as stream:
            np.savez(stream, **sealed)

    def load(self, number: int) -> DecodedPixels:
        """Return a finished block.

        Raises
        ------
        InputError
            It is not there, damaged, or not as it was saved.
        """
        path = self._path(number)
        try:
            with open_file(path) as stream, np.load(stream, allow_pickle=False) as stored:
                columns = {name: stored[name] for name in _FIELDS}
                if str(stored[_SEAL]) != _seal(number, columns):
                    raise ValueError("it does not match its checksum")
        except _UNREADABLE as error:
            raise InputError(
                "finished block is damaged", str(path), "run again with --resume"
            ) from error
        return DecodedPixels(**columns)

    def clear(self) -> None:
        """Remove all blocks and what says to which run they belong."""
        for pattern in ("block_*.npz", "rank_*", "*.partial", _IDENTITY, _PLAN, _PINNED):
            for path in sorted(self.folder.glob(pattern)):
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder, once the result stands under its name."""
        self.clear()
        (self.folder / _LOCK).unlink(missing_ok=True)
        self.folder.rmdir()

    def _path(self, number: int) -> Path:
        return self.folder / f"block_{number:06d}.npz"


@contextmanager
def open_checkpoint(output: Path, identity: RunIdentity, *, resume: bool) -> Iterator[Checkpoint]:
    """Open the finished blocks of a run, alone.

    Parameters
    ----------
    output : Path
        The result; the blocks are beside it.
    identity : RunIdentity
    resume : bool
        Use the blocks that are there; otherwise they are removed.

    Yields
    ------
    Checkpoint
        Call its ``remove`` when the result is published. Left without that, blocks stay.

    Raises
    ------
    CheckpointError
        The blocks belong to another input, configuration or version.
    OutputError
        The folder cannot be written, or another process is at work on the same output.
    """
    folder = blocks_folder(output)
    lock = _claim(folder, output)
    try:
        checkpoint = Checkpoint(folder)
        if resume:
            _refuse_other_run(folder, identity)
        else:
            checkpoint.clear()
        with publish(folder / _IDENTITY) as partial:
            partial.write_text(json.dumps(dict(identity.parts), indent=1), encoding="utf-8")
        yield checkpoint
    finally:
        os.close(lock)


def remove_blocks(output: Path) -> None:
    """Remove what a run left that was killed when its result stood already.

    Raises
    ------
    OutputError
        Another process is at work on the same output.
    """
    folder = blocks_folder(output)
    if folder.is_dir():
        lock = _claim(folder, output)
        try:
            Checkpoint(folder).remove()
        finally:
            os.close(lock)


def _claim(folder: Path, output: Path) -> int:
    """Create the folder and hold a lock in it."""
    _refuse_foreign(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / _LOCK, _LOCK_MODE, 0o666)
    except OSError as error:
        raise OutputError(
            f"cannot be written: {(error.strerror or str(error)).lower()}",
            str(output),
            "choose a folder that you may write to",
        ) from error
    try:
        claim(lock)
    except BlockingIOError:
        os.close(lock)
        holder = Holder.read(folder / _LOCK)
        raise OutputError(
            f"is being reconstructed by another process{f' ({holder})' if holder else ''}",
            str(output),
            "wait for it, or stop it",
        ) from None
    Holder.this_process().sign(lock)
    return lock


def _seal(number: int, columns: Mapping[str, npt.NDArray[Any]]) -> str:
    """Digest a block with its number: neither its content nor its place may change."""
    whole = sha256(str(number).encode())
    for name in _FIELDS:
        array = np.ascontiguousarray(columns[name])
        whole.update(f"{name} {array.dtype.str} {array.shape}".encode())
        whole.update(array.data)
    return whole.hexdigest()


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder that no run made: its files may be the user's."""
    if folder.is_symlink():
        raise OutputError("is a link", str(folder), "remove it, or choose another output")
    if folder.is_dir() and not (folder / _LOCK).exists() and any(folder.iterdir()):
        raise OutputError(
            "is there already and was not made by a reconstruction",
            str(folder),
            "remove it, or choose another output",
        )


def _refuse_other_run(folder: Path, identity: RunIdentity) -> None:
    path = folder / _IDENTITY
    if not path.exists():
        if list(folder.glob("block_*.npz")):
            raise CheckpointError(
                "finished blocks do not say to which run they belong",
                str(folder),
                "run without --resume to start over",
            )
        return
    try:
        stored = RunIdentity(json.loads(read_file(path)))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            "unfinished run cannot be read", str(path), "run without --resume to start over"
        ) from error
    different = stored.differences(identity)
    if different:
        raise CheckpointError(
            f"unfinished run was made with another {' and another '.join(different)}",
            str(folder),
            "run without --resume to start over, or with what it was started with",
        )
