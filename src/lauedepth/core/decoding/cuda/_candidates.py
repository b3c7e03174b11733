"""On the device: which boxes explain a trace (`backends.reference`, step by step)."""

from __future__ import annotations

import math

import numpy as np
from numba import cuda

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.cpu import _pixel as cpu
from lauedepth.core.decoding.cpu._types import Fit
from lauedepth.core.decoding.cuda._box_fit import fit_boxes
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._model import evaluate
from lauedepth.core.decoding.cuda._pixel import copy_row, load_fit, store_fit
from lauedepth.core.decoding.cuda._search import Size, fill_gaps, run_search
from lauedepth.core.decoding.cuda._shadow import OPAQUE, depth_of
from lauedepth.core.decoding.cuda._types import Array, Block, Room, Space, View

CANDIDATES = limits.CANDIDATES
LOG_START = cpu.LOG_START

significant = device(cpu.significant)
scale_of = device(cpu.scale_of)
misfits = device(cpu.misfits)
both_matter = device(cpu.both_matter)
unexplained = device(cpu.unexplained)


@device
def _set_box(view: View, space: Space, place: int, theta: Array, number: int) -> None:
    """Turn a place that the search found into a stretch of depth."""
    position = space.line[0] + space.line[1] * space.found[place, 0]
    half = 0.5 * space.found[place, 1] * abs(space.line[1])
    one = depth_of(view.pixel, view.geometry, position - half)
    two = depth_of(view.pixel, view.geometry, position + half)
    theta[3 * number] = 0.5 * (one + two)
    theta[3 * number + 1] = abs(two - one)


@device
def fit_places(
    view: View,
    level: float,
    hits: int,
    space: Space,
    trial: Fit,
    row: Array,
    room: Room,
    block: Block,
) -> bool:
    """Fit the places found and store the best; True if another fits about as well."""
    chi_squares = cuda.local.array(CANDIDATES, np.float64)
    centres = cuda.local.array(CANDIDATES, np.float64)
    widths = cuda.local.array(CANDIDATES, np.float64)
    chosen, scale = -1, 1.0
    for place in range(hits):
        chi_squares[place] = math.inf
        if space.found[place, 2] < limits.CANDIDATE_SCORE * space.found[0, 2]:
            continue
        cuda.syncthreads()
        if block.lane == 0:
            _set_box(view, space, place, trial.theta, 0)
        cuda.syncthreads()
        fit_boxes(view, OPAQUE, level, trial, 1, False, math.nan, room, block)
        chi_squares[place] = trial.state[0]
        centres[place], widths[place] = trial.theta[0], trial.theta[1]
        if chosen < 0 or chi_squares[place] < chi_squares[chosen]:
            chosen, scale = place, scale_of(trial)
            store_fit(trial, OPAQUE, row, block)
    for place in range(hits):
        if place == chosen or chi_squares[place] == math.inf:
            continue
        near = chi_squares[place] - chi_squares[chosen] < limits.DISTINCT * scale
        apart = abs(centres[place] - centres[chosen])
        if near and apart > 0.5 * (widths[place] + widths[chosen]):
            return True
    return False


@device
def _set_pair(
    view: View, single: Fit, theta: Array, number: int, hits: int, space: Space, block: Block
) -> None:
    """Start two boxes: the single one and a place found, or that one's two halves."""
    cuda.syncthreads()
    if block.lane == 0:
        centre, width = single.theta[0], single.theta[1]
        if number < hits:
            theta[0], theta[1] = centre, width
            _set_box(view, space, number, theta, 1)
        else:
            quarter = 0.25 * width
            theta[0], theta[1] = centre - quarter, quarter
            theta[3], theta[4] = centre + quarter, quarter
    cuda.syncthreads()


@device
def _search_rest(
    view: View,
    law: float,
    single: Fit,
    number: int,
    size: Size,
    space: Space,
    room: Room,
    block: Block,
) -> int:
    """Search what a single box leaves of a trace; return how many places were found."""
    rest, expected = room.expected[0], room.expected[1]
    evaluate(view, law, single.theta, 1, False, expected, expected, block)
    for k in range(block.lane, view.counts.size, block.lanes):
        rest[k] = view.counts[k] - expected[k]
    fill_gaps(rest, view.counts, space.filled, block)
    return run_search(size, space, number, block)


@device
def add_second(
    view: View,
    law: float,
    level: float,
    size: Size,
    single: Fit,
    trial: Fit,
    row: Array,
    space: Space,
    room: Room,
    block: Block,
) -> None:
    """Look for a second depth beside a single box, and store the best pair that is better."""
    bad = misfits(single)
    number_of = CANDIDATES if bad else 1
    hits = _search_rest(view, law, single, number_of, size, space, room, block)
    spread = single.state[0] * level
    lowest = math.inf
    for number in range(hits + (1 if bad else 0)):
        if number < hits and not significant(
            space.found[number, 2], spread, level, single.state[1]
        ):
            continue
        _set_pair(view, single, trial.theta, number, hits, space, block)
        fit_boxes(view, law, level, trial, 2, False, math.nan, room, block)
        enough = single.state[0] - trial.state[0] > limits.DETECTION * scale_of(trial)
        if trial.state[0] < lowest and enough and both_matter(trial):
            lowest = trial.state[0]
            store_fit(trial, law, row, block)


@device
def refit_clear(
    view: View,
    level: float,
    source: Fit,
    background: float,
    clear: Fit,
    room: Room,
    block: Block,
) -> None:
    """Refit boxes with bars of finite absorption."""
    cuda.syncthreads()
    boxes = int(source.state[2])
    for number in range(block.lane, 3 * boxes + 2, block.lanes):
        clear.theta[number] = LOG_START if number == 3 * boxes + 1 else source.theta[number]
    cuda.syncthreads()
    fit_boxes(view, OPAQUE, level, clear, boxes, True, background, room, block)


@device
def asks_for_clear(best: Fit, single: Fit) -> bool:
    """Tell whether bars that let light through are to be tried."""
    return bool(best.state[2] == 2 or misfits(single))


@device
def asks_again(best: Fit, single: Fit, clear: Fit) -> bool:
    """Tell whether they are to be tried with two boxes too."""
    worse = clear.state[0] > best.state[0]
    return bool(asks_for_clear(best, single) and worse and misfits(best))


@device
def take_clear(fits: Array, best: Fit, single: Fit, clear: Fit, block: Block) -> float:
    """Take bars that let light through where they explain more; return the law chosen.

    Parameters
    ----------
    fits : (3, 21) array
        The pixel's stored fits: the best, the single box, the one with clear bars.
    best, single, clear : Fit
        Room for them.
    """
    load_fit(fits[0], best, block)
    load_fit(fits[1], single, block)
    load_fit(fits[2], clear, block)
    if not asks_for_clear(best, single):
        return OPAQUE
    if clear.state[0] > best.state[0] or not both_matter(clear):
        return OPAQUE
    law = math.exp(clear.theta[3 * int(clear.state[2]) + 1])
    copy_row(fits[2], fits[0], law, block)
    return law


@device
def judge(best: Fit, single: Fit, rivalled: bool, flat: float, measured: int) -> int:
    """Return the status of a pixel from the fit chosen; `DECODED` if it may be solved."""
    if unexplained(best.state[0], flat, measured):
        return cpu.NO_MATCH
    if rivalled and best.state[0] == single.state[0] and best.state[2] == 1:
        return cpu.AMBIGUOUS
    return cpu.DECODED
