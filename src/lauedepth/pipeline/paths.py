"""File names from a detector, made safe: they reach no shell and cannot leave their folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from lauedepth.pipeline.errors import InputError

MAX_NAME_BYTES: Final = 240
"""Longest name accepted; the rest is left for the suffixes of unfinished files."""


def refusal(name: str) -> str:
    """Return why a path in a source can never be used, or an empty string."""
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return "the name is not valid UTF-8; rename it"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "the name leads out of its folder"
    if b"\0" in encoded or any(len(part) > MAX_NAME_BYTES for part in encoded.split(b"/")):
        return f"the name is longer than {MAX_NAME_BYTES} bytes; rename it"
    return ""


def printable(name: str) -> str:
    """Return a name safe for any terminal and database, with control characters escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def inside(root: Path, path: Path) -> bool:
    """Return whether a path, with all links followed, stays inside `root`."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # a loop of links
        return False


def open_inside(root: Path, name: str) -> int:
    """Open a file for reading and return its descriptor, without blocking or leaving `root`.

    Raises
    ------
    InputError
        If the path leads out of `root` or is not a regular file.
    OSError
        If the file cannot be opened.
    """
    path = root / name
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        real = Path(f"/proc/self/fd/{descriptor}").readlink()
        if refusal(name) or not real.is_relative_to(root.resolve()):
            raise InputError("leads out of its folder", printable(str(path)))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError("not a regular file", printable(str(path)))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def result_name(key: str, version: int) -> str:
    """Return the path of a point's result inside the results folder.

    A point keeps its subfolder, so that equal names in two folders do not collide; a file that
    was rewritten gets a name of its own.
    """
    return _named(key, ".h5") if version == 1 else archive_name(key, version)


def archive_name(key: str, version: int) -> str:
    """Return the path of a result that is not the newest of its point."""
    return _named(key, f".v{version}.h5")


def _named(key: str, ending: str) -> str:
    path = Path(key)
    stem = path.stem if path.suffix.lower() in HDF5_SUFFIXES else path.name
    return (path.parent / (stem + ending)).as_posix()


def export_name(result: str) -> str:
    """Return the folder of a result's per-depth images."""
    return result.removesuffix(".h5") + "_depths"


HDF5_SUFFIXES: Final = (".h5", ".hdf5", ".hdf", ".nxs")
"""Suffixes of files that are taken as points."""
