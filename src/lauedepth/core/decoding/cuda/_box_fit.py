"""On the device: box fits by Fisher scoring, as in `reference.box_fit`."""

from __future__ import annotations

import math

import numpy as np
from numba import cuda

from lauedepth.core.decoding.compiled import centroid, decisions, linear
from lauedepth.core.decoding.compiled.types import (
    BACKGROUND,
    BOX,
    BOXES,
    CENTROID_VARIANCE,
    CHI_SQUARE,
    FREEDOM,
    MOST_PARAMETERS,
    NARROWING,
    Array,
    Fit,
)
from lauedepth.core.decoding.cuda._block import broadcast
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._model import evaluate, gather_shapes, parameters_of, triangle
from lauedepth.core.decoding.cuda._nnls import nnls
from lauedepth.core.decoding.cuda._types import MOST_SUMS, Block, Solver, View, Workspace
from lauedepth.core.decoding.limits import CONVERGED, DAMPING_RETRY, DAMPING_START, FIT_ROUNDS, TINY

cholesky = device(linear.cholesky)
substitute = device(linear.substitute)
centroid_slope = device(decisions.centroid_slope)
set_bounds = device(decisions.set_bounds)
log_narrowing = device(centroid.log_narrowing)


@device
def new_workspace(expected: Array) -> Workspace:
    """Return scratch of a fit in memory that the block shares."""
    gram = cuda.shared.array((MOST_PARAMETERS, MOST_PARAMETERS), np.float64)
    factor = cuda.shared.array((MOST_PARAMETERS, MOST_PARAMETERS), np.float64)
    vectors = cuda.shared.array((6, MOST_PARAMETERS), np.float64)
    members = cuda.shared.array((2, MOST_PARAMETERS), np.int32)
    kept = cuda.shared.array(MOST_SUMS, np.float64)
    solver = Solver(gram, factor, vectors[0], vectors[1], vectors[2], members[0], members[1])
    return Workspace(solver, vectors[3], vectors[4], vectors[5], kept, expected)


@device
def _start(
    view: View,
    level: float,
    theta: Array,
    boxes: int,
    absorbing: bool,
    background: float,
    workspace: Workspace,
    block: Block,
) -> None:
    """Set bounds, and intensities and background by least squares on the shapes given."""
    solver = workspace.solver
    if block.thread == 0:
        entry = 0
        for row in range(boxes + 1):
            for column in range(row + 1):
                solver.gram[row, column] = block.sums[entry]
                entry += 1
        for row in range(boxes + 1):
            solver.moments[row] = block.sums[entry + row]
    nnls(solver, boxes + 1, block)
    if block.thread == 0:
        set_bounds(
            level, theta, boxes, absorbing, background, solver.values, workspace.low, workspace.high
        )  # fmt: skip
    cuda.syncthreads()


@device
def _list_free(workspace: Workspace, size: int) -> int:
    """List the parameters that may move; return their number."""
    count = 0
    for number in range(size):
        if workspace.high[number] > workspace.low[number]:
            workspace.solver.members[count] = number
            count += 1
    return count


@device
def _gather_kept(workspace: Workspace, count: int) -> None:
    """Copy the Fisher matrix of the free parameters."""
    solver = workspace.solver
    for row in range(count):
        first = solver.members[row]
        for column in range(row + 1):
            at = triangle(first) + solver.members[column]
            solver.gram[row, column] = workspace.kept[at]
        solver.gram[row, row] += TINY


@device
def _factor_kept(workspace: Workspace, count: int, damping: float) -> bool:
    """Factor the Fisher matrix of the free parameters; False where there is no factor."""
    _gather_kept(workspace, count)
    for row in range(count):
        workspace.solver.gram[row, row] *= 1.0 + damping
    return cholesky(workspace.solver.gram, count)


@device
def _propose(theta: Array, workspace: Workspace, size: int, damping: float, turn: int) -> bool:
    """Fill in where to go next from the sums kept; False where no step is worth taking.

    On the first turn there are no sums yet, and the start itself is looked at.
    """
    solver = workspace.solver
    for number in range(size):
        workspace.trial[number] = theta[number]
    if turn == 0:
        return True
    count = _list_free(workspace, size)
    if not _factor_kept(workspace, count, damping):
        return False
    for row in range(count):
        solver.trial[row] = workspace.kept[triangle(size) + solver.members[row]]
    substitute(solver.gram, count, solver.trial)
    gain = 0.0
    for row in range(count):
        number, step = solver.members[row], solver.trial[row]
        gain += workspace.kept[triangle(size) + number] * step
        workspace.trial[number] = min(
            max(theta[number] + step, workspace.low[number]), workspace.high[number]
        )
    return gain > CONVERGED


@device
def _keep(theta: Array, workspace: Workspace, size: int, block: Block) -> None:
    """Take over the trial and the sums at it."""
    cuda.syncthreads()
    for number in range(block.thread, size, block.threads):
        theta[number] = workspace.trial[number]
    for entry in range(block.thread, triangle(size) + size + 2, block.threads):
        workspace.kept[entry] = block.sums[entry]
    cuda.syncthreads()


@device
def fit_boxes(
    view: View,
    absorption: float,
    level: float,
    fit: Fit,
    boxes: int,
    absorbing: bool,
    background: float,
    workspace: Workspace,
    block: Block,
) -> None:
    """Fit boxes by Fisher scoring, from the shapes in `fit.theta` on."""
    theta, size = fit.theta, parameters_of(boxes, absorbing)
    gather_shapes(view, absorption, theta, boxes, absorbing, block)
    _start(view, level, theta, boxes, absorbing, background, workspace, block)
    at, now, damping = triangle(size) + size, 0, DAMPING_START
    for turn in range(FIT_ROUNDS + 1):
        good = 0.0
        if block.thread == 0:
            good = 1.0 if _propose(theta, workspace, size, damping, turn) else 0.0
        if not broadcast(block, good) > 0.0:
            break
        evaluate(
            view, absorption, workspace.trial, boxes, absorbing,
            workspace.expected[now], workspace.expected[1 - now], block,
        )  # fmt: skip
        before, after = workspace.kept[at], block.sums[at + 1]
        if turn > 0 and not after <= before:
            damping = max(10.0 * damping, DAMPING_RETRY)
            continue
        _keep(theta, workspace, size, block)
        now = 1 - now
        if turn > 0:
            damping *= 0.1
    cuda.syncthreads()
    if block.thread == 0:
        _finish(view, fit, boxes, size, workspace)
    cuda.syncthreads()


@device
def _finish(view: View, fit: Fit, boxes: int, size: int, workspace: Workspace) -> None:
    """Fill in chi-square and the variance of each parameter."""
    count = _list_free(workspace, size)
    fit.state[CHI_SQUARE] = workspace.kept[triangle(size) + size]
    fit.state[FREEDOM] = view.measured - count
    fit.state[BOXES] = boxes
    _set_variances(fit, boxes, size, count, workspace)


@device
def _set_variances(fit: Fit, boxes: int, size: int, count: int, workspace: Workspace) -> None:
    solver, unit = workspace.solver, workspace.solver.trial
    for number in range(size):
        fit.variance[number] = 0.0
    fit.state[NARROWING] = 0.0
    background = BOX * boxes + BACKGROUND
    if workspace.high[background] > workspace.low[background]:
        _gather_kept(workspace, count)
        fit.state[NARROWING] = log_narrowing(solver.gram, fit.theta, boxes, solver.factor)
    good = _factor_kept(workspace, count, 0.0)
    for row in range(count):
        for other in range(count):
            unit[other] = 1.0 if other == row else 0.0
        substitute(solver.gram, count, unit)
        fit.variance[solver.members[row]] = abs(unit[row]) if good else math.inf
    for row in range(count):
        unit[row] = centroid_slope(fit.theta, boxes, solver.members[row])
    substitute(solver.gram, count, unit)
    total = 0.0
    for row in range(count):
        total += unit[row] * centroid_slope(fit.theta, boxes, solver.members[row])
    fit.state[CENTROID_VARIANCE] = abs(total) if good else math.inf
