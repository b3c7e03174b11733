"""The footprint in bins of depth, as in `reference.footprint_bins`."""

from __future__ import annotations

import numpy as np

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.compiled.footprint import widen
from lauedepth.core.decoding.compiled.jit import compiled
from lauedepth.core.decoding.compiled.types import Array
from lauedepth.core.decoding.cpu._fit import fill_bins, least_squares
from lauedepth.core.decoding.cpu._types import View, Work

BACKGROUND_ROW = -1
"""Stands for the background among the bins of a solution."""


@compiled
def solve_bins(
    view: View,
    absorption: float,
    counts: Array,
    bins: Array,
    supports: Array,
    boxes: int,
    work: Work,
) -> float:
    """Solve the footprint on the supports; return chi-square, values in `work.values`."""
    size = 0
    for number in range(boxes):
        first, count = supports[number]
        fill_bins(
            view, absorption, bins[0] + bins[1] * first, bins[1], work.slopes[size:], count, work
        )
        size += count
    work.slopes[size, :] = 1.0
    for row in range(size + 1):
        work.order[row] = row
    return least_squares(size + 1, counts, work, 0)


@compiled
def widen_bins(
    view: View,
    absorption: float,
    counts: Array,
    bins: Array,
    bins_count: int,
    least_gain: float,
    chi_square: float,
    support: Array,
    work: Work,
) -> float:
    """Grow a solved support while the trace gains by it; return chi-square.

    New bins are appended to the rows that are there, and each solution starts from the one
    before: only what is new is computed. `support` and `work.values` are replaced.
    """
    size = support[1] + 1
    held = np.empty(work.values.size, np.int64)
    held[: size - 1] = support[0] + np.arange(size - 1)
    held[size - 1] = BACKGROUND_ROW
    ordered, solved = work.values.copy(), work.values.copy()
    wider = np.zeros(2, np.int64)
    for _ in range(limits.WIDENINGS):
        if not widen(bins_count, support, ordered, wider):
            break
        grown = append_bins(view, absorption, bins, support, wider, held, size, work)
        work.values[:size] = solved[:size]
        work.values[size:grown] = 0.0
        trial = least_squares(grown, counts, work, size)
        if chi_square - trial < least_gain:
            break
        chi_square, size = trial, grown
        support[:] = wider
        solved[:size] = work.values[:size]
        put_in_order(solved, held, size, support, ordered, work.order)
    work.values[:] = ordered
    return chi_square


@compiled
def append_bins(
    view: View,
    absorption: float,
    bins: Array,
    support: Array,
    wider: Array,
    held: Array,
    size: int,
    work: Work,
) -> int:
    """Fill in rows for the bins by which a support grows; return how many rows there are."""
    stop = support[0] + support[1]
    ends = ((wider[0], support[0] - wider[0]), (stop, wider[0] + wider[1] - stop))
    for first, count in ends:
        fill_bins(
            view, absorption, bins[0] + bins[1] * first, bins[1], work.slopes[size:], count, work
        )
        held[size : size + count] = first + np.arange(count)
        size += count
    return size


@compiled
def put_in_order(
    values: Array, held: Array, size: int, support: Array, ordered: Array, order: Array
) -> None:
    """Fill in values bin by bin, the background last, and which row each was."""
    for row in range(size):
        at = size - 1 if held[row] == BACKGROUND_ROW else held[row] - support[0]
        ordered[at] = values[row]
        order[at] = row
