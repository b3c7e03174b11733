"""Which stored frames hold no measurement: empty or repeated ones, and those without readings.

A frame's total hardly tells: where a few spots are all that is seen, bars darken them together.
So a frame is judged in parts of the image, each against its own level over the scan, and a scan
whose level swings down to nothing by itself loses only what begins and ends at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Flags, Floats
from lauedepth.io.hdf5 import Array
from lauedepth.io.readings import FULL_16_BIT

SAMPLE_ROWS: Final = 32
"""Image rows, about, from which the level of a frame is taken."""

PARTS: Final = 8
"""Parts along each axis of the image."""

EMPTY: Final = 0.1
"""A part is empty below this part of its level over the scan."""

LEAST_COUNTS: Final = 25.0
"""A part with fewer counts in a lit frame says nothing."""

GAP: Final = 0.25
"""Part of the usual level below which a scan hardly comes that is not about to go dark."""

ABRUPT: Final = 0.5
"""Part of the usual level beside frames that are lost from a scan that does come below."""

EVERYWHERE: Final = 0.9
"""Part of the image whose parts tell something where there is a background."""

FEW_RUNS: Final = 2
FEW_FRAMES: Final = 0.1
"""More runs that hold more of the frames than this are the bars' doing, where no background is."""

LEAST_SAME: Final = 8
"""Parts with counts enough that are all as in the frame before, which noise never makes."""

MOST_REPEATED: Final = 0.5
"""More frames than this that repeat others hold no noise at all: nothing is told from them."""

LEAST_READINGS: Final = 0.5
"""Part of a frame's readings that must be measurements."""


@dataclass(frozen=True)
class Levels:
    """What a few rows of each frame hold.

    Attributes
    ----------
    counts : (frames, parts) array
        Sum of the readings that are measurements, NaN for a frame not looked at.
    readings : (frames, parts) array
        Their number.
    lowest, highest : (frames,) arrays
    """

    counts: Floats
    readings: Floats
    lowest: Floats
    highest: Floats

    @classmethod
    def unknown(cls, frames: int, shape: tuple[int, int]) -> Levels:
        """Return levels of an image of (rows, columns) to be filled with `note`."""
        rows = min(PARTS, len(range(*_sample(shape[0]))))
        parts = (frames, rows * _starts(shape[1]).size)
        nan = np.full(frames, np.nan)
        return cls(np.full(parts, np.nan), np.zeros(parts), nan, nan.copy())

    def note(self, numbers: npt.NDArray[np.int64], rows: Array) -> None:
        """Keep the levels of frames: the counts of their sample rows (frames, rows, columns)."""
        flat = np.ascontiguousarray(rows).reshape(len(rows), -1)
        self.lowest[numbers], self.highest[numbers] = flat.min(axis=1), flat.max(axis=1)
        # NaN is the maximum of what holds one.
        if not (self.highest[numbers] < FULL_16_BIT).all():
            self._note_gaps(numbers, rows)
            return
        self.counts[numbers] = _sums(flat.reshape(rows.shape))
        self.readings[numbers] = _sizes(*rows.shape[1:])

    def _note_gaps(self, numbers: npt.NDArray[np.int64], rows: Array) -> None:
        """Do what `note` does where readings are missing."""
        good = rows < FULL_16_BIT if rows.dtype == np.uint16 else ~np.isnan(rows)
        self.counts[numbers] = _sums(np.where(good, rows, 0))
        self.readings[numbers] = _sums(good)
        for number, image, measured in zip(numbers, rows, good, strict=True):
            kept = image[measured]
            if kept.size:
                self.lowest[number], self.highest[number] = kept.min(), kept.max()

    def part(self, numbers: npt.NDArray[np.int64]) -> Levels:
        """Return the levels of some frames alone."""
        return Levels(
            self.counts[numbers],
            self.readings[numbers],
            self.lowest[numbers],
            self.highest[numbers],
        )

    def take(self, numbers: npt.NDArray[np.int64], levels: Levels) -> None:
        """Keep the levels of some frames that were found elsewhere."""
        self.counts[numbers], self.readings[numbers] = levels.counts, levels.readings
        self.lowest[numbers], self.highest[numbers] = levels.lowest, levels.highest

    def known(self, numbers: npt.NDArray[np.int64]) -> Flags:
        """Return which of some frames were looked at."""
        return np.asarray(~np.isnan(self.counts[numbers, 0]))


def sample_rows(rows: int) -> slice:
    """Return the image rows from which levels are taken."""
    return slice(*_sample(rows))


def without_readings(levels: Levels) -> Flags:
    """Return which frames hold hardly any measurement: (frames,)."""
    readings = levels.readings.sum(axis=1)
    most = readings.max(initial=0.0)
    few = (readings < LEAST_READINGS * most) | (readings == 0)
    return np.asarray(~np.isnan(levels.counts[:, 0]) & few)


def empty_frames(levels: Levels, candidates: Flags) -> Flags:
    """Return which frames are empty, or one number everywhere, where others are lit.

    Parameters
    ----------
    levels : Levels
    candidates : (frames,) bool array
        Frames to judge: those looked at that hold measurements.

    Returns
    -------
    (frames,) bool array
    """
    lost = np.zeros(candidates.size, bool)
    numbers = np.flatnonzero(candidates)
    if numbers.size < 3:
        return lost
    flat = (levels.lowest[numbers] == levels.highest[numbers]) & (levels.lowest[numbers] > 0)
    if np.count_nonzero(flat) < flat.size / 2:
        lost[numbers[flat]] = True
        numbers = numbers[~flat]
    mean = levels.counts[numbers] / np.maximum(levels.readings[numbers], 1.0)
    usual = np.percentile(mean, 75, axis=0)
    usual_counts = usual * levels.readings[numbers].max(axis=0)
    telling = usual_counts >= LEAST_COUNTS
    if telling.any():
        share = mean[:, telling] / usual[telling]
        part = mean[:, telling].sum(axis=1) / usual[telling].sum()
        # Few counts scatter: three of their deviations are allowed for in each part.
        limit = EMPTY + 3 * np.sqrt(EMPTY / usual_counts[telling])
        empty = (share < limit).all(axis=1) & (part < EMPTY)
        lost[numbers] = _believed(empty, part, everywhere=bool(telling.mean() >= EVERYWHERE))
    return lost


def repeated_frames(levels: Levels, candidates: Flags) -> Flags:
    """Return which frames are those before them, read again: (frames,), among some of them.

    Photons scatter: where many parts hold light, no two frames are the same by chance.
    """
    repeated = np.zeros(candidates.size, bool)
    numbers = np.flatnonzero(candidates)
    counts, readings = levels.counts[numbers], levels.readings[numbers]
    same = (np.diff(counts, axis=0) == 0) & (np.diff(readings, axis=0) == 0)
    ends = (np.diff(levels.lowest[numbers]) == 0) & (np.diff(levels.highest[numbers]) == 0)
    telling = (counts[1:] >= LEAST_COUNTS).sum(axis=1) >= LEAST_SAME
    again = same.all(axis=1) & ends & telling
    if again.sum() <= MOST_REPEATED * again.size:
        repeated[numbers[1:][again]] = True
    return repeated


def _believed(empty: Flags, part: Floats, *, everywhere: bool) -> Flags:
    """Return which empty frames are lost, not behind bars.

    Parameters
    ----------
    empty : (n,) bool array
    part : (n,) array
        Each frame's part of the usual level.
    everywhere : bool
        All of the image is lit, more than spots light.
    """
    lost = np.zeros_like(empty)
    lit = part[~empty]
    if not lit.size or np.count_nonzero(empty) > 0.9 * empty.size:
        return lost
    edges = np.flatnonzero(np.diff(np.concatenate([[0], empty.astype(np.int8), [0]])))
    runs = edges.reshape(-1, 2)
    few = len(runs) <= FEW_RUNS or np.count_nonzero(empty) <= FEW_FRAMES * empty.size
    if (everywhere or few) and np.percentile(lit, 2) >= GAP:
        return empty
    if not few:
        return lost
    for start, stop in runs:
        sides = part[max(0, start - 2) : start], part[stop : stop + 2]
        lost[start:stop] = all(side.max() >= ABRUPT for side in sides if side.size)
    return lost


def _sample(rows: int) -> tuple[int, int, int]:
    return 0, rows, max(1, rows // SAMPLE_ROWS)


def _starts(size: int) -> npt.NDArray[np.int64]:
    """Return where the parts of an axis begin."""
    return np.unique(np.linspace(0, size, min(PARTS, size), endpoint=False).astype(np.int64))


def _sizes(n_rows: int, columns: int) -> Floats:
    """Return the number of pixels of each part of sample rows."""
    parts = min(PARTS, n_rows)
    widths = np.diff(np.append(_starts(columns), columns))
    return np.asarray(np.tile(widths * (n_rows // parts), parts), np.float64)


def _sums(rows: Array) -> Floats:
    """Return the sums of the parts of sample rows: (frames, parts); some last rows are left out."""
    frames, n_rows, columns = rows.shape
    parts = min(PARTS, n_rows)
    height = n_rows // parts
    kind = np.uint32 if rows.dtype.kind in "ub" else np.float64
    bands = np.add.reduce(
        rows[:, : parts * height].reshape(frames, parts, height, columns), axis=2, dtype=kind
    )
    cells = np.add.reduceat(bands, _starts(columns), axis=2, dtype=np.float64)
    return np.asarray(cells.reshape(frames, -1), np.float64)
