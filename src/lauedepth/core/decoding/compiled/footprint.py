"""Decisions about footprints: where they lie, whether they have a shape, which depths they give."""

from __future__ import annotations

import math

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.compiled.decisions import are_apart, scale_of
from lauedepth.core.decoding.compiled.jit import compiled
from lauedepth.core.decoding.compiled.types import (
    BEGIN,
    BOX,
    BOXES,
    CENTRE,
    CENTROID,
    CENTROID_VARIANCE,
    COUNT,
    END,
    FIRST,
    INTENSITY,
    TOTAL,
    VARIANCE,
    WIDTH,
    Array,
    Fit,
)


@compiled
def set_sources(fit: Fit, sources: Array) -> int:
    """Fill in (begin, end, centroid, variance, light) of each stretch of depth; return how many.

    Boxes that touch are one. Where boxes leave more than counting noise, variances are larger by
    as much.
    """
    theta = fit.theta
    boxes = int(fit.state[BOXES])
    for number in range(boxes):
        centre, half = theta[BOX * number + CENTRE], 0.5 * theta[BOX * number + WIDTH]
        sources[number, BEGIN], sources[number, END] = centre - half, centre + half
        sources[number, CENTROID] = centre
        sources[number, VARIANCE] = scale_of(fit) * fit.variance[BOX * number + CENTRE]
        sources[number, TOTAL] = theta[BOX * number + INTENSITY]
    if boxes == 1:
        return 1
    if are_apart(fit):
        return 2
    first, second = theta[INTENSITY], theta[BOX + INTENSITY]
    sources[0, BEGIN] = min(sources[0, BEGIN], sources[1, BEGIN])
    sources[0, END] = max(sources[0, END], sources[1, END])
    sources[0, CENTROID] = (first * theta[CENTRE] + second * theta[BOX + CENTRE]) / (first + second)
    sources[0, VARIANCE] = scale_of(fit) * fit.state[CENTROID_VARIANCE]
    sources[0, TOTAL] = first + second
    return 1


@compiled
def cover(begin_um: float, end_um: float, bins: Array, count: int) -> tuple[int, int]:
    """Return (first, count) of the bins that a stretch of depth touches, at least one."""
    first = math.floor((begin_um - bins[0]) / bins[1])
    stop = math.ceil((end_um - bins[0]) / bins[1])
    first = min(max(first, 0), count - 1)
    return first, max(min(stop, count) - first, 1)


@compiled
def set_supports(
    sources: Array, number_of: int, bins: Array, bins_count: int, supports: Array
) -> None:
    """Fill in (first, count) of the bins of each source with a margin, kept apart."""
    low = 0 if number_of == 1 or sources[0, BEGIN] <= sources[1, BEGIN] else 1
    high = 1 - low
    for number in range(number_of):
        begin, end = sources[number, BEGIN], sources[number, END]
        margin = max(limits.MARGIN_UM, limits.MARGIN_PART * (end - begin))
        begin, end = begin - margin, end + margin
        if number_of == 2:
            middle = 0.5 * (sources[low, END] + sources[high, BEGIN])
            if number == low:
                end = min(end, middle)
            else:
                begin = max(begin, middle)
        first, count = cover(begin, end, bins, bins_count)
        supports[number, FIRST], supports[number, COUNT] = first, count
    if number_of == 2:
        shared = max(0, supports[low, FIRST] + supports[low, COUNT] - supports[high, FIRST])
        supports[high, FIRST] += shared
        supports[high, COUNT] -= shared


@compiled
def bins_of(supports: Array, number_of: int) -> int:
    """Return how many bins there are on one or two supports."""
    return int(supports[0, COUNT] + (supports[1, COUNT] if number_of == 2 else 0))


@compiled
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


@compiled
def set_depths(
    sources: Array,
    supports: Array,
    number_of: int,
    values: Array,
    depth_um: Array,
    error_um: Array,
    width_um: Array,
    leaders: Array,
) -> int:
    """Fill in depth, error and width of each source that holds light, the stronger first.

    Parameters
    ----------
    sources : (2, 5) array
    supports : (2, 2) array
    number_of : int
        Sources.
    values : array
        Footprints one behind the other.
    depth_um, error_um, width_um, leaders : (2,) arrays
        Filled in; `leaders` with the number of the source of each depth.

    Returns
    -------
    int
        How many depths there are.
    """
    behind = supports[0, COUNT]
    first_total = _total(values, 0, behind)
    second_total = _total(values, behind, supports[1, COUNT]) if number_of == 2 else 0.0
    leader = 1 if second_total > first_total else 0
    depths = 0
    for turn in range(number_of):
        number = leader if turn == 0 else 1 - leader
        total = first_total if number == 0 else second_total
        if not total > 0.0:
            continue
        depth_um[depths] = sources[number, CENTROID]
        error_um[depths] = math.sqrt(sources[number, VARIANCE])
        width_um[depths] = sources[number, END] - sources[number, BEGIN]
        leaders[depths] = number
        depths += 1
    return depths


@compiled
def _total(values: Array, begin: int, count: int) -> float:
    total = 0.0
    for at in range(begin, begin + count):
        total += values[at]
    return total
