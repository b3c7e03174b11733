"""On the device: which boxes explain a trace, in the same steps as `reference.pixel`."""

from __future__ import annotations

import math

import numpy as np
from numba import cuda

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.compiled import decisions, rays
from lauedepth.core.decoding.compiled.decisions import LOG_START
from lauedepth.core.decoding.compiled.problem import Problem
from lauedepth.core.decoding.compiled.rays import OPAQUE
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
from lauedepth.core.decoding.cuda._box_fit import fit_boxes
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._model import evaluate
from lauedepth.core.decoding.cuda._pixel import copy_row, load_fit, store_fit
from lauedepth.core.decoding.cuda._search import copy_measured, run_search
from lauedepth.core.decoding.cuda._types import (
    BEST,
    SINGLE,
    TRANSPARENT,
    Block,
    Space,
    View,
    Workspace,
)

CANDIDATES = limits.CANDIDATES  # the compiler wants a name for the size of an array

significant = device(decisions.significant)
scale_of = device(decisions.scale_of)
misfits = device(decisions.misfits)
set_box = device(decisions.set_box)
set_halves = device(decisions.set_halves)
set_halves_of_both = device(decisions.set_halves_of_both)
has_rival = device(decisions.has_rival)
crosses_edges = device(rays.crosses_edges)
common_misfit = device(decisions.common_misfit)
is_better_pair = device(decisions.is_better_pair)
asks_for_transparent = device(decisions.asks_for_transparent)
takes_transparent = device(decisions.takes_transparent)


@device
def fit_places(
    view: View,
    level: float,
    hits: int,
    space: Space,
    trial: Fit,
    row: Array,
    workspace: Workspace,
    block: Block,
) -> bool:
    """Fit the places found and store the best; True if another fits about as well."""
    chi_squares = cuda.local.array(CANDIDATES, np.float64)
    centres = cuda.local.array(CANDIDATES, np.float64)
    widths = cuda.local.array(CANDIDATES, np.float64)
    chosen, scale = -1, 1.0
    for place in range(hits):
        chi_squares[place] = math.inf
        if space.found[place, SCORE] < limits.CANDIDATE_SCORE * space.found[0, SCORE]:
            continue
        cuda.syncthreads()
        if block.thread == 0:
            set_box(view.pixel, view.geometry, space.line, space.found[place], trial.theta, 0)
        cuda.syncthreads()
        fit_boxes(view, OPAQUE, level, trial, 1, False, math.nan, workspace, block)
        chi_squares[place] = trial.state[CHI_SQUARE]
        centres[place], widths[place] = trial.theta[CENTRE], trial.theta[WIDTH]
        if chosen < 0 or chi_squares[place] < chi_squares[chosen]:
            chosen, scale = place, scale_of(trial)
            store_fit(trial, OPAQUE, row, block)
    return has_rival(chi_squares, centres, widths, hits, chosen, scale)


@device
def _set_pair(
    view: View, single: Fit, theta: Array, number: int, hits: int, space: Space, block: Block
) -> None:
    """Start two boxes: the single one and a place found, or that one's two halves."""
    cuda.syncthreads()
    if block.thread == 0:
        if number < hits:
            theta[CENTRE], theta[WIDTH] = single.theta[CENTRE], single.theta[WIDTH]
            set_box(view.pixel, view.geometry, space.line, space.found[number], theta, 1)
        else:
            set_halves(single.theta, theta)
    cuda.syncthreads()


@device
def _search_rest(
    view: View,
    absorption: float,
    single: Fit,
    number: int,
    size: Size,
    space: Space,
    workspace: Workspace,
    block: Block,
) -> int:
    """Search what a single box leaves of a trace; return how many places were found."""
    rest, expected = workspace.expected[0], workspace.expected[1]
    evaluate(view, absorption, single.theta, 1, False, expected, expected, block)
    for k in range(block.thread, view.counts.size, block.threads):
        rest[k] = view.counts[k] - expected[k]
    copy_measured(rest, view.counts, space.filled, block)
    return run_search(size, view.counts, space, number, block)


@device
def add_second(
    view: View,
    absorption: float,
    level: float,
    size: Size,
    single: Fit,
    trial: Fit,
    row: Array,
    problem: Problem,
    space: Space,
    workspace: Workspace,
    block: Block,
) -> None:
    """Look for a second depth beside a single box, and store the best pair that is better."""
    bad = misfits(single)
    number_of = limits.CANDIDATES if bad else 1
    hits = _search_rest(view, absorption, single, number_of, size, space, workspace, block)
    spread = single.state[CHI_SQUARE] * level
    common = common_misfit(
        single, absorption, level, view.pixel, view.geometry, problem.origin, problem.model_error
    )
    lowest = math.inf
    for number in range(hits + (1 if bad else 0)):
        if number < hits and not significant(
            space.found[number, SCORE], spread, level, single.state[FREEDOM]
        ):
            continue
        _set_pair(view, single, trial.theta, number, hits, space, block)
        if number < hits and not crosses_edges(
            view.pixel, view.geometry, view.counts.size, trial.theta[BOX + CENTRE],
            problem.bar_knots,
        ):  # fmt: skip
            continue
        fit_boxes(view, absorption, level, trial, 2, False, math.nan, workspace, block)
        if is_better_pair(single, trial, common, lowest):
            lowest = trial.state[CHI_SQUARE]
            store_fit(trial, absorption, row, block)


@device
def refit_absorbing(
    view: View,
    level: float,
    source: Fit,
    background: float,
    refit: Fit,
    workspace: Workspace,
    block: Block,
) -> None:
    """Refit boxes with bars of finite absorption."""
    cuda.syncthreads()
    boxes = int(source.state[BOXES])
    absorption_at = BOX * boxes + LOG_ABSORPTION
    for number in range(block.thread, absorption_at + 1, block.threads):
        refit.theta[number] = LOG_START if number == absorption_at else source.theta[number]
    cuda.syncthreads()
    fit_boxes(view, OPAQUE, level, refit, boxes, True, background, workspace, block)


@device
def refit_as_one(
    view: View, level: float, pair: Fit, one: Fit, workspace: Workspace, block: Block
) -> None:
    """Refit what two boxes span with two that touch, and bars of finite absorption."""
    cuda.syncthreads()
    if block.thread == 0:
        set_halves_of_both(pair.theta, one.theta)
        one.theta[2 * BOX + LOG_ABSORPTION] = LOG_START
    cuda.syncthreads()
    fit_boxes(view, OPAQUE, level, one, 2, True, math.nan, workspace, block)


@device
def take_transparent(fits: Array, best: Fit, single: Fit, transparent: Fit, block: Block) -> float:
    """Take bars that let light through where they explain more; return the absorption chosen.

    Parameters
    ----------
    fits : (3, STORED) array
        The pixel's stored fits.
    best, single, transparent : Fit
        Memory for them.
    """
    load_fit(fits[BEST], best, block)
    load_fit(fits[SINGLE], single, block)
    load_fit(fits[TRANSPARENT], transparent, block)
    if not asks_for_transparent(best, single) or not takes_transparent(best, transparent):
        return OPAQUE
    boxes = int(transparent.state[BOXES])
    absorption = math.exp(transparent.theta[BOX * boxes + LOG_ABSORPTION])
    copy_row(fits[TRANSPARENT], fits[BEST], absorption, block)
    return absorption
