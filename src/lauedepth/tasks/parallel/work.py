"""How a point's work is shared out: by what pixels cost, to whoever is free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.tasks.reconstruct.blocks import PixelBlock

LIT_COST: Final = 4.4
"""What a lit pixel costs to decode, of what a dark one does: measured, 110 and 25 µs."""

LIT_SIGMAS: Final = 5.0
"""A pixel counts as lit if its mean is so many standard errors above the image's median."""

BLOCKS_PER_RANK: Final = 32
"""Blocks that a rank should find, so that all end together and little is lost when stopped."""

MAX_BLOCKS: Final = 4096
"""Maximum blocks of a fast decoder, of which rank 0 reads a thousand in a second."""

SMALLEST_PART, LARGEST_SLOW_BLOCK = 32, 64
"""Smallest block of a fast decoder, one part in so many of the largest, and largest block of one
that takes milliseconds a pixel."""


def pixel_costs(mean: Floats, frames: int) -> Floats:
    """Return what each pixel will cost to decode, relative to a dark one.

    Parameters
    ----------
    mean : (rows, columns) array
        Mean counts; NaN where there are none.
    frames : int
        How many frames the mean is of.
    """
    known = mean[np.isfinite(mean)]
    level = float(np.median(known)) if known.size else 0.0
    lit = mean > level + LIT_SIGMAS * np.sqrt(max(level, 1.0) / frames)
    return np.where(lit, LIT_COST, 1.0)


def block_costs(blocks: Sequence[PixelBlock], costs: Floats | None) -> Floats:
    """Return what each block will cost; where nothing is known, its number of pixels."""
    if costs is None:
        return np.array([float(len(block)) for block in blocks])
    return np.array([float(costs[block.rows, block.columns].sum()) for block in blocks])


def block_size(pixels: int, ranks: int, largest: int, *, slow: bool) -> int:
    """Return how many pixels a block may hold.

    Parameters
    ----------
    pixels, ranks : int
    largest : int
        What one process would use.
    slow : bool
        Whether a pixel takes milliseconds.
    """
    if slow:
        smallest, largest = 1, LARGEST_SLOW_BLOCK
    else:
        smallest = max(largest // SMALLEST_PART, min(largest, pixels // MAX_BLOCKS))
    return max(smallest, min(largest, pixels // (ranks * BLOCKS_PER_RANK)))


class WorkQueue:
    """Blocks that wait, handed out in runs that get shorter towards the end.

    A rank that asks gets neighbouring blocks worth half its share of what is left, or one block
    where ranks are not alike and its speed is not known yet: large runs first, which are read
    at once, small ones last, so that all ranks end together (guided self-scheduling). Whatever
    is given to whom, results are the same.

    Parameters
    ----------
    costs : sequence of float
        Of the blocks, in order.
    tops : sequence of (int, int)
        First row and last + 1 of each block.
    ranks : int
    most_rows : int
        Maximum rows that may be read at once.
    alike : bool
        Ranks count as equally fast until their speeds are known.
    at_once : bool
        Give each rank all its share at once, as if all were equally fast: for files that are
        unpacked as a whole for every reading.
    """

    def __init__(
        self,
        costs: Sequence[float] | Floats,
        tops: Sequence[tuple[int, int]],
        ranks: int,
        *,
        most_rows: int,
        alike: bool = False,
        at_once: bool = False,
    ) -> None:
        self._costs = np.asarray(costs, np.float64)
        self._tops = tops
        self._most_rows = most_rows
        self._alike = alike
        self._at_once = at_once
        self._next = 0
        self._busy = np.zeros(ranks)
        self._cost_done = np.zeros(ranks)
        self._seconds = np.zeros(ranks)

    def take(self, rank: int) -> range | None:
        """Return the blocks that a rank shall do next, or None if it is done."""
        if self._next >= len(self._costs) or self._better_left(rank):
            return None
        share = self._share(rank)
        first, cost = self._next, 0.0
        while self._next < len(self._costs) and self._fits(first, cost, share):
            cost += float(self._costs[self._next])
            self._next += 1
        self._busy[rank] += cost
        return range(first, self._next)

    def done(self, rank: int, number: int, seconds: float) -> None:
        """Note that a rank has done a block, and how long it took."""
        cost = float(self._costs[number])
        self._busy[rank] -= cost
        self._cost_done[rank] += cost
        self._seconds[rank] += seconds

    def _share(self, rank: int) -> float:
        if self._at_once:
            return float(self._costs.sum()) / self._busy.size
        if self._seconds[rank] == 0 and not self._alike:
            return 0.0
        speeds = self._speeds()
        return float(self._costs[self._next :].sum() * speeds[rank] / speeds.sum()) / 2

    def _fits(self, first: int, cost: float, share: float) -> bool:
        if self._next == first:
            return True
        more = float(self._costs[self._next])
        rows = self._tops[self._next][1] - self._tops[first][0]
        return cost + more / 2 <= share and rows <= self._most_rows

    def _speeds(self) -> Floats:
        """Return cost by second of each rank; the mean where it was not measured yet."""
        known = self._seconds > 0
        if not known.any():
            return np.ones(self._busy.size)
        measured = self._cost_done[known] / self._seconds[known]
        speeds = np.full(self._busy.size, measured.mean())
        speeds[known] = measured
        return speeds

    def _better_left(self, rank: int) -> bool:
        """Return whether much faster ranks will have done all before this one did a block."""
        speeds = self._speeds()
        if self._seconds[rank] == 0 or 2 * speeds[rank] > speeds.max():
            return False
        others = np.arange(speeds.size) != rank
        left = self._costs[self._next :].sum() + self._busy[others].sum()
        alone = (self._costs[self._next] + self._busy[rank]) / speeds[rank]
        return bool(alone > left / speeds[others].sum())
