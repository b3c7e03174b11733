"""Which part of the detector an image holds, from what the beamline wrote beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Detector, Region
from lauedepth.io.hdf5 import Array
from lauedepth.io.layout import DETECTOR


def region_of(
    metadata: Mapping[str, Array],
    shape: tuple[int, int],
    detector: Detector | None,
    path: Path,
) -> Region:
    """Return the region of an image.

    Parameters
    ----------
    metadata : mapping
        Of the image's file.
    shape : (int, int)
        Rows and columns of the image.
    detector : Detector or None
        What the region must lie in; without it, what the file says of its detector.
    path : Path
        The file, named in errors.

    Returns
    -------
    Region
        Without metadata: the whole detector, binned by what makes the sizes fit.

    Raises
    ------
    InputError
        The region does not fit the image, or leaves the detector.
    """
    rows, columns = shape
    size_x = detector.shape[0] if detector else _number(metadata, "Nx")
    size_y = detector.shape[1] if detector else _number(metadata, "Ny")
    start_x, bin_x = _axis(metadata, "x", columns, size_x, path)
    start_y, bin_y = _axis(metadata, "y", rows, size_y, path)
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


def _axis(
    metadata: Mapping[str, Array], axis: str, size: int, total: int | None, path: Path
) -> tuple[int, int]:
    """Return (start, binning) along one axis."""
    start, end = _number(metadata, f"start{axis}"), _number(metadata, f"end{axis}")
    bins = {_number(metadata, f"{name}{axis}") for name in ("group", "bin")} - {None}
    where = f"{path}: {DETECTOR}"
    if start is None or end is None:
        return 0, _binning_that_fits(size, total, axis, where)
    fitting = [count for count in bins or {1} if count and (end - start + 1) // count == size]
    if not fitting:
        raise InputError(
            f"start{axis}={start}, end{axis}={end} and binning {sorted(map(str, bins)) or 1} "
            f"do not give the image's {size} pixels",
            where,
            "check the ROI in the file",
        )
    if start < 0 or (total is not None and end >= total):
        raise InputError(
            f"ROI {start}...{end} along {axis} lies outside the detector's "
            f"{total if total is not None else 'first'} pixels",
            where,
            "check the ROI and the experiment's detector",
        )
    return start, fitting[0]


def _binning_that_fits(size: int, total: int | None, axis: str, where: str) -> int:
    if total is None or size == total:
        return 1
    if size < total and total % size == 0:
        return total // size
    raise InputError(
        f"no ROI along {axis} is given, and {size} pixels are no binning of the detector's {total}",
        where,
        f"write start{axis}, end{axis} and group{axis} into the file",
    )


def _number(metadata: Mapping[str, Array], name: str) -> int | None:
    value = metadata.get(f"{DETECTOR}/{name}")
    if value is None or value.size < 1 or value.dtype.kind not in "uif":
        return None
    number = float(np.asarray(value).flat[0])
    return int(number) if number == int(number) else None
