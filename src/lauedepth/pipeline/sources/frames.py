"""A first look into a point's file, without disturbing a writer that may still have it open."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any, Final

from lauedepth.pipeline.errors import InputError, NotAPointError
from lauedepth.pipeline.paths import open_inside, printable
from lauedepth.pipeline.protocols import Member

OWN_FILES: Final = {
    "entry1/reconstruction/program": "is a reconstruction",
    "truth/depth_um": "is the ground truth of a simulated point",
}
"""Entries that occur only in this program's own files, and what such a file is."""


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
    """
    where = printable(member.name)
    try:
        descriptor = open_inside(root, member.name)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where) from error
    try:
        if os.fstat(descriptor).st_size == 0:
            raise InputError("is empty", where)
        shape = _shape(Path(f"/proc/self/fd/{descriptor}"), dataset, where)
        status = os.fstat(descriptor)
        if (status.st_size, status.st_mtime_ns) != (member.size, member.mtime_ns):
            raise InputError("is still being written", where)
    finally:
        os.close(descriptor)
    if len(shape) == 2:
        shape = (1, *shape)
    if len(shape) != 3 or 0 in shape:
        raise InputError(f"{dataset} has shape {shape}, not (frames, rows, columns)", where)
    return shape[0], shape[1], shape[2]


def _shape(path: Path, dataset: str, where: str) -> tuple[int, ...]:
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
            return tuple(int(n) for n in found.shape)
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
