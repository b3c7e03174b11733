"""Numbers that a point's files hold for each frame: a monitor, an encoder."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError
from lauedepth.io.tree import find


def values_of_stack(file: h5py.File, key: str, frames: int) -> Floats:
    """Read a dataset that has one number for each image of a stack: (n_frames,).

    An EPICS array is often stored at its full length, of which the scan filled the begin: zeros or
    NaN behind one number for each image are left out.

    Raises
    ------
    InputError
        There is none, or it has another length.
    """
    values = _numbers(file, key)
    if values.size > frames and max(values.shape) == values.size:
        unfilled = values.ravel()[frames:]
        if np.all((unfilled == 0) | np.isnan(unfilled)):
            values = values.ravel()[:frames]
    if values.size != frames:
        raise InputError(
            f"{key} has {values.size} values for {frames} images", file.filename, _REMEDY
        )
    return values.reshape(frames)


def value_of_image(file: h5py.File, key: str) -> float:
    """Read the one number that a file with a single image holds.

    Raises
    ------
    InputError
        There is none, or more than one.
    """
    values = _numbers(file, key)
    if values.size != 1:
        raise InputError(f"{key} has {values.size} values for one image", file.filename, _REMEDY)
    return float(values.reshape(1)[0])


_REMEDY = "name a dataset with one number for each frame"


def _numbers(file: h5py.File, key: str) -> Floats:
    item = find(file, key)
    where = str(Path(file.filename))
    if not isinstance(item, h5py.Dataset):
        raise InputError(f"there is no dataset {key}", where, _REMEDY)
    if item.dtype.kind not in "fiu" or item.size is None or item.ndim > 2 or item.size > 10**7:
        raise InputError(f"{key} holds no list of numbers", where, _REMEDY)
    try:
        return np.asarray(item[()], np.float64)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{key} cannot be read", where, "copy the file again") from error
