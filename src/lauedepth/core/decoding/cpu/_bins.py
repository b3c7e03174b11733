"""Compiled: the footprint in bins of depth (`core.bins`)."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.cpu._fit import fill_bins, least_squares
from lauedepth.core.decoding.cpu._types import Array, View, Work

BACKGROUND = -1
"""Stands for the background among the bins of a solution."""


@njit(cache=True, nogil=True, error_model="numpy")
def cover(begin_um: float, end_um: float, bins: Array, count: int) -> tuple[int, int]:
    """Return (first, count) of the bins that a stretch of depth touches, at least one."""
    first = math.floor((begin_um - bins[0]) / bins[1])
    stop = math.ceil((end_um - bins[0]) / bins[1])
    first = min(max(first, 0), count - 1)
    return first, max(min(stop, count) - first, 1)


@njit(cache=True, nogil=True, error_model="numpy")
def set_supports(
    sources: Array, number_of: int, bins: Array, bins_count: int, supports: Array
) -> None:
    """Fill in (first, count) of the bins of each source with a margin, kept apart."""
    spans = np.empty((2, 2))
    for number in range(number_of):
        begin, end = sources[number, 0], sources[number, 1]
        margin = max(limits.MARGIN_UM, limits.MARGIN_PART * (end - begin))
        spans[number, 0], spans[number, 1] = begin - margin, end + margin
    low = 0 if number_of == 1 or sources[0, 0] <= sources[1, 0] else 1
    high = 1 - low
    if number_of == 2:
        middle = 0.5 * (sources[low, 1] + sources[high, 0])
        spans[low, 1] = min(spans[low, 1], middle)
        spans[high, 0] = max(spans[high, 0], middle)
    for number in range(number_of):
        supports[number] = cover(spans[number, 0], spans[number, 1], bins, bins_count)
    if number_of == 2:
        shared = max(0, supports[low, 0] + supports[low, 1] - supports[high, 0])
        supports[high, 0] += shared
        supports[high, 1] -= shared


@njit(cache=True, nogil=True, error_model="numpy")
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
    return least_squares(size + 1, counts, work, 0)


@njit(cache=True, nogil=True, error_model="numpy")
def widen(bins_count: int, support: Array, values: Array, wider: Array) -> bool:
    """Fill in a support grown at the ends where the footprint has not fallen off."""
    first, count = support
    edge = 0.0
    for number in range(count):
        edge = max(edge, limits.EDGE_INTENSITY * values[number])
    grow = max(2, count // 4)
    begin = max(0, first - grow) if values[0] > edge else first
    stop = min(bins_count, first + count + grow) if values[count - 1] > edge else first + count
    wider[0], wider[1] = begin, stop - begin
    return begin != first or stop != first + count


@njit(cache=True, nogil=True, error_model="numpy")
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
    held[size - 1] = BACKGROUND
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
        put_in_order(solved, held, size, support, ordered)
    work.values[:] = ordered
    return chi_square


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def put_in_order(values: Array, held: Array, size: int, support: Array, ordered: Array) -> None:
    """Fill in values bin by bin, the background last."""
    for row in range(size):
        at = size - 1 if held[row] == BACKGROUND else held[row] - support[0]
        ordered[at] = values[row]
