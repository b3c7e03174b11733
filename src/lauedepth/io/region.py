"""Which part of the detector an image holds, from what stands beside it or in the experiment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import h5py
import numpy as np

from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Detector, Region
from lauedepth.io.hdf5 import Array
from lauedepth.io.layout import DETECTOR
from lauedepth.io.metadata import as_value
from lauedepth.io.tree import find

NAMES: Final = tuple(
    f"{name}{axis}" for axis in "xy" for name in ("N", "start", "end", "group", "bin")
)
"""Entries of the detector group that tell the region."""

_MOST_VALUES: Final = 2**22
"""One for each frame, at most."""

STATE_IT: Final = "state data.region (start_px, size_px and binning) in the experiment"


def stated_region(file: h5py.File) -> dict[str, int]:
    """Read what a file says of its region: numbers by name (`NAMES`), those that are there.

    Raises
    ------
    InputError
        One is there, but is no whole number.
    """
    group = find(file, DETECTOR)
    if group is None:
        return {}
    if not isinstance(group, h5py.Group):
        raise InputError("is not a group", f"{file.filename}: {DETECTOR}", _MEND)
    stated = {}
    for name in NAMES:
        item = find(file, f"{DETECTOR}/{name}") if name in group else None
        where = f"{file.filename}: {DETECTOR}/{name}"
        if isinstance(item, h5py.Dataset):
            stated[name] = _whole_number(_value_of(item, where), where)
        elif name in group:
            raise InputError("is not a number", where, _MEND)
    return stated


def _value_of(item: h5py.Dataset, where: str) -> Array | None:
    try:
        if item.shape is None:
            return None
        value = as_value(item[()]) if item.size <= _MOST_VALUES else None
    except (OSError, RuntimeError, TypeError, ValueError):  # damaged, or of no plain type
        value = None
    if value is None or value.dtype.kind not in "buifS":
        raise InputError("is not a number", where, _MEND)
    return value


def same_region(file: h5py.File, stated: Mapping[str, int]) -> bool:
    """Return whether a file says of its region what another one does, quickly.

    False also where only `stated_region` can tell: behind links, or numbers of odd kinds.
    """
    try:
        group = _plain_group(file.id, DETECTOR)
        if group is None:
            return False
        known = [name for name in NAMES if name.encode() in group]
        return known == list(stated) and all(
            _plain_number(group, name) == stated[name] for name in known
        )
    except (OSError, RuntimeError, KeyError, ValueError, TypeError):
        return False


def _plain_group(start: h5py.h5g.GroupID, path: str) -> h5py.h5g.GroupID | None:
    for name in path.encode().split(b"/"):
        if start.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            return None
        start = h5py.h5g.open(start, name)
    return start


def _plain_number(group: h5py.h5g.GroupID, name: str) -> float:
    """Return a number that lies there itself; NaN for anything else."""
    if group.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
        return float("nan")
    data = h5py.h5d.open(group, name.encode())
    if data.get_space().get_simple_extent_npoints() != 1:
        return float("nan")
    value = np.zeros((), np.float64)
    data.read(h5py.h5s.ALL, h5py.h5s.ALL, value)
    return float(value)


def region_in(metadata: Mapping[str, Array], path: Path) -> dict[str, int]:
    """Return what metadata say of the region; see `stated_region`."""
    keys = {name: f"{DETECTOR}/{name}" for name in NAMES}
    return {
        name: _whole_number(metadata[key], f"{path}: {key}")
        for name, key in keys.items()
        if key in metadata
    }


def region_of(
    stated: Mapping[str, int],
    shape: tuple[int, int],
    detector: Detector | None,
    path: Path,
    given: Region | None = None,
) -> Region:
    """Return the region of an image.

    Parameters
    ----------
    stated : mapping of str to int
        What the image's file says (`stated_region`).
    shape : (int, int)
        Rows and columns of the image.
    detector : Detector or None
        What the region must lie in; without it, what the file says of its detector.
    path : Path
        The file, named in errors.
    given : Region, optional
        What the experiment says of images whose file does not.

    Returns
    -------
    Region
        Where nobody says: the whole detector.

    Raises
    ------
    InputError
        The region does not fit the image, leaves the detector, or is not known.
    """
    rows, columns = shape
    size_x = detector.shape[0] if detector else stated.get("Nx")
    size_y = detector.shape[1] if detector else stated.get("Ny")
    needed = detector is not None
    fallback = (given.start, given.binning) if given and given.shape == shape else ((), ())
    start_x, bin_x = _axis(stated, 0, columns, size_x, path, fallback, needed=needed)
    start_y, bin_y = _axis(stated, 1, rows, size_y, path, fallback, needed=needed)
    return Region(shape=shape, start=(start_x, start_y), binning=(bin_x, bin_y))


def region_metadata(region: Region, detector: Detector) -> dict[str, int]:
    """Return what the beamline writes for a region: values by path."""
    values: dict[str, int] = {}
    sizes = (region.shape[1], region.shape[0])
    for axis, size, total, start, binning in zip(
        "xy", sizes, detector.shape, region.start, region.binning, strict=True
    ):
        values[f"{DETECTOR}/N{axis}"] = total
        values[f"{DETECTOR}/start{axis}"] = start
        values[f"{DETECTOR}/end{axis}"] = start + size * binning - 1
        values[f"{DETECTOR}/group{axis}"] = binning
        values[f"{DETECTOR}/bin{axis}"] = binning
    return values


_MEND: Final = f"mend it in the file, or take it out and {STATE_IT}"


def _axis(
    stated: Mapping[str, int],
    number: int,
    size: int,
    total: int | None,
    path: Path,
    fallback: tuple[tuple[int, ...], tuple[int, ...]],
    *,
    needed: bool,
) -> tuple[int, int]:
    """Return (start, binning) along one axis, of the file or else of the experiment."""
    axis, where = "xy"[number], f"{path}: {DETECTOR}"
    own = _own_axis(stated, axis, size, total, where)
    if own is not None:
        return own
    starts, binnings = fallback
    if starts:
        return _inside((starts[number], binnings[number]), size, total, axis, str(path))
    if needed and (size != total or not _bins(stated, axis) <= {1}):
        raise InputError(
            f"no ROI along {axis} is given, and the image's {size} pixels are not the "
            f"detector's {total}",
            where,
            STATE_IT,
        )
    return 0, 1


def _own_axis(
    stated: Mapping[str, int], axis: str, size: int, total: int | None, where: str
) -> tuple[int, int] | None:
    """Return (start, binning) as the file says; None where it does not."""
    start, end = stated.get(f"start{axis}"), stated.get(f"end{axis}")
    bins = _bins(stated, axis)
    if start is None and end is None:
        whole = [count for count in bins if count * size == total]
        return (0, whole[0]) if whole else None
    if start is None:
        raise InputError(f"end{axis} is given, start{axis} is not", where, _MEND)
    counts = sorted(bins) or [1]
    if end is None:
        return _inside((start, counts[-1]), size, total, axis, where)
    fitting = [count for count in counts if count > 0 and (end - start + 1) // count == size]
    if not fitting:
        raise InputError(
            f"start{axis}={start}, end{axis}={end} and binning {counts} "
            f"do not give the image's {size} pixels",
            where,
            "check the ROI in the file",
        )
    _refuse_outside(start, end, total, axis, where)
    return start, fitting[0]


def _bins(stated: Mapping[str, int], axis: str) -> set[int]:
    return {stated[key] for name in ("group", "bin") if (key := f"{name}{axis}") in stated}


def _inside(
    wanted: tuple[int, int], size: int, total: int | None, axis: str, where: str
) -> tuple[int, int]:
    start, binning = wanted
    _refuse_outside(start, start + size * binning - 1, total, axis, where)
    return wanted


def _refuse_outside(start: int, end: int, total: int | None, axis: str, where: str) -> None:
    if start < 0 or (total is not None and end >= total):
        raise InputError(
            f"ROI {start}...{end} along {axis} lies outside the detector's "
            f"{total if total is not None else 'first'} pixels",
            where,
            "check the ROI and the experiment's detector",
        )


def _whole_number(value: Array | None, where: str) -> int:
    if value is None or not value.size:
        raise InputError("is there, but empty", where, _MEND)
    try:
        numbers = np.unique(value.reshape(-1).astype(np.float64))
    except ValueError:
        raise InputError(f"is not a number: {_shown(value)}", where, _MEND) from None
    if numbers.size > 1 and np.isfinite(numbers).all():
        raise InputError(
            f"changes within the scan, from {numbers[0]:g} to {numbers[-1]:g}", where, _MEND
        )
    number = float(numbers[0])
    if not np.isfinite(numbers).all() or number != int(number):
        raise InputError(f"is not a whole number: {_shown(value)}", where, _MEND)
    return int(number)


def _shown(value: Array) -> str:
    first = value.reshape(-1)[0]
    return repr(first.decode("utf-8", "replace") if isinstance(first, bytes) else first.item())
