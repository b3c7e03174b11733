"""Sums of frames, pixel by pixel, over the readings that are measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.io.hdf5 import Array
from lauedepth.io.readings import FULL_16_BIT

MOST_FRAMES: Final = 32768
"""Frames of 16 bits whose sum a 32-bit number holds, and twice that."""

_RUN: Final = 65536
"""Pixels that are added at a time: few enough to stay in a core's own cache."""


@dataclass(frozen=True)
class Sums:
    """Sums over frames.

    Attributes
    ----------
    total : (rows, columns) float64 array
        Of the readings that are measurements.
    frames : int
        Frames added.
    nothing : (rows, columns) float64 array
        In how many of them a pixel's reading is no measurement.
    """

    total: Floats
    frames: int
    nothing: Floats

    @classmethod
    def of_none(cls, shape: tuple[int, int]) -> Sums:
        """Return sums to be filled with `plus`."""
        return cls(np.zeros(shape), 0, np.zeros(shape))

    def plus(self, images: Array) -> Sums:
        """Return these sums with more frames (frames, rows, columns), added in place."""
        return self._changed(images, 1)

    def minus(self, images: Array) -> Sums:
        """Return these sums without some frames that were added before, taken off in place."""
        return self._changed(images, -1)

    def among(self, rows: slice, n_rows: int) -> Sums:
        """Return sums of some rows as those of a whole image, zero elsewhere."""
        shape = n_rows, self.total.shape[1]
        whole = Sums(np.zeros(shape), self.frames, np.zeros(shape))
        whole.total[rows], whole.nothing[rows] = self.total, self.nothing
        return whole

    def mean(self) -> Floats:
        """Return the mean of each pixel; NaN where nothing was measured."""
        measured = self.frames - self.nothing
        mean = np.full(self.total.shape, np.nan)
        np.divide(self.total, measured, out=mean, where=measured > 0)
        return mean

    def _changed(self, images: Array, sign: int) -> Sums:
        if images.dtype == np.uint16:
            _add_whole(images, self.total, self.nothing, sign)
        else:
            nothing = np.isnan(images)
            added = np.add.reduce(np.where(nothing, 0, images), axis=0, dtype=np.float64)
            np.add(self.total, sign * added, out=self.total)
            np.add(self.nothing, sign * np.count_nonzero(nothing, axis=0), out=self.nothing)
        return Sums(self.total, self.frames + sign * len(images), self.nothing)


def _add_whole(images: Array, total: Floats, nothing: Floats, sign: int) -> None:
    """Add frames of 16 bits, exactly."""
    flat = images.reshape(len(images), -1)
    target, gaps = total.reshape(-1), nothing.reshape(-1)
    change = np.add if sign > 0 else np.subtract
    for start in range(0, flat.shape[1], _RUN):
        part = slice(start, start + _RUN)
        change(target[part], np.add.reduce(flat[:, part], axis=0, dtype=np.uint32), target[part])
    for image in flat:
        if image.max(initial=0) == FULL_16_BIT:
            full = np.flatnonzero(image == FULL_16_BIT)
            target[full] -= sign * float(FULL_16_BIT)
            gaps[full] += sign
