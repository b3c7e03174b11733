"""Which boxes explain a trace, in the same steps as `reference.pixel`."""

from __future__ import annotations

import math

import numpy as np

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.compiled.decisions import (
    LOG_START,
    asks_for_one,
    asks_for_transparent,
    asks_for_transparent_pair,
    common_misfit,
    is_better_pair,
    misfits,
    set_box,
    set_halves,
    set_halves_of_both,
    significant,
    takes_one,
    takes_transparent,
)
from lauedepth.core.decoding.compiled.jit import compiled
from lauedepth.core.decoding.compiled.problem import Problem
from lauedepth.core.decoding.compiled.rays import OPAQUE, crosses_edges
from lauedepth.core.decoding.compiled.types import (
    BOX,
    BOXES,
    CENTRE,
    CHI_SQUARE,
    FREEDOM,
    LOG_ABSORPTION,
    SCORE,
    WIDTH,
    Array,
    Fit,
    Size,
)
from lauedepth.core.decoding.cpu._fit import fit_boxes
from lauedepth.core.decoding.cpu._search import run_search
from lauedepth.core.decoding.cpu._shadow import build_integral
from lauedepth.core.decoding.cpu._types import Space, View, Work, copy_fit


@compiled
def copy_measured(values: Array, mask: Array, filled: Array) -> None:
    """Copy measured values; lost ones become zero, and carry no weight."""
    for k in range(mask.size):
        filled[k] = values[k] if mask[k] != 0.0 else 0.0


@compiled
def add_second_box(
    view: View,
    absorption: float,
    counts: Array,
    level: float,
    size: Size,
    single: Fit,
    pair: Fit,
    trial: Fit,
    problem: Problem,
    space: Space,
    work: Work,
) -> None:
    """Look for a second depth beside a single box; `pair` is replaced by a better fit."""
    bad = misfits(single)
    common = common_misfit(
        single, absorption, level, view.pixel, view.geometry, problem.origin, problem.model_error
    )
    for k in range(counts.size):
        work.scaled[k] = counts[k] - single.expected[k]
    copy_measured(work.scaled, view.mask, space.filled)
    hits = run_search(size, space, limits.CANDIDATES if bad else 1)
    spread = single.state[CHI_SQUARE] * level
    lowest = np.inf
    for number in range(hits + (1 if bad else 0)):
        theta = trial.theta
        if number < hits:
            found = space.found[number]
            if not significant(found[SCORE], spread, level, single.state[FREEDOM]):
                continue
            theta[CENTRE], theta[WIDTH] = single.theta[CENTRE], single.theta[WIDTH]
            set_box(view.pixel, view.geometry, space.line, found, theta, 1)
            if not crosses_edges(
                view.pixel, view.geometry, counts.size, theta[BOX + CENTRE], problem.bar_knots
            ):
                continue
        else:
            set_halves(single.theta, theta)
        fit_boxes(view, absorption, counts, trial, 2, False, np.nan, work)
        if is_better_pair(single, trial, common, lowest):
            lowest = trial.state[CHI_SQUARE]
            copy_fit(trial, pair)


@compiled
def refit_transparent(
    view: View, counts: Array, source: Fit, background: float, transparent: Fit, work: Work
) -> None:
    """Refit boxes with bars of finite absorption."""
    boxes = int(source.state[BOXES])
    transparent.theta[:] = source.theta
    transparent.theta[BOX * boxes + LOG_ABSORPTION] = LOG_START
    fit_boxes(view, OPAQUE, counts, transparent, boxes, True, background, work)


@compiled
def explain(
    view: View,
    counts: Array,
    level: float,
    size: Size,
    best: Fit,
    fits: tuple[Fit, ...],
    problem: Problem,
    space: Space,
    work: Work,
) -> float:
    """Add a second depth, or bars that let light through, where the trace asks for it.

    `best` holds a single box and is replaced; the absorption chosen is returned, and the
    view's integral is of that one.
    """
    absorption = _add_depth(view, counts, level, size, best, fits, problem, space, work)
    if not asks_for_one(best):
        return absorption
    one = fits[1]
    set_halves_of_both(best.theta, one.theta)
    one.theta[2 * BOX + LOG_ABSORPTION] = LOG_START
    fit_boxes(view, OPAQUE, counts, one, 2, True, np.nan, work)
    return _take(view, one, best) if takes_one(best, one) else absorption


@compiled
def _take(view: View, transparent: Fit, best: Fit) -> float:
    """Replace the best fit by one with bars that let light through; return their absorption."""
    at = BOX * int(transparent.state[BOXES]) + LOG_ABSORPTION
    absorption = math.exp(transparent.theta[at])
    build_integral(view.knots, view.bars, view.rises, absorption, view.integral)
    copy_fit(transparent, best)
    return absorption


@compiled
def _add_depth(
    view: View,
    counts: Array,
    level: float,
    size: Size,
    best: Fit,
    fits: tuple[Fit, ...],
    problem: Problem,
    space: Space,
    work: Work,
) -> float:
    """Choose between one depth and two, and between bars that stop light and that do not."""
    single, transparent, trial = fits
    copy_fit(best, single)
    add_second_box(view, OPAQUE, counts, level, size, single, best, trial, problem, space, work)
    if not asks_for_transparent(best, single):
        return OPAQUE
    refit_transparent(view, counts, single, np.nan, transparent, work)
    if asks_for_transparent_pair(best, transparent):
        refit_transparent(view, counts, best, np.nan, transparent, work)
    if not takes_transparent(best, transparent):
        return OPAQUE
    absorption = _take(view, transparent, best)
    if best.state[BOXES] == 1:
        add_second_box(
            view, absorption, counts, level, size, transparent, best, trial, problem, space, work
        )
    return absorption
