"""A first look into a point's file, without disturbing a writer that may still have it open."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any, Final

from lauedepth.pipeline.errors import InputError, NotAPointError, UnfinishedError
from lauedepth.pipeline.paths import open_inside, printable
from lauedepth.pipeline.protocols import Member
from lauedepth.pipeline.sources.unfinished import is_open_for_writing, unwritten

OWN_FILES: Final = {
    "entry1/reconstruction/program": "is a reconstruction",
    "truth/depth_um": "is the ground truth of a simulated point",
}
"""Entries that occur only in this program's own files, and what such a file is."""

OPEN: Final = "is still open for writing"
NOTHING: Final = (0, 0, 0)


def count_frames(root: Path, member: Member, dataset: str) -> tuple[int, int, int]:
    """Return (frames, rows, columns) of a file of a point.

    Parameters
    ----------
    root : Path
        Folder that the file must be inside.
    member : Member
        The file as last seen: if it has changed since, it is not complete.
    dataset : str
        Path of the frames: (frames, rows, columns), or (rows, columns) for a single one.

    Raises
    ------
    InputError
        If the file is empty, unreadable, truncated, changing or not HDF5, or the frames have the
        wrong shape.
    NotAPointError
        If this program wrote the file.
    UnfinishedError
        If a writer has the file open, or frames were never written.
    """
    where = printable(member.name)
    try:
        descriptor = open_inside(root, member.name)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where) from error
    try:
        is_open = is_open_for_writing(descriptor)
        try:
            size, missing = _look(descriptor, member, dataset)
        except InputError:
            if not is_open:
                raise
            size, missing = NOTHING, OPEN  # what a writer has not stored yet is no fault
    finally:
        os.close(descriptor)
    if is_open or missing:
        raise UnfinishedError(OPEN if is_open else missing, where, size, is_open=is_open)
    return size


def _look(descriptor: int, member: Member, dataset: str) -> tuple[tuple[int, int, int], str]:
    """Return the shape of the frames in an open file, and what of them was never written."""
    where = printable(member.name)
    if os.fstat(descriptor).st_size == 0:
        raise InputError("is empty", where)
    shape, missing = _shape(Path(f"/proc/self/fd/{descriptor}"), dataset, where)
    status = os.fstat(descriptor)
    if (status.st_size, status.st_mtime_ns) != (member.size, member.mtime_ns):
        raise InputError("is still being written", where)
    if len(shape) == 2:
        shape = (1, *shape)
    if len(shape) != 3 or 0 in shape:
        raise InputError(f"{dataset} has shape {shape}, not (frames, rows, columns)", where)
    frames, rows, columns = shape
    return (frames, rows, columns), missing


def _shape(path: Path, dataset: str, where: str) -> tuple[tuple[int, ...], str]:
    """Return the shape of the frames, and what of them was never written."""
    import h5py  # noqa: PLC0415 (the driver does without it: see `inspector`)

    try:
        with h5py.File(path, "r", locking=False) as file:
            for name, kind in OWN_FILES.items():
                if name in file:
                    raise NotAPointError(kind, where)
            found = file.get(dataset)
            if isinstance(found, h5py.Dataset) and found.ndim == 2 and _has_depth(file):
                raise NotAPointError("is an image of one depth", where)
            if not isinstance(found, h5py.Dataset):
                raise InputError(f"has no {dataset}", where)
            if found.dtype.kind not in "uif" or found.shape is None:
                raise InputError(f"{dataset} is not numeric", where)
            shape = tuple(int(n) for n in found.shape)
            return shape, unwritten(found) if found.ndim in (2, 3) and 0 not in shape else ""
    except (OSError, RuntimeError, KeyError) as error:
        raise InputError(_plain(str(error)), where) from error


def _has_depth(file: Any) -> bool:
    """Return whether a file holds one depth: raw frames can have the entry, with NaN in it."""
    depth = file.get("entry1/depth")
    if getattr(depth, "size", None) != 1 or depth.dtype.kind not in "uif":
        return False
    return math.isfinite(float(depth[()].item()))


def _plain(message: str) -> str:
    """Turn a message of the HDF5 library into a readable one."""
    truncated = re.search(r"truncated file: eof = (\d+).*stored_eof = (\d+)", message)
    if truncated:
        return f"is truncated: {truncated.group(1)} of {truncated.group(2)} bytes"
    if "signature not found" in message:
        return "is not an HDF5 file"
    return f"cannot be read as HDF5 ({message})"
