"""Hot and dead pixels, told from a mean image alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.core.notices import Notice, note

HOT: Final = 20.0
"""A pixel this many times as bright as the brightest around it is no spot: the narrowest that
optics make still lights the pixels beside it."""

DEAD: Final = 0.01
"""A pixel with less than this part of the darkest around it measures nothing."""

_SHOWN: Final = 3


def odd_pixels(mean: Floats, threshold: float, where: str) -> Iterator[Notice]:
    """Yield notes on pixels that stand out alone.

    Parameters
    ----------
    mean : (rows, columns) array
        NaN where nothing was measured.
    threshold : float
        Mean count from which on pixels are decoded.
    where : str
    """
    if min(mean.shape) < 3:
        return
    inner = mean[1:-1, 1:-1]
    lowest, highest = _around(mean)
    hot = (inner >= threshold) & (inner > HOT * np.maximum(highest, 1.0))
    dead = (lowest >= max(threshold, 1.0)) & (inner < DEAD * lowest)
    remedy = "mark them in detector.mask if they are no spots"
    for flags, code, what in (
        (hot, "pixels-hot", "stand alone above their surroundings"),
        (dead, "pixels-dead", "read next to nothing among lit ones"),
    ):
        places = np.argwhere(flags) + 1
        if len(places):
            shown = ", ".join(f"{row},{column}" for row, column in places[:_SHOWN])
            more = " ..." if len(places) > _SHOWN else ""
            yield note(
                code, f"{len(places)} pixels {what} (row,column {shown}{more})", where, remedy
            )


def _around(mean: Floats) -> tuple[Floats, Floats]:
    """Return the lowest and the highest of the eight neighbours of each inner pixel."""
    rows, columns = mean.shape
    lowest = np.full((rows - 2, columns - 2), np.nan)
    highest = lowest.copy()
    for down, across in itertools.product((0, 1, 2), repeat=2):
        if (down, across) != (1, 1):
            beside = mean[down : rows - 2 + down, across : columns - 2 + across]
            np.fmin(lowest, beside, out=lowest)
            np.fmax(highest, beside, out=highest)
    return lowest, highest
