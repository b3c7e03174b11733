"""The kernel that solves footprints."""

from __future__ import annotations

import numpy as np
from numba import cuda

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.compiled import centroid, decisions, footprint
from lauedepth.core.decoding.compiled.problem import Problem
from lauedepth.core.decoding.compiled.rays import OPAQUE
from lauedepth.core.decoding.compiled.types import (
    BACKGROUND,
    BOX,
    BOXES,
    CHI_SQUARE,
    COUNT,
    FIRST,
    FREEDOM,
    NARROWING,
    NO_MATCH,
    PENDING,
    SOURCE,
    Array,
    Fit,
)
from lauedepth.core.decoding.cuda._block import broadcast, new_block
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._footprint import (
    columns_of,
    fill_weights,
    solve_bins,
    weighted_square,
)
from lauedepth.core.decoding.cuda._model import evaluate
from lauedepth.core.decoding.cuda._nnls import factor_matrix
from lauedepth.core.decoding.cuda._pixel import cast_shadow, load_fit, open_fit, open_view, record
from lauedepth.core.decoding.cuda._shadow import build_integral
from lauedepth.core.decoding.cuda._types import (
    BACKGROUND_AT,
    BEST,
    LEVEL,
    MEASURED,
    RESIDUAL_AT,
    SPREAD,
    STATUS_AT,
    TILE,
    Batch,
    Block,
    Scratch,
    Solver,
    SolveScratch,
    View,
)

scale_of = device(decisions.scale_of)
unexplained = device(decisions.unexplained)
set_sources = device(footprint.set_sources)
set_supports = device(footprint.set_supports)
bins_of = device(footprint.bins_of)
widen = device(footprint.widen)
set_boxes = device(centroid.set_boxes)
set_equations = device(centroid.set_equations)
weigh_shapes = device(centroid.weigh_shapes)


@device
def _open_solver(workspace: SolveScratch, slot: int) -> Solver:
    vectors, members = workspace.vectors[slot], workspace.members[slot]
    return Solver(
        workspace.gram[slot], workspace.factor[slot], vectors[0], vectors[1], vectors[2],
        members[0], members[1],
    )  # fmt: skip


@device
def _copy(source: Array, target: Array, size: int, block: Block) -> None:
    cuda.syncthreads()
    for number in range(block.thread, size, block.threads):
        target[number] = source[number]
    cuda.syncthreads()


@device
def _widened(
    view: View,
    absorption: float,
    problem: Problem,
    supports: Array,
    bins_count: int,
    chi_square: float,
    gain: float,
    workspace: SolveScratch,
    tile: Array,
    slot: int,
    block: Block,
) -> float:
    """Solve on wider supports while the trace gains.

    Returns
    -------
    float
        Chi-square, or -1 where the scratch does not hold the columns.
    """
    solver, solved = _open_solver(workspace, slot), workspace.vectors[slot, 3]
    wider = supports[2:]
    for _ in range(limits.WIDENINGS):
        grown = 0.0
        if block.thread == 0:
            grown = 1.0 if widen(bins_count, supports[0], solved, wider[0]) else 0.0
        if not broadcast(block, grown) > 0.0:
            break
        if columns_of(wider, 1) > workspace.gram.shape[2]:
            return -1.0
        trial = solve_bins(
            view, absorption, problem.bins, wider, 1, workspace, solver, tile, slot, block
        )
        if chi_square - trial < gain:
            break
        chi_square = trial
        _copy(wider[0], supports[0], 2, block)
        _copy(solver.values, solved, columns_of(supports, 1), block)
    return chi_square


@device
def _locate(
    numbers: Array,
    view: View,
    fit: Fit,
    sources: Array,
    supports: Array,
    number_of: int,
    bins: Array,
    workspace: SolveScratch,
    solver: Solver,
    slot: int,
    block: Block,
) -> None:
    """Find the sources' centroids, whatever their shape; write residual and background down.

    The equations in the solver are those of the support tried last, with which the one kept
    shares its bins: where that is wider it holds them in its middle.
    """
    size = columns_of(supports, number_of)
    order, before, push = solver.members, solver.values, solver.trial
    stiffness, step = workspace.vectors[slot, 4], workspace.vectors[slot, 5]
    background = fit.theta[BOX * int(fit.state[BOXES]) + BACKGROUND]
    last, begin = size - 1, 0
    if number_of == 1:
        tried = supports[2]
        last, begin = tried[COUNT], supports[0, FIRST] - tried[FIRST]
    for row in range(block.thread, size, block.threads):
        order[row] = begin + row if row < size - 1 else last
    if block.thread == 0:
        set_boxes(sources, supports, number_of, bins, background, before, stiffness)
    cuda.syncthreads()
    set_equations(
        solver.gram, solver.moments, order, supports, number_of, before, stiffness, solver.factor,
        push, block.thread, block.threads,
    )  # fmt: skip
    good = factor_matrix(solver.factor, size, block)
    norm = weighted_square(view, workspace.weights[slot], block)
    if block.thread == 0:
        chi_square = fit.state[CHI_SQUARE]
        if good:
            chi_square, background = weigh_shapes(
                sources, supports, number_of, bins, solver.moments, order,
                solver.gram[last, last], before, stiffness, solver.factor, push, step, norm,
                chi_square, fit.state[FREEDOM], fit.state[NARROWING],
            )  # fmt: skip
        numbers[RESIDUAL_AT] = chi_square / fit.state[FREEDOM]
        numbers[BACKGROUND_AT] = background
    cuda.syncthreads()


@cuda.jit(cache=True)
def solve(
    batch: Batch, problem: Problem, scratch: Scratch, workspace: SolveScratch, bins_count: int
) -> None:
    """Solve the footprints of the fits chosen, where the scratch holds their columns.

    Pixels without stay pending for a launch with more.
    """
    block = new_block()
    sources = cuda.shared.array((2, SOURCE), np.float64)
    supports = cuda.shared.array((4, 2), np.int32)
    slot = cuda.blockIdx.x
    tile = cuda.shared.array(TILE, np.float64)
    if workspace.tile.shape[1] > TILE:
        tile = workspace.tile[slot]
    fit = open_fit(scratch, slot, 0)
    expected = scratch.expected[slot]
    solver, solved, weights = (
        _open_solver(workspace, slot),
        workspace.vectors[slot, 3],
        workspace.weights[slot],
    )
    for index in range(slot, batch.counts.shape[0], cuda.gridDim.x):
        cuda.syncthreads()
        if batch.codes[index, STATUS_AT] != PENDING:
            continue
        absorption = load_fit(batch.fits[index, BEST], fit, block)
        scale, boxes = scale_of(fit), int(fit.state[BOXES])
        number_of = 0
        if block.thread == 0:
            number_of = set_sources(fit, sources)
            set_supports(sources, number_of, problem.bins, bins_count, supports)
        number_of = int(broadcast(block, float(number_of)))
        if columns_of(supports, number_of) > workspace.gram.shape[2]:
            continue
        view = open_view(batch, index, int(batch.stats[index, MEASURED]), problem, scratch, slot)
        cast_shadow(view, problem, block)
        if absorption != OPAQUE:
            build_integral(view, absorption, view.integral, block)
        evaluate(view, absorption, fit.theta, boxes, False, expected[1], expected[0], block)
        fill_weights(view, expected[0], weights, block)
        chi_square = solve_bins(
            view, absorption, problem.bins, supports, number_of, workspace, solver, tile, slot,
            block,
        )  # fmt: skip
        _copy(solver.values, solved, columns_of(supports, number_of), block)
        _copy(supports[0], supports[2], 2, block)
        if number_of == 1:
            gain = limits.DISTINCT * scale
            chi_square = _widened(
                view,
                absorption,
                problem,
                supports,
                bins_count,
                chi_square,
                gain,
                workspace,
                tile,
                slot,
                block,
            )
            if chi_square < 0.0:
                continue
        flat = batch.stats[index, SPREAD] / batch.stats[index, LEVEL]
        if unexplained(chi_square, flat, view.measured):
            if block.thread == 0:
                batch.codes[index, STATUS_AT] = NO_MATCH
            continue
        _locate(
            batch.numbers[index], view, fit, sources, supports, number_of, problem.bins, workspace,
            solver, slot, block,
        )  # fmt: skip
        if block.thread == 0:
            batch.codes[index, STATUS_AT] = record(
                batch, index, sources, supports, number_of, solved
            )
