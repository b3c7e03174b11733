"""A look at some whole frames before any other is read: counts that wrapped, and plateaus."""

from __future__ import annotations

from typing import Final

import numpy as np

from lauedepth.core.notices import Notice, warning
from lauedepth.io.hdf5 import Array

FRAMES: Final = 8
"""Frames looked at, spread over the scan."""

WRAPPED_FROM: Final = 64225
"""Readings of 16 bits from here on are many where counts wrapped below zero."""

HALF: Final = 32768

_LEAST_WRAPPED: Final = 1e-3
_LEAST_TOP: Final = 255
_LEAST_PLATEAU: Final = 8


def wrapped(images: Array, where: str) -> Notice | None:
    """Return whether 16-bit readings lie just below zero, wrapped, with next to none in between."""
    if images.max() < WRAPPED_FROM:
        return None
    high = images[images >= np.uint16(HALF)]
    top = high[(high >= WRAPPED_FROM) & (high < 65535)]
    between = np.count_nonzero(high < WRAPPED_FROM)
    few = top.size < max(_LEAST_PLATEAU, _LEAST_WRAPPED * images.size)
    if few or top.size < 20 * between or np.unique(top).size < 3:
        return None
    return warning(
        "counts-wrapped",
        f"{top.size / images.size:.1%} of the readings lie just below 65536: counts that wrapped "
        f"below zero; readings from {HALF} on are taken for no measurement",
        where,
        "store the counts with their sign, or before anything is subtracted",
    )


def plateau(images: Array, full: float, where: str) -> Notice | None:
    """Return whether readings are clipped below the reading at which the type is full."""
    most = max((_highest(image, full) for image in images), default=0.0)
    if most < _LEAST_TOP:
        return None
    near = images[images > images.dtype.type(0.9 * most)]
    near = near[near <= most]
    at_most = np.count_nonzero(near == most)
    if at_most < _LEAST_PLATEAU or at_most < 2 * (near.size - at_most):
        return None
    return warning(
        "readings-clipped",
        f"readings stop at {most:g}, as if the detector were full there",
        where,
        f"set detector.saturation_counts to {most:g} so that they are left out",
    )


def _highest(image: Array, full: float) -> float:
    highest = float(image.max())
    if highest < full:
        return highest
    return float(image[image < full].max(initial=0))
