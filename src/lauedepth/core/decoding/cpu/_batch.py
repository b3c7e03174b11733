"""Compiled: a range of pixels, one after the other, in scratch of its own."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.cpu._bins import set_supports, solve_bins, widen_bins
from lauedepth.core.decoding.cpu._fit import fill_weights, fit_boxes
from lauedepth.core.decoding.cpu._pixel import (
    AMBIGUOUS,
    DECODED,
    NO_MATCH,
    explain,
    fill_gaps,
    refit_clear,
    scale_of,
    set_box,
    set_sources,
    significant,
    unexplained,
)
from lauedepth.core.decoding.cpu._search import OUTSIDE, prepare_search, run_search, search_size
from lauedepth.core.decoding.cpu._shadow import (
    OPAQUE,
    build_integral,
    build_knots,
    ray_line,
    window_of,
)
from lauedepth.core.decoding.cpu._types import (
    Array,
    Fit,
    Size,
    Space,
    View,
    Work,
    copy_fit,
    new_fit,
    new_space,
    new_work,
)
from lauedepth.core.decoding.pixels import PixelStatus

DARK = int(PixelStatus.DARK)
INVALID = int(PixelStatus.INVALID)
MISSED = int(PixelStatus.OUTSIDE)


class Problem(NamedTuple):
    """What all pixels have in common.

    `geometry` holds the aperture's centre (code, normal), its step, the beam's direction,
    half the code's length and the thickness; `depths` (start, stop) in µm; `bins` (start,
    width) in µm; `background` is NaN where it is not known.
    """

    bar_knots: Array
    bar_running: Array
    geometry: Array
    depths: Array
    bins: Array
    candidates: int
    with_energy: bool
    background: float


class AnswerArrays(NamedTuple):
    """The arrays of `core.answers.Answers`."""

    status: Array
    background: Array
    residual: Array
    absorption: Array
    absorption_error: Array
    depth_um: Array
    depth_error_um: Array
    width_um: Array
    bins: Array
    footprint: Array


@njit(cache=True, nogil=True)
def decode_range(
    begin: int, end: int, counts: Array, pixels: Array, problem: Problem, answers: AnswerArrays
) -> None:
    """Decode the pixels from begin to end.

    Parameters
    ----------
    counts : (n, n_frames) float32 array
        NaN where nothing was measured.
    pixels : (n, 3) array
        Pixels along the aperture's axes, mm.
    problem : Problem
    answers : AnswerArrays
    """
    total = counts.shape[1]
    bins = answers.footprint.shape[1]
    knots = np.empty(2 * problem.bar_knots.size + 2)
    bars, rises, integral = np.empty_like(knots), np.empty_like(knots), np.empty_like(knots)
    mask, measured = np.empty(total), np.empty(total)
    space = new_space(total, problem.candidates, OUTSIDE, limits.CANDIDATES)
    work = new_work(total, knots.size, bins)
    fits = (new_fit(total), new_fit(total), new_fit(total), new_fit(total))
    for index in range(begin, end):
        count = 0
        for k in range(total):
            good = not math.isnan(counts[index, k])
            mask[k] = 1.0 if good else 0.0
            measured[k] = counts[index, k] if good else 0.0
            count += good
        if count < max(limits.LEAST_FRAMES, limits.LEAST_USABLE * total):
            answers.status[index] = INVALID
            continue
        view = View(knots, bars, rises, integral, pixels[index], problem.geometry, mask, count)
        answers.status[index] = _decode_one(
            index, view, measured, problem, space, work, fits, answers
        )


@njit(cache=True, nogil=True, error_model="numpy")
def _decode_one(
    index: int,
    view: View,
    counts: Array,
    problem: Problem,
    space: Space,
    work: Work,
    fits: tuple[Fit, ...],
    answers: AnswerArrays,
) -> int:
    """Decode one trace; return its status."""
    level = counts.sum() / view.measured
    if not level > 0.0:
        return DARK
    spread = 0.0
    for k in range(counts.size):
        spread += view.mask[k] * (counts[k] - level) ** 2
    middle = 0.5 * (problem.depths[0] + problem.depths[1])
    build_knots(
        problem.bar_knots, problem.bar_running,
        window_of(view.pixel, view.geometry, middle), view.knots, view.bars, view.rises,
    )  # fmt: skip
    build_integral(view.knots, view.bars, view.rises, OPAQUE, view.integral)
    if _misses_code(view, problem):
        return MISSED
    size = _set_search(view, problem, middle, space)
    fill_gaps(counts, view.mask, space.filled)
    hits = run_search(size, space, limits.CANDIDATES)
    if hits == 0 or not significant(space.found[0, 2], spread, level, view.measured - 2):
        answers.background[index] = level
        return DARK
    best = fits[0]
    rivalled = _fit_places(view, counts, hits, space, fits, work)
    single = best.state[0]
    absorption = explain(view, counts, level, size, best, fits[1:], space, work)
    changed = best.state[0] != single or best.state[2] != 1
    answers.background[index] = best.theta[3 * int(best.state[2])]
    flat = spread / level
    if unexplained(best.state[0], flat, view.measured):
        return NO_MATCH
    if rivalled and not changed:
        return AMBIGUOUS
    status = _solve(index, view, absorption, counts, flat, problem, best, work, answers)
    if problem.with_energy and status == DECODED and math.isnan(answers.depth_um[index, 1]):
        refit_clear(view, counts, best, problem.background, fits[2], work)
        boxes = int(best.state[2])
        answers.absorption[index] = math.exp(fits[2].theta[3 * boxes + 1])
        answers.absorption_error[index] = math.sqrt(fits[2].variance[3 * boxes + 1])
    return status


@njit(cache=True, nogil=True, error_model="numpy")
def _misses_code(view: View, problem: Problem) -> bool:
    """Tell whether the rays pass beside the code in every frame."""
    least, most = np.inf, -np.inf
    for depth in problem.depths:
        a, b = ray_line(view.pixel, view.geometry, depth)
        for u in (a, a + b * (view.mask.size - 1)):
            least, most = min(least, u), max(most, u)
    return most < problem.bar_knots[0] or least > problem.bar_knots[-1]


@njit(cache=True, nogil=True, error_model="numpy")
def _set_search(view: View, problem: Problem, middle: float, space: Space) -> Size:
    """Prepare the search of a pixel; return its size."""
    first = ray_line(view.pixel, view.geometry, problem.depths[0])[0]
    last = ray_line(view.pixel, view.geometry, problem.depths[1])[0]
    advance = ray_line(view.pixel, view.geometry, middle)[1]
    size = search_size(first, last, advance, view.mask.size)
    start = min(first, last) if advance > 0.0 else max(first, last)
    prepare_search(view, start, advance, size, space)
    space.line[0], space.line[1] = start, advance * size[0]
    return size


@njit(cache=True, nogil=True, error_model="numpy")
def _fit_places(
    view: View, counts: Array, hits: int, space: Space, fits: tuple[Fit, ...], work: Work
) -> bool:
    """Fit the places found, the best into `fits[0]`; True if another fits about as well."""
    best, trial = fits[0], fits[3]
    chi_squares = np.full(hits, np.inf)
    centres = np.empty(hits)
    widths = np.empty(hits)
    chosen = -1
    for place in range(hits):
        if space.found[place, 2] < limits.CANDIDATE_SCORE * space.found[0, 2]:
            continue
        set_box(view, space, place, trial.theta, 0)
        fit_boxes(view, OPAQUE, counts, trial, 1, False, np.nan, work)
        chi_squares[place] = trial.state[0]
        centres[place], widths[place] = trial.theta[0], trial.theta[1]
        if chosen < 0 or trial.state[0] < chi_squares[chosen]:
            chosen = place
            copy_fit(trial, best)
    for place in range(hits):
        if place == chosen or chi_squares[place] == np.inf:
            continue
        near = chi_squares[place] - chi_squares[chosen] < limits.DISTINCT * scale_of(best)
        apart = abs(centres[place] - centres[chosen])
        if near and apart > 0.5 * (widths[place] + widths[chosen]):
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _solve(
    index: int,
    view: View,
    absorption: float,
    counts: Array,
    flat: float,
    problem: Problem,
    fit: Fit,
    work: Work,
    answers: AnswerArrays,
) -> int:
    """Solve the footprint on the fit's bounds, and on wider ones where the trace gains."""
    scale = scale_of(fit)
    bin_count = answers.footprint.shape[1]
    sources = np.empty((2, 4))
    supports = np.zeros((2, 2), np.int64)
    number_of = set_sources(fit, sources)
    fill_weights(fit.expected, view.mask, work.weights)
    set_supports(sources, number_of, problem.bins, bin_count, supports)
    chi_square = solve_bins(view, absorption, counts, problem.bins, supports, number_of, work)
    if number_of == 1:
        least_gain = limits.DISTINCT * scale
        chi_square = widen_bins(
            view, absorption, counts, problem.bins, bin_count, least_gain, chi_square,
            supports[0], work,
        )  # fmt: skip
    size = supports[0, 1] + (supports[1, 1] if number_of == 2 else 0)
    shaped = fit.state[0] - chi_square > scale * (size + limits.SHAPE * math.sqrt(2.0 * size))
    answers.background[index] = work.values[size] if shaped else fit.theta[3 * int(fit.state[2])]
    if unexplained(chi_square, flat, view.measured):
        return NO_MATCH
    answers.residual[index] = chi_square / fit.state[1]
    return _record(
        index, sources, supports, number_of, shaped, scale, problem.bins, work.values, answers
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _record(
    index: int,
    sources: Array,
    supports: Array,
    number_of: int,
    shaped: bool,
    scale: float,
    bins: Array,
    values: Array,
    answers: AnswerArrays,
) -> int:
    """Write down a solved pixel, the stronger depth first; return its status."""
    totals = np.zeros(2)
    moments = np.zeros(2)
    at = 0
    for number in range(number_of):
        first, count = supports[number]
        for inner in range(count):
            value = values[at + inner]
            totals[number] += value
            moments[number] += value * (bins[0] + bins[1] * (first + inner + 0.5))
            answers.footprint[index, first + inner] = value
        at += count
    row = 0
    leader = 1 if number_of == 2 and totals[1] > totals[0] else 0
    for number in (leader, 1 - leader):
        if not totals[number] > 0.0:
            continue
        begin, end, centroid, variance = sources[number]
        answers.depth_um[index, row] = moments[number] / totals[number] if shaped else centroid
        answers.depth_error_um[index, row] = math.sqrt(variance * scale)
        answers.width_um[index, row] = end - begin
        answers.bins[index, row, 0] = supports[number, 0]
        answers.bins[index, row, 1] = supports[number, 1]
        row += 1
    return DECODED if row > 0 else NO_MATCH
