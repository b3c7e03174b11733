"""The kernels: one block of threads a pixel, each stage a launch of its own.

Frames come in, `transpose` or `clean` makes traces of them; `search` finds where on the code
a trace could lie and sets dark pixels aside; `place` fits a box there, `second` adds another
and `clear` bars that let light through, where the trace asks for them; `solve` finds the
footprint. Each holds one fit at most, which keeps the code of each small. Between stages a
pixel's state stays on the device. A block takes pixel after pixel in scratch of its own.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numba import cuda

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.cpu._batch import Problem
from lauedepth.core.decoding.cuda._block import new_block, tell
from lauedepth.core.decoding.cuda._box_fit import new_room
from lauedepth.core.decoding.cuda._candidates import (
    add_second,
    asks_again,
    asks_for_clear,
    fit_places,
    judge,
    refit_clear,
    scale_of,
    significant,
    take_clear,
    unexplained,
)
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._footprint import (
    columns_of,
    fill_weights,
    has_shape,
    set_sources,
    set_supports,
    solve_bins,
    widen,
)
from lauedepth.core.decoding.cuda._model import evaluate
from lauedepth.core.decoding.cuda._pixel import (
    DECODED,
    NO_MATCH,
    PENDING,
    cast_shadow,
    copy_row,
    load_fit,
    measure,
    middle_of,
    misses_code,
    open_fit,
    open_space,
    open_view,
    record,
    store_fit,
    too_few,
)
from lauedepth.core.decoding.cuda._search import fill_gaps, prepare_search, run_search, set_line
from lauedepth.core.decoding.cuda._shadow import OPAQUE, build_integral
from lauedepth.core.decoding.cuda._types import (
    Array,
    Batch,
    Block,
    Scratch,
    Solver,
    SolveScratch,
    View,
)
from lauedepth.core.decoding.pixels import PixelStatus

DARK = int(PixelStatus.DARK)
INVALID = int(PixelStatus.INVALID)
MISSED = int(PixelStatus.OUTSIDE)

TILE = 32
"""Side of the square that `transpose` turns at a time."""

PITCH = TILE + 1
"""Length of a row of that square in memory: reading a column then meets every bank."""

TILE_ROWS = 8
"""Threads along the other side of it."""

BEST, SINGLE, CLEAR = range(3)
"""Rows of a pixel's stored fits."""

ABSORPTION = 2
"""Turn of `clear` that finds the absorption of decoded pixels."""

SATURATED = float(limits.SATURATED)


@device
def _as_count(value: float, usable: bool) -> float:
    """Return a reading, negative where it is not a measurement."""
    return value if usable and value >= 0.0 and value < SATURATED else -1.0


@cuda.jit(cache=True)
def transpose(frames: Array, usable: Array, counts: Array) -> None:
    """Turn frames (n_frames, n) into traces (n, n_frames), square by square."""
    square = cuda.shared.array((TILE, PITCH), np.float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    pixel, first = cuda.blockIdx.x * TILE, cuda.blockIdx.y * TILE
    for row in range(y, TILE, TILE_ROWS):
        k = first + row
        if k < frames.shape[0] and pixel + x < frames.shape[1]:
            square[row, x] = _as_count(float(frames[k, pixel + x]), usable[k])
    cuda.syncthreads()
    for row in range(y, TILE, TILE_ROWS):
        if pixel + row < counts.shape[0] and first + x < counts.shape[1]:
            counts[pixel + row, first + x] = square[x, row]


@cuda.jit(cache=True)
def clean(traces: Array, usable: Array, counts: Array) -> None:
    """Copy traces (n, n_frames), negative where nothing was measured."""
    for index in range(cuda.blockIdx.x, traces.shape[0], cuda.gridDim.x):
        for k in range(cuda.threadIdx.x, traces.shape[1], cuda.blockDim.x):
            counts[index, k] = _as_count(float(traces[index, k]), usable[k])


@device
def _begin(batch: Batch, index: int, block: Block) -> None:
    """Set a pixel's answers to none given yet."""
    for number in range(block.lane, batch.numbers.shape[1], block.lanes):
        batch.numbers[index, number] = math.nan
    for number in range(block.lane, batch.codes.shape[1], block.lanes):
        batch.codes[index, number] = 0
    cuda.syncthreads()


@cuda.jit(cache=True)
def search(batch: Batch, problem: Problem, scratch: Scratch) -> None:
    """Find the places on the code that fit each trace; set pixels without light aside."""
    block = new_block()
    slot = cuda.blockIdx.x
    space = open_space(scratch, slot)
    for index in range(slot, batch.counts.shape[0], cuda.gridDim.x):
        _begin(batch, index, block)
        measured = measure(batch.counts[index], batch.stats[index], block)
        view = open_view(batch, index, measured, problem, scratch, slot)
        level, spread = batch.stats[index, 0], batch.stats[index, 1]
        status = PENDING
        hits = 0
        if too_few(measured, view.counts.size):
            status = INVALID
        elif not level > 0.0:
            status = DARK
        elif misses_code(view, problem):
            status = MISSED
        else:
            cast_shadow(view, problem, block)
            size = prepare_search(view, problem.depths, middle_of(problem), space, block)
            fill_gaps(view.counts, view.counts, space.filled, block)
            hits = run_search(size, space, limits.CANDIDATES, block)
            score = space.found[0, 2]
            if hits == 0 or not significant(score, spread, level, measured - 2):
                status = DARK
                hits = -1
        cuda.syncthreads()
        if block.lane == 0:
            batch.codes[index, 0] = status
            if hits < 0:
                batch.numbers[index, 0] = level
            for found in range(hits):
                for item in range(3):
                    batch.found[index, found, item] = space.found[found, item]
            batch.hits[index, 0] = hits
        cuda.syncthreads()


@cuda.jit(cache=True)
def place(batch: Batch, problem: Problem, scratch: Scratch) -> None:
    """Fit a box at each place that the search found; keep the best."""
    block = new_block()
    slot = cuda.blockIdx.x
    space, trial = open_space(scratch, slot), open_fit(scratch, slot, 0)
    room = new_room(scratch.expected[slot, :2])
    for index in range(slot, batch.counts.shape[0], cuda.gridDim.x):
        cuda.syncthreads()
        if batch.codes[index, 0] != PENDING:
            continue
        level, hits = batch.stats[index, 0], batch.hits[index, 0]
        view = open_view(batch, index, int(batch.stats[index, 2]), problem, scratch, slot)
        cast_shadow(view, problem, block)
        if block.lane == 0:
            set_line(view, problem.depths, middle_of(problem), space)
        for item in range(block.lane, 3 * hits, block.lanes):
            space.found[item // 3, item % 3] = batch.found[index, item // 3, item % 3]
        cuda.syncthreads()
        row = batch.fits[index, SINGLE]
        rivalled = fit_places(view, level, hits, space, trial, row, room, block)
        copy_row(row, batch.fits[index, BEST], OPAQUE, block)
        if block.lane == 0:
            batch.hits[index, 1] = 1 if rivalled else 0


@cuda.jit(cache=True)
def second(batch: Batch, problem: Problem, scratch: Scratch, last: bool) -> None:
    """Add a second box where the trace asks for it, and judge at the last.

    First beside the single box; at the last beside the one with bars that let light through,
    where those explain more.
    """
    block = new_block()
    slot = cuda.blockIdx.x
    space, trial = open_space(scratch, slot), open_fit(scratch, slot, 0)
    best, single = open_fit(scratch, slot, 1), open_fit(scratch, slot, 2)
    room = new_room(scratch.expected[slot, :2])
    for index in range(slot, batch.counts.shape[0], cuda.gridDim.x):
        cuda.syncthreads()
        if batch.codes[index, 0] != PENDING:
            continue
        rows, level = batch.fits[index], batch.stats[index, 0]
        view = open_view(batch, index, int(batch.stats[index, 2]), problem, scratch, slot)
        law = take_clear(rows, best, single, trial, block) if last else OPAQUE
        load_fit(rows[BEST] if last else rows[SINGLE], best, block)
        if not last or (law != OPAQUE and best.state[2] == 1):
            cast_shadow(view, problem, block)
            size = prepare_search(view, problem.depths, middle_of(problem), space, block)
            if law != OPAQUE:
                build_integral(view, law, view.integral, block)
            add_second(view, law, level, size, best, trial, rows[BEST], space, room, block)
        if last:
            load_fit(rows[BEST], best, block)
            load_fit(rows[SINGLE], single, block)
            flat = batch.stats[index, 1] / level
            status = judge(best, single, batch.hits[index, 1] > 0, flat, view.measured)
            if block.lane == 0:
                batch.numbers[index, 0] = best.theta[3 * int(best.state[2])]
                batch.codes[index, 0] = PENDING if status == DECODED else status


@cuda.jit(cache=True)
def clear(batch: Batch, problem: Problem, scratch: Scratch, turn: int) -> None:
    """Refit with bars that let light through.

    On the first turn the single box, on the second the best fit, where the trace asks for
    it; on the third what was decoded to one depth, to find its bars' absorption.
    """
    block = new_block()
    slot = cuda.blockIdx.x
    best, single = open_fit(scratch, slot, 0), open_fit(scratch, slot, 1)
    refit = open_fit(scratch, slot, 2)
    room = new_room(scratch.expected[slot, :2])
    for index in range(slot, batch.counts.shape[0], cuda.gridDim.x):
        cuda.syncthreads()
        wanted = DECODED if turn == ABSORPTION else PENDING
        if batch.codes[index, 0] != wanted or batch.codes[index, 4] > 0:
            continue
        rows, background = batch.fits[index], math.nan
        load_fit(rows[BEST], best, block)
        load_fit(rows[SINGLE], single, block)
        load_fit(rows[CLEAR], refit, block)
        if turn == ABSORPTION:
            background = problem.background
        elif not (asks_for_clear(best, single) if turn == 0 else asks_again(best, single, refit)):
            continue
        view = open_view(batch, index, int(batch.stats[index, 2]), problem, scratch, slot)
        cast_shadow(view, problem, block)
        source = single if turn == 0 else best
        refit_clear(view, batch.stats[index, 0], source, background, refit, room, block)
        store_fit(refit, OPAQUE, rows[CLEAR], block)
        if turn == ABSORPTION and block.lane == 0:
            at = 3 * int(refit.state[2]) + 1
            batch.numbers[index, 2] = math.exp(refit.theta[at])
            batch.numbers[index, 3] = math.sqrt(refit.variance[at])


@device
def _open_solver(room: SolveScratch, slot: int) -> Solver:
    vectors, members = room.vectors[slot], room.members[slot]
    return Solver(
        room.gram[slot], room.factor[slot], vectors[0], vectors[1], vectors[2],
        members[0], members[1],
    )  # fmt: skip


@device
def _copy(source: Array, target: Array, size: int, block: Block) -> None:
    cuda.syncthreads()
    for number in range(block.lane, size, block.lanes):
        target[number] = source[number]
    cuda.syncthreads()


@device
def _widened(
    view: View,
    law: float,
    problem: Problem,
    supports: Array,
    bins_count: int,
    chi_square: float,
    gain: float,
    room: SolveScratch,
    slot: int,
    block: Block,
) -> float:
    """Solve on wider supports while the trace gains.

    Returns
    -------
    float
        Chi-square, or -1 where there is no room for the columns.
    """
    solver, solved = _open_solver(room, slot), room.vectors[slot, 3]
    wider = supports[2:]
    for _ in range(limits.WIDENINGS):
        grown = 0.0
        if block.lane == 0:
            grown = 1.0 if widen(bins_count, supports[0], solved, wider[0]) else 0.0
        if not tell(block, grown) > 0.0:
            break
        if columns_of(wider, 1) > room.rows.shape[2]:
            return -1.0
        trial = solve_bins(view, law, problem.bins, wider, 1, room, solver, slot, block)
        if chi_square - trial < gain:
            break
        chi_square = trial
        _copy(wider[0], supports[0], 2, block)
        _copy(solver.values, solved, columns_of(supports, 1), block)
    return chi_square


@cuda.jit(cache=True)
def solve(
    batch: Batch, problem: Problem, scratch: Scratch, room: SolveScratch, bins_count: int
) -> None:
    """Solve the footprints of the fits chosen, where the scratch has room for their columns.

    Pixels without stay pending for a launch with more.
    """
    block = new_block()
    sources = cuda.shared.array((2, 4), np.float64)
    supports = cuda.shared.array((4, 2), np.int32)
    slot = cuda.blockIdx.x
    fit = open_fit(scratch, slot, 0)
    expected = scratch.expected[slot]
    solver, solved, weights = _open_solver(room, slot), room.vectors[slot, 3], room.weights[slot]
    for index in range(slot, batch.counts.shape[0], cuda.gridDim.x):
        cuda.syncthreads()
        if batch.codes[index, 0] != PENDING:
            continue
        law = load_fit(batch.fits[index, BEST], fit, block)
        scale, boxes = scale_of(fit), int(fit.state[2])
        number_of = 0
        if block.lane == 0:
            number_of = set_sources(fit, sources)
            set_supports(sources, number_of, problem.bins, bins_count, supports)
        number_of = int(tell(block, float(number_of)))
        if columns_of(supports, number_of) > room.rows.shape[2]:
            continue
        view = open_view(batch, index, int(batch.stats[index, 2]), problem, scratch, slot)
        cast_shadow(view, problem, block)
        if law != OPAQUE:
            build_integral(view, law, view.integral, block)
        evaluate(view, law, fit.theta, boxes, False, expected[1], expected[0], block)
        fill_weights(view, expected[0], weights, block)
        chi = solve_bins(view, law, problem.bins, supports, number_of, room, solver, slot, block)
        _copy(solver.values, solved, columns_of(supports, number_of), block)
        if number_of == 1:
            gain = limits.DISTINCT * scale
            chi = _widened(view, law, problem, supports, bins_count, chi, gain, room, slot, block)
            if chi < 0.0:
                continue
        if block.lane == 0:
            columns = columns_of(supports, number_of)
            shaped = has_shape(fit, chi, columns - 1, scale)
            background = solved[columns - 1] if shaped else fit.theta[3 * boxes]
            batch.numbers[index, 0] = background
            status = NO_MATCH
            if not unexplained(chi, batch.stats[index, 1] / batch.stats[index, 0], view.measured):
                batch.numbers[index, 1] = chi / fit.state[1]
                status = record(
                    batch, index, sources, supports, number_of, shaped, scale, problem.bins, solved
                )
            batch.codes[index, 0] = status


def are_compiled() -> bool:
    """Tell whether every kernel is ready, or in Numba's cache on disk."""
    kernels = (transpose, clean, search, place, second, clear, solve)
    return all(kernel.signatures or _is_cached(kernel) for kernel in kernels)


def _is_cached(kernel: Any) -> bool:
    folder = Path(kernel.stats.cache_path or "")
    return any(folder.glob(f"_kernels.{kernel.py_func.__name__}-*.nbi"))
