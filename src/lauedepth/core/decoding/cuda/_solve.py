"""The kernel that solves footprints."""

from __future__ import annotations

import numpy as np
from numba import cuda

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.compiled import decisions, footprint
from lauedepth.core.decoding.compiled.problem import Problem
from lauedepth.core.decoding.compiled.rays import OPAQUE
from lauedepth.core.decoding.compiled.types import (
    BACKGROUND,
    BOX,
    BOXES,
    CHI_SQUARE,
    FREEDOM,
    NO_MATCH,
    PENDING,
    Array,
)
from lauedepth.core.decoding.cuda._block import broadcast, new_block
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._footprint import columns_of, fill_weights, solve_bins
from lauedepth.core.decoding.cuda._model import evaluate
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
has_shape = device(footprint.has_shape)


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
        if columns_of(wider, 1) > workspace.rows.shape[2]:
            return -1.0
        trial = solve_bins(view, absorption, problem.bins, wider, 1, workspace, solver, slot, block)
        if chi_square - trial < gain:
            break
        chi_square = trial
        _copy(wider[0], supports[0], 2, block)
        _copy(solver.values, solved, columns_of(supports, 1), block)
    return chi_square


@cuda.jit(cache=True)
def solve(
    batch: Batch, problem: Problem, scratch: Scratch, workspace: SolveScratch, bins_count: int
) -> None:
    """Solve the footprints of the fits chosen, where the scratch holds their columns.

    Pixels without stay pending for a launch with more.
    """
    block = new_block()
    sources = cuda.shared.array((2, 4), np.float64)
    supports = cuda.shared.array((4, 2), np.int32)
    slot = cuda.blockIdx.x
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
        if columns_of(supports, number_of) > workspace.rows.shape[2]:
            continue
        view = open_view(batch, index, int(batch.stats[index, MEASURED]), problem, scratch, slot)
        cast_shadow(view, problem, block)
        if absorption != OPAQUE:
            build_integral(view, absorption, view.integral, block)
        evaluate(view, absorption, fit.theta, boxes, False, expected[1], expected[0], block)
        fill_weights(view, expected[0], weights, block)
        chi_square = solve_bins(
            view, absorption, problem.bins, supports, number_of, workspace, solver, slot, block
        )
        _copy(solver.values, solved, columns_of(supports, number_of), block)
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
                slot,
                block,
            )
            if chi_square < 0.0:
                continue
        if block.thread == 0:
            size = bins_of(supports, number_of)
            shaped = has_shape(fit.state[CHI_SQUARE], chi_square, size, scale)
            background = solved[size] if shaped else fit.theta[BOX * boxes + BACKGROUND]
            batch.numbers[index, BACKGROUND_AT] = background
            status = NO_MATCH
            flat = batch.stats[index, SPREAD] / batch.stats[index, LEVEL]
            if not unexplained(chi_square, flat, view.measured):
                batch.numbers[index, RESIDUAL_AT] = chi_square / fit.state[FREEDOM]
                status = record(
                    batch, index, sources, supports, number_of, shaped, scale, problem.bins, solved
                )
            batch.codes[index, STATUS_AT] = status
