"""Compiled: one pixel from trace to answer, the same steps as `backends.reference`."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.cpu._fit import fit_boxes
from lauedepth.core.decoding.cpu._search import run_search
from lauedepth.core.decoding.cpu._shadow import OPAQUE, build_integral, depth_of
from lauedepth.core.decoding.cpu._types import Array, Fit, Size, Space, View, Work, copy_fit
from lauedepth.core.decoding.pixels import PixelStatus

DECODED = int(PixelStatus.DECODED)
NO_MATCH = int(PixelStatus.NO_MATCH)
AMBIGUOUS = int(PixelStatus.AMBIGUOUS)

LOG_START = math.log(limits.ABSORPTION_START)


@njit(cache=True, nogil=True, error_model="numpy")
def significant(score: float, spread: float, level: float, freedom: float) -> bool:
    """Tell whether a match stands out of the counting noise and of the trace's own scatter."""
    against_scatter = freedom * score / max(spread - score, 1e-9 * spread)
    return min(score / level, against_scatter) > limits.DETECTION


@njit(cache=True, nogil=True, error_model="numpy")
def scale_of(fit: Fit) -> float:
    """Return chi-square per degree of freedom where it exceeds one: model error as noise."""
    return max(1.0, fit.state[0] / fit.state[1])


@njit(cache=True, nogil=True, error_model="numpy")
def misfits(fit: Fit) -> bool:
    """Tell whether a fit leaves more than counting noise."""
    return fit.state[0] > fit.state[1] + limits.MISFIT * math.sqrt(2.0 * fit.state[1])


@njit(cache=True, nogil=True, error_model="numpy")
def both_matter(fit: Fit) -> bool:
    """Tell whether no box is negligible; a single one is not."""
    if fit.state[2] == 1:
        return True
    low, high = min(fit.theta[2], fit.theta[5]), max(fit.theta[2], fit.theta[5])
    return low > limits.SECOND_INTENSITY * high


@njit(cache=True, nogil=True, error_model="numpy")
def set_box(view: View, space: Space, place: int, theta: Array, number: int) -> None:
    """Turn a place that the search found into a stretch of depth."""
    position = space.line[0] + space.line[1] * space.found[place, 0]
    half = 0.5 * space.found[place, 1] * abs(space.line[1])
    one = depth_of(view.pixel, view.geometry, position - half)
    two = depth_of(view.pixel, view.geometry, position + half)
    theta[3 * number] = 0.5 * (one + two)
    theta[3 * number + 1] = abs(two - one)


@njit(cache=True, nogil=True, error_model="numpy")
def fill_gaps(values: Array, mask: Array, filled: Array) -> None:
    """Copy measured values, and fill in lost ones from their neighbours."""
    last = -1
    for k in range(mask.size):
        if mask[k] == 0.0:
            continue
        filled[k] = values[k]
        for gap in range(last + 1, k):
            part = (gap - last) / (k - last)
            before = values[k] if last < 0 else values[last]
            filled[gap] = before + part * (values[k] - before)
        last = k
    for gap in range(last + 1, mask.size):
        filled[gap] = values[last]


@njit(cache=True, nogil=True, error_model="numpy")
def add_second(
    view: View,
    absorption: float,
    counts: Array,
    level: float,
    size: Size,
    single: Fit,
    pair: Fit,
    trial: Fit,
    space: Space,
    work: Work,
) -> bool:
    """Look for a second depth beside a single box; True where `pair` holds a better fit."""
    bad = misfits(single)
    for k in range(counts.size):
        work.scaled[k] = counts[k] - single.expected[k]
    fill_gaps(work.scaled, view.mask, space.filled)
    hits = run_search(size, space, limits.CANDIDATES if bad else 1)
    lowest = np.inf
    for number in range(hits + (1 if bad else 0)):
        theta = trial.theta
        theta[0], theta[1] = single.theta[0], single.theta[1]
        if number < hits:
            spread = single.state[0] * level
            if not significant(space.found[number, 2], spread, level, single.state[1]):
                continue
            set_box(view, space, number, theta, 1)
        else:
            quarter = 0.25 * single.theta[1]
            theta[0], theta[1] = single.theta[0] - quarter, quarter
            theta[3], theta[4] = single.theta[0] + quarter, quarter
        fit_boxes(view, absorption, counts, trial, 2, False, np.nan, work)
        enough = single.state[0] - trial.state[0] > limits.DETECTION * scale_of(trial)
        if trial.state[0] < lowest and enough and both_matter(trial):
            lowest = trial.state[0]
            copy_fit(trial, pair)
    return lowest < np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def refit_clear(
    view: View, counts: Array, source: Fit, background: float, clear: Fit, work: Work
) -> None:
    """Refit boxes with bars of finite absorption."""
    boxes = int(source.state[2])
    clear.theta[:] = source.theta
    clear.theta[3 * boxes + 1] = LOG_START
    fit_boxes(view, OPAQUE, counts, clear, boxes, True, background, work)


@njit(cache=True, nogil=True, error_model="numpy")
def explain(
    view: View,
    counts: Array,
    level: float,
    size: Size,
    best: Fit,
    fits: tuple[Fit, ...],
    space: Space,
    work: Work,
) -> float:
    """Add a second depth, or bars that let light through, where the trace asks for it.

    `best` holds a single box and is replaced; the law chosen is returned, and the view's
    integral is that law's.
    """
    single, clear, trial = fits
    copy_fit(best, single)
    paired = add_second(view, OPAQUE, counts, level, size, single, best, trial, space, work)
    if not paired and not misfits(single):
        return OPAQUE
    refit_clear(view, counts, single, np.nan, clear, work)
    if clear.state[0] > best.state[0] and misfits(best):
        refit_clear(view, counts, best, np.nan, clear, work)
    if clear.state[0] > best.state[0] or not both_matter(clear):
        return OPAQUE
    boxes = int(clear.state[2])
    absorption = math.exp(clear.theta[3 * boxes + 1])
    build_integral(view.knots, view.bars, view.rises, absorption, view.integral)
    copy_fit(clear, best)
    if boxes == 1:
        add_second(view, absorption, counts, level, size, clear, best, trial, space, work)
    return absorption


@njit(cache=True, nogil=True, error_model="numpy")
def unexplained(chi_square: float, flat: float, size: int) -> bool:
    """Tell whether the trace varies much more than counting, and the fit does not say why."""
    excess = flat - size
    return excess > limits.MISFIT * math.sqrt(2.0 * size) and (
        flat - chi_square < limits.EXPLAINED * excess
    )


@njit(cache=True, nogil=True, error_model="numpy")
def set_sources(fit: Fit, sources: Array) -> int:
    """Fill in (begin, end, centroid, variance) of each stretch of depth; return how many.

    Boxes that touch are one.
    """
    theta = fit.theta
    boxes = int(fit.state[2])
    for number in range(boxes):
        centre, half = theta[3 * number], 0.5 * theta[3 * number + 1]
        sources[number, 0], sources[number, 1] = centre - half, centre + half
        sources[number, 2], sources[number, 3] = centre, fit.variance[3 * number]
    if boxes == 1:
        return 1
    low = 0 if theta[0] <= theta[3] else 1
    if sources[1 - low, 0] - sources[low, 1] >= limits.LEAST_GAP_UM:
        return 2
    sources[0, 0] = min(sources[0, 0], sources[1, 0])
    sources[0, 1] = max(sources[0, 1], sources[1, 1])
    sources[0, 2] = (theta[2] * theta[0] + theta[5] * theta[3]) / (theta[2] + theta[5])
    sources[0, 3] = fit.state[3]
    return 1
