"""Pixels one after the other, in scratch of their own."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.compiled.centroid import set_boxes, set_equations, weigh_shapes
from lauedepth.core.decoding.compiled.decisions import (
    has_rival,
    judge,
    scale_of,
    set_box,
    significant,
    too_few,
    unexplained,
)
from lauedepth.core.decoding.compiled.footprint import (
    bins_of,
    set_depths,
    set_sources,
    set_supports,
)
from lauedepth.core.decoding.compiled.jit import compiled
from lauedepth.core.decoding.compiled.linear import cholesky
from lauedepth.core.decoding.compiled.problem import Problem
from lauedepth.core.decoding.compiled.rays import (
    OPAQUE,
    crosses_edges,
    middle_of,
    misses_code,
    search_line,
    window_of,
)
from lauedepth.core.decoding.compiled.types import (
    BACKGROUND,
    BOX,
    BOXES,
    CENTRE,
    CHI_SQUARE,
    COUNT,
    DARK,
    DECODED,
    FIRST,
    FREEDOM,
    INVALID,
    LOG_ABSORPTION,
    NARROWING,
    NO_MATCH,
    OUTSIDE_CODE,
    SCORE,
    SOURCE,
    START,
    STEP,
    WIDTH,
    Array,
    Fit,
    Size,
)
from lauedepth.core.decoding.cpu._bins import solve_bins, widen_bins
from lauedepth.core.decoding.cpu._fit import fill_weights, fit_boxes
from lauedepth.core.decoding.cpu._pixel import copy_measured, explain, refit_transparent
from lauedepth.core.decoding.cpu._search import prepare_search, run_search
from lauedepth.core.decoding.cpu._shadow import build_integral, build_knots
from lauedepth.core.decoding.cpu._types import (
    Space,
    View,
    Work,
    copy_fit,
    new_fit,
    new_space,
    new_work,
)


class AnswerArrays(NamedTuple):
    """The arrays of `Answers`."""

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


@compiled
def decode_pixels(
    counts: Array, pixels: Array, background: Array, problem: Problem, answers: AnswerArrays
) -> None:
    """Decode pixels one after the other.

    Parameters
    ----------
    counts : (n, n_frames) float32 array
        NaN where nothing was measured.
    pixels : (n, 3) array
        Pixels along the aperture's axes, mm.
    background : (n,) array
        Counts per frame; NaN where it is not known, and then no absorption is found.
    problem : Problem
    answers : AnswerArrays
    """
    pixel_count, total = counts.shape
    bins = answers.footprint.shape[1]
    knots = np.empty(2 * problem.bar_knots.size + 2)
    bars, rises, integral = np.empty_like(knots), np.empty_like(knots), np.empty_like(knots)
    mask, measured = np.empty(total), np.empty(total)
    positions = problem.positions[:0] if problem.is_even else problem.positions
    space = new_space(total, problem.candidates)
    work = new_work(total, knots.size, bins)
    fits = (new_fit(total), new_fit(total), new_fit(total), new_fit(total))
    for index in range(pixel_count):
        count = 0
        for k in range(total):
            good = not math.isnan(counts[index, k])
            mask[k] = problem.beam[k] if good else 0.0
            measured[k] = counts[index, k] / problem.beam[k] if good else 0.0
            count += good
        if too_few(count, total):
            answers.status[index] = INVALID
            continue
        view = View(
            knots, bars, rises, integral, pixels[index], problem.geometry, mask, positions, count
        )  # fmt: skip
        answers.status[index] = _decode_one(
            index, view, measured, background[index], problem, space, work, fits, answers
        )


@compiled
def _decode_one(
    index: int,
    view: View,
    counts: Array,
    background: float,
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
    middle = middle_of(problem.depths)
    build_knots(
        problem.bar_knots, problem.bar_running,
        window_of(view.pixel, view.geometry, middle), view.knots, view.bars, view.rises,
    )  # fmt: skip
    build_integral(view.knots, view.bars, view.rises, OPAQUE, view.integral)
    knots = problem.bar_knots
    if misses_code(
        view.pixel, view.geometry, problem.depths, counts.size, knots[0], knots[knots.size - 1]
    ):
        return OUTSIDE_CODE
    size = set_search(view, problem, space)
    copy_measured(counts, view.mask, space.filled)
    hits = run_search(size, space, limits.CANDIDATES)
    if hits == 0 or not significant(space.found[0, SCORE], spread, level, view.measured - 2):
        answers.background[index] = level
        return DARK
    best = fits[0]
    rivalled = _fit_candidates(view, counts, hits, space, fits, work)
    single = best.state[CHI_SQUARE]
    absorption = explain(view, counts, level, size, best, fits[1:], problem, space, work)
    boxes = int(best.state[BOXES])
    answers.background[index] = best.theta[BOX * boxes + BACKGROUND]
    flat = spread / level
    status = judge(best.state[CHI_SQUARE], boxes, single, rivalled, flat, view.measured)
    if status != DECODED:
        return status
    if not crosses_edges(view.pixel, view.geometry, counts.size, best.theta[CENTRE], knots):
        return OUTSIDE_CODE
    status = _solve(index, view, absorption, counts, flat, problem, best, work, answers)
    single_depth = status == DECODED and math.isnan(answers.depth_um[index, 1])
    if problem.with_energy and single_depth and not math.isnan(background):
        refit_transparent(view, counts, best, background, fits[2], work)
        at = BOX * boxes + LOG_ABSORPTION
        answers.absorption[index] = math.exp(fits[2].theta[at])
        answers.absorption_error[index] = math.sqrt(fits[2].variance[at])
    return status


@compiled
def set_search(view: View, problem: Problem, space: Space) -> Size:
    """Prepare the search of a pixel; return its size."""
    start, advance, size = search_line(view.pixel, view.geometry, problem.depths, view.mask.size)
    prepare_search(view, start, advance, size, space)
    space.line[START], space.line[STEP] = start, advance * size[0]
    return size


@compiled
def _fit_candidates(
    view: View, counts: Array, hits: int, space: Space, fits: tuple[Fit, ...], work: Work
) -> bool:
    """Fit the places found, the best into `fits[0]`; True if another fits about as well."""
    best, trial = fits[0], fits[3]
    chi_squares = np.full(hits, np.inf)
    centres = np.empty(hits)
    widths = np.empty(hits)
    chosen = -1
    for place in range(hits):
        if space.found[place, SCORE] < limits.CANDIDATE_SCORE * space.found[0, SCORE]:
            continue
        set_box(view.pixel, view.geometry, space.line, space.found[place], trial.theta, 0)
        fit_boxes(view, OPAQUE, counts, trial, 1, False, np.nan, work)
        chi_squares[place] = trial.state[CHI_SQUARE]
        centres[place], widths[place] = trial.theta[CENTRE], trial.theta[WIDTH]
        if chosen < 0 or chi_squares[place] < chi_squares[chosen]:
            chosen = place
            copy_fit(trial, best)
    return has_rival(chi_squares, centres, widths, hits, chosen, scale_of(best))


@compiled
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
    sources = np.empty((2, SOURCE))
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
    if unexplained(chi_square, flat, view.measured):
        return NO_MATCH
    chi_square, answers.background[index] = _locate(
        counts, sources, supports, number_of, problem.bins, fit, work
    )
    answers.residual[index] = chi_square / fit.state[FREEDOM]
    return _record(index, sources, supports, number_of, work.values, answers)


@compiled
def _locate(
    counts: Array,
    sources: Array,
    supports: Array,
    number_of: int,
    bins: Array,
    fit: Fit,
    work: Work,
) -> tuple[float, float]:
    """Find the sources' centroids, whatever their shape; return chi-square and background."""
    size = bins_of(supports, number_of) + 1
    background = fit.theta[BOX * int(fit.state[BOXES]) + BACKGROUND]
    set_boxes(sources, supports, number_of, bins, background, work.before, work.stiffness)
    set_equations(
        work.gram, work.moments, work.order, supports, number_of, work.before, work.stiffness,
        work.factor, work.push, 0, 1,
    )  # fmt: skip
    if not cholesky(work.factor, size):
        return fit.state[CHI_SQUARE], background
    norm = 0.0
    for k in range(counts.size):
        norm += work.weights[k] * counts[k] ** 2
    last = work.order[size - 1]
    return weigh_shapes(
        sources, supports, number_of, bins, work.moments, work.order, work.gram[last, last],
        work.before, work.stiffness, work.factor, work.push, work.step, norm,
        fit.state[CHI_SQUARE], fit.state[FREEDOM], fit.state[NARROWING],
    )  # fmt: skip


@compiled
def _record(
    index: int,
    sources: Array,
    supports: Array,
    number_of: int,
    values: Array,
    answers: AnswerArrays,
) -> int:
    """Write a solved pixel into the answers; return its status."""
    at = 0
    for number in range(number_of):
        first, count = supports[number]
        for inner in range(count):
            answers.footprint[index, first + inner] = values[at + inner]
        at += count
    leaders = np.empty(2, np.int64)
    depths = set_depths(
        sources, supports, number_of, values, answers.depth_um[index],
        answers.depth_error_um[index], answers.width_um[index], leaders,
    )  # fmt: skip
    for row in range(depths):
        answers.bins[index, row, FIRST] = supports[leaders[row], FIRST]
        answers.bins[index, row, COUNT] = supports[leaders[row], COUNT]
    return DECODED if depths > 0 else NO_MATCH
