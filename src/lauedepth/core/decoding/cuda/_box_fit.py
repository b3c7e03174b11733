"""On the device: box fits by Fisher scoring (`core.footprint.fit_boxes`)."""

from __future__ import annotations

import math

import numpy as np
from numba import cuda

from lauedepth.core.decoding.cpu import _fit as cpu
from lauedepth.core.decoding.cpu._types import MOST_PARAMETERS, Fit
from lauedepth.core.decoding.cuda._block import tell
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._model import evaluate, gather_shapes, size_of, triangle
from lauedepth.core.decoding.cuda._nnls import cholesky, nnls, substitute
from lauedepth.core.decoding.cuda._types import MOST_SUMS, Array, Block, Room, Solver, View
from lauedepth.core.decoding.limits import FIT_ROUNDS, LEAST_WIDTH_UM
from lauedepth.core.decoding.reference.box_fit import (
    CONVERGED,
    DAMPING_RETRY,
    DAMPING_START,
    REACH_UM,
    TINY,
)

LOG_LOW, LOG_HIGH = cpu.LOG_LOW, cpu.LOG_HIGH

_centroid_slope = device(cpu._centroid_slope)


@device
def new_room(expected: Array) -> Room:
    """Return scratch of a fit in memory that the block shares."""
    gram = cuda.shared.array((MOST_PARAMETERS, MOST_PARAMETERS), np.float64)
    factor = cuda.shared.array((MOST_PARAMETERS, MOST_PARAMETERS), np.float64)
    vectors = cuda.shared.array((6, MOST_PARAMETERS), np.float64)
    members = cuda.shared.array((2, MOST_PARAMETERS), np.int32)
    kept = cuda.shared.array(MOST_SUMS, np.float64)
    solver = Solver(gram, factor, vectors[0], vectors[1], vectors[2], members[0], members[1])
    return Room(solver, vectors[3], vectors[4], vectors[5], kept, expected)


@device
def _start(
    view: View,
    level: float,
    theta: Array,
    boxes: int,
    absorbing: bool,
    background: float,
    room: Room,
    block: Block,
) -> None:
    """Set bounds, and intensities and background by least squares on the shapes given."""
    solver = room.solver
    if block.lane == 0:
        entry = 0
        for row in range(boxes + 1):
            for column in range(row + 1):
                solver.gram[row, column] = block.sums[entry]
                entry += 1
        for row in range(boxes + 1):
            solver.moments[row] = block.sums[entry + row]
    nnls(solver, boxes + 1, block)
    if block.lane == 0:
        _set_bounds(level, theta, boxes, absorbing, background, room)
    cuda.syncthreads()


@device
def _set_bounds(
    level: float, theta: Array, boxes: int, absorbing: bool, background: float, room: Room
) -> None:
    low, high, values = room.low, room.high, room.solver.values
    for number in range(boxes):
        centre, width = theta[3 * number], theta[3 * number + 1]
        reach = width + REACH_UM
        low[3 * number], high[3 * number] = centre - reach, centre + reach
        low[3 * number + 1], high[3 * number + 1] = LEAST_WIDTH_UM, 3.0 * reach
        low[3 * number + 2], high[3 * number + 2] = 0.0, math.inf
        theta[3 * number + 1] = max(width, LEAST_WIDTH_UM)
        theta[3 * number + 2] = max(values[number], 1e-3 * level)
    at = 3 * boxes
    if math.isnan(background):
        theta[at], low[at], high[at] = values[boxes], 0.0, math.inf
    else:
        theta[at], low[at], high[at] = background, background, background
    if absorbing:
        low[at + 1], high[at + 1] = LOG_LOW, LOG_HIGH


@device
def _list_free(room: Room, size: int) -> int:
    """List the parameters that may move; return their number."""
    count = 0
    for number in range(size):
        if room.high[number] > room.low[number]:
            room.solver.members[count] = number
            count += 1
    return count


@device
def _factor_kept(room: Room, count: int, damping: float) -> bool:
    """Factor the Fisher matrix of the free parameters; False where there is no factor."""
    solver = room.solver
    for row in range(count):
        first = solver.members[row]
        for column in range(row + 1):
            at = triangle(first) + solver.members[column]
            solver.gram[row, column] = room.kept[at]
        solver.gram[row, row] = (solver.gram[row, row] + TINY) * (1.0 + damping)
    return cholesky(solver.gram, count)


@device
def _propose(theta: Array, room: Room, size: int, damping: float, turn: int) -> bool:
    """Fill in where to go next from the sums kept; False where no step is worth taking.

    On the first turn there are no sums yet, and the start itself is looked at.
    """
    solver = room.solver
    for number in range(size):
        room.trial[number] = theta[number]
    if turn == 0:
        return True
    count = _list_free(room, size)
    if not _factor_kept(room, count, damping):
        return False
    for row in range(count):
        solver.trial[row] = room.kept[triangle(size) + solver.members[row]]
    substitute(solver.gram, count, solver.trial)
    gain = 0.0
    for row in range(count):
        number, step = solver.members[row], solver.trial[row]
        gain += room.kept[triangle(size) + number] * step
        room.trial[number] = min(max(theta[number] + step, room.low[number]), room.high[number])
    return gain > CONVERGED


@device
def _keep(theta: Array, room: Room, size: int, block: Block) -> None:
    """Take over the trial and the sums at it."""
    cuda.syncthreads()
    for number in range(block.lane, size, block.lanes):
        theta[number] = room.trial[number]
    for entry in range(block.lane, triangle(size) + size + 2, block.lanes):
        room.kept[entry] = block.sums[entry]
    cuda.syncthreads()


@device
def fit_boxes(
    view: View,
    law: float,
    level: float,
    fit: Fit,
    boxes: int,
    absorbing: bool,
    background: float,
    room: Room,
    block: Block,
) -> None:
    """Fit boxes by Fisher scoring, from the shapes in `fit.theta` on."""
    theta, size = fit.theta, size_of(boxes, absorbing)
    gather_shapes(view, law, theta, boxes, absorbing, block)
    _start(view, level, theta, boxes, absorbing, background, room, block)
    at, now, damping = triangle(size) + size, 0, DAMPING_START
    for turn in range(FIT_ROUNDS + 1):
        good = 0.0
        if block.lane == 0:
            good = 1.0 if _propose(theta, room, size, damping, turn) else 0.0
        if not tell(block, good) > 0.0:
            break
        evaluate(
            view, law, room.trial, boxes, absorbing,
            room.expected[now], room.expected[1 - now], block,
        )  # fmt: skip
        before, after = room.kept[at], block.sums[at + 1]
        if turn > 0 and not after <= before:
            damping = max(10.0 * damping, DAMPING_RETRY)
            continue
        _keep(theta, room, size, block)
        now = 1 - now
        if turn > 0:
            damping *= 0.1
    cuda.syncthreads()
    if block.lane == 0:
        _finish(view, fit, boxes, size, room)
    cuda.syncthreads()


@device
def _finish(view: View, fit: Fit, boxes: int, size: int, room: Room) -> None:
    """Fill in chi-square and the variance of each parameter."""
    count = _list_free(room, size)
    fit.state[0] = room.kept[triangle(size) + size]
    fit.state[1] = view.measured - count
    fit.state[2] = boxes
    _set_variances(fit, boxes, size, count, room)


@device
def _set_variances(fit: Fit, boxes: int, size: int, count: int, room: Room) -> None:
    solver, unit = room.solver, room.solver.trial
    for number in range(size):
        fit.variance[number] = 0.0
    good = _factor_kept(room, count, 0.0)
    for row in range(count):
        for other in range(count):
            unit[other] = 1.0 if other == row else 0.0
        substitute(solver.gram, count, unit)
        fit.variance[solver.members[row]] = abs(unit[row]) if good else math.inf
    for row in range(count):
        unit[row] = _centroid_slope(fit.theta, boxes, solver.members[row])
    substitute(solver.gram, count, unit)
    total = 0.0
    for row in range(count):
        total += unit[row] * _centroid_slope(fit.theta, boxes, solver.members[row])
    fit.state[3] = abs(total) if good else math.inf
