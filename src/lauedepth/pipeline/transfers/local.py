"""Copying files within one machine: verified by checksum, and resumable."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
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
        destination = item.destination
        if destination.exists():
            return _verified(item, stop)
        destination.parent.mkdir(parents=True, exist_ok=True)
        partial = destination.with_name(destination.name + ".partial")
        try:
            source = open_inside(item.root, item.name)
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            raise AbsentError(f"is absent ({error.strerror})", printable(item.name)) from error
        with FileIO(source) as file:
            _expect(file.fileno(), item)
            size = math.inf if item.member is None else item.member.size
            digest = _stream(file, partial, size, stop)
            _expect(file.fileno(), item)
        if _digest(partial, stop) != digest or item.sha256 not in ("", digest):
            partial.unlink()
            raise OutputError(
                "the copy does not match its checksum", printable(str(destination)), "retry"
            )
        _publish(partial, destination)
        return digest


def _verified(item: Item, stop: Callable[[], bool]) -> str:
    """Return the digest of a file that an earlier, interrupted attempt completed."""
    digest = _digest(item.destination, stop)
    same_size = item.member is None or item.destination.stat().st_size == item.member.size
    if item.sha256 not in ("", digest) or not same_size:
        raise OutputError(
            "another file is already there",
            printable(str(item.destination)),
            "move it away, then retry",
        )
    return digest


def _expect(descriptor: int, item: Item) -> None:
    status = os.fstat(descriptor)
    now = Member(item.name, status.st_size, status.st_mtime_ns)
    if item.member is not None and now != item.member:
        raise ChangedError("changed after it was complete", printable(item.name))


def _stream(source: FileIO, partial: Path, left: float, stop: Callable[[], bool]) -> str:
    """Append what is missing to the partial file and return the digest of the whole source.

    At most `left` bytes are read, so that a file that keeps growing is not followed for ever.

    The part already copied is hashed from the source, not from the copy, so that a damaged
    copy fails its verification.
    """
    digest, buffer = hashlib.sha256(), memoryview(bytearray(BLOCK))
    with partial.open("ab", buffering=0) as target:
        have = target.tell()
        while count := source.readinto(buffer[: min(BLOCK, have) if have else BLOCK]):
            if stop():
                raise StoppedError("cancelled while copying", printable(partial.name))
            left -= count
            if left < 0:
                raise ChangedError("grew while it was being copied", printable(partial.name))
            digest.update(buffer[:count])
            if have:
                have -= count
            else:
                write_all(target, buffer[:count])
        os.fsync(target.fileno())
    return digest.hexdigest()


def write_all(target: FileIO, block: bytes | memoryview) -> None:
    """Write a whole block to an unbuffered file, which may take it in parts."""
    view = memoryview(block)
    while view:
        view = view[target.write(view) :]


def _digest(path: Path, stop: Callable[[], bool]) -> str:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(BLOCK))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            if stop():
                raise StoppedError("cancelled while verifying", printable(path.name))
            digest.update(buffer[:count])
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """Return the checksum of a file."""
    return _digest(path, lambda: False)


def _publish(partial: Path, destination: Path) -> None:
    partial.replace(destination)
    folder = os.open(destination.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
