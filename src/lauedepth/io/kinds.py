"""Which format a file follows, told by what only that one holds."""

from __future__ import annotations

import h5py
import numpy as np

from lauedepth.core.errors import InputError
from lauedepth.io.hdf5 import read_text
from lauedepth.io.layout import DATA, DEPTH, EXPORT, FRAME, POINT, RECONSTRUCTION, RESULT, Layout
from lauedepth.io.tree import damage_told, find


def layout_of(file: h5py.File) -> Layout:
    """Return which layout a file follows.

    A raw frame can hold ``entry1/depth`` too, without a depth in it.
    """
    if RECONSTRUCTION in file:
        return RESULT
    data = find(file, DATA)
    flat = isinstance(data, h5py.Dataset) and data.ndim == 2
    if flat and _has_depth(file):
        return EXPORT
    return FRAME if flat else POINT


def refuse_own(file: h5py.File) -> None:
    """Refuse a file that this program wrote from a point: it is none itself.

    Raises
    ------
    InputError
    """
    if read_text(file, f"{RECONSTRUCTION}/program") == "lauedepth":
        raise InputError("is a result, not a point", file.filename, "give the point itself")
    with damage_told(file):
        layout = layout_of(file)
    if layout is EXPORT:
        raise InputError("is an image of one depth, not a frame", file.filename, "give the point")


def _has_depth(file: h5py.File) -> bool:
    depth = find(file, DEPTH)
    if not isinstance(depth, h5py.Dataset) or depth.size != 1 or depth.dtype.kind not in "uif":
        return False
    return bool(np.isfinite(np.asarray(depth[()], np.float64)).all())
