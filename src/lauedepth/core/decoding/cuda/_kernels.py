"""The kernels: one block of threads per pixel, each stage a launch of its own.

Frames come in, `transpose` or `clean` makes traces of them; `search` finds where on the code
a trace could lie and sets dark pixels aside; `fit_candidates` fits a box there, `add_second_box`
adds another and `refit_transparent` bars that let light through, where the trace asks for them;
`take_as_one` looks whether two depths that are near may be one footprint;
`judge_fits` decides which pixels are explained, and `solve` (`_solve`) finds their footprints.
Each holds one fit at most, which keeps the code of each small. Between stages a pixel's state
stays on the device. A block takes pixel after pixel in scratch of its own.
"""

from __future__ import annotations

import math

import numpy as np
from numba import cuda

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.compiled import decisions, rays
from lauedepth.core.decoding.compiled.jit import is_ready
from lauedepth.core.decoding.compiled.problem import Problem
from lauedepth.core.decoding.compiled.rays import OPAQUE
from lauedepth.core.decoding.compiled.types import (
    BACKGROUND,
    BOX,
    BOXES,
    CENTRE,
    CHI_SQUARE,
    DARK,
    DECODED,
    INVALID,
    LOG_ABSORPTION,
    OUTSIDE_CODE,
    PENDING,
    SCORE,
    Array,
)
from lauedepth.core.decoding.cuda._block import new_block
from lauedepth.core.decoding.cuda._box_fit import new_workspace
from lauedepth.core.decoding.cuda._candidates import (
    add_second,
    fit_places,
    refit_absorbing,
    refit_as_one,
    take_transparent,
)
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._pixel import (
    cast_shadow,
    copy_row,
    load_fit,
    measure,
    open_fit,
    open_space,
    open_view,
    store_fit,
)
from lauedepth.core.decoding.cuda._search import copy_measured, prepare_search, run_search, set_line
from lauedepth.core.decoding.cuda._shadow import build_integral
from lauedepth.core.decoding.cuda._solve import solve
from lauedepth.core.decoding.cuda._types import (
    BACKGROUND_AT,
    BAR_ABSORPTION_AT,
    BAR_ABSORPTION_ERROR_AT,
    BEST,
    HITS,
    LEVEL,
    MEASURED,
    RIVALLED,
    SECOND_COUNT_AT,
    SINGLE,
    SPREAD,
    STATE_AT,
    STATUS_AT,
    THETA_AT,
    TRANSPARENT,
    Batch,
    Block,
    Scratch,
)

TILE = 32
"""Side of the square that `transpose` handles at a time."""

PITCH = TILE + 1
"""Length of a row of that square in memory: reading a column then meets every bank."""

TILE_ROWS = 8
"""Threads along the other side of it."""

SINGLE_BOX, BEST_FIT, ABSORPTION = range(3)
"""Purposes of `refit_transparent`."""


too_few = device(decisions.too_few)
significant = device(decisions.significant)
asks_for_one = device(decisions.asks_for_one)
takes_one = device(decisions.takes_one)
asks_for_transparent = device(decisions.asks_for_transparent)
asks_for_transparent_pair = device(decisions.asks_for_transparent_pair)
judge = device(decisions.judge)
crosses_edges = device(rays.crosses_edges)
misses_code = device(rays.misses_code)


@device
def _as_count(value: float, usable: bool, beam: float, saturation: float) -> float:
    """Return a reading per unit of beam, negative where it is not a measurement."""
    return value / beam if usable and value >= 0.0 and value < saturation else -1.0


@cuda.jit(cache=True)
def transpose(frames: Array, usable: Array, beam: Array, saturation: float, counts: Array) -> None:
    """Transpose frames (n_frames, n) into traces (n, n_frames), square by square."""
    square = cuda.shared.array((TILE, PITCH), np.float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    pixel, first = cuda.blockIdx.x * TILE, cuda.blockIdx.y * TILE
    for row in range(y, TILE, TILE_ROWS):
        k = first + row
        if k < frames.shape[0] and pixel + x < frames.shape[1]:
            square[row, x] = _as_count(float(frames[k, pixel + x]), usable[k], beam[k], saturation)
    cuda.syncthreads()
    for row in range(y, TILE, TILE_ROWS):
        if pixel + row < counts.shape[0] and first + x < counts.shape[1]:
            counts[pixel + row, first + x] = square[x, row]


@cuda.jit(cache=True)
def clean(traces: Array, usable: Array, beam: Array, saturation: float, counts: Array) -> None:
    """Copy traces (n, n_frames), negative where nothing was measured."""
    for index in range(cuda.blockIdx.x, traces.shape[0], cuda.gridDim.x):
        for k in range(cuda.threadIdx.x, traces.shape[1], cuda.blockDim.x):
            counts[index, k] = _as_count(float(traces[index, k]), usable[k], beam[k], saturation)


@device
def _begin(batch: Batch, index: int, block: Block) -> None:
    """Set a pixel's answers to unknown."""
    for number in range(block.thread, batch.numbers.shape[1], block.threads):
        batch.numbers[index, number] = math.nan
    for number in range(block.thread, batch.codes.shape[1], block.threads):
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
        measured = measure(batch.counts[index], problem.beam, batch.stats[index], block)
        view = open_view(batch, index, measured, problem, scratch, slot)
        level, spread = batch.stats[index, LEVEL], batch.stats[index, SPREAD]
        knots = problem.bar_knots
        status = PENDING
        hits = 0
        if too_few(measured, view.counts.size):
            status = INVALID
        elif not level > 0.0:
            status = DARK
        elif misses_code(
            view.pixel, view.geometry, problem.depths, view.counts.size, knots[0],
            knots[knots.size - 1],
        ):  # fmt: skip
            status = OUTSIDE_CODE
        else:
            cast_shadow(view, problem, block)
            size = prepare_search(view, problem.depths, space, block)
            copy_measured(view.counts, view.counts, space.filled, block)
            hits = run_search(size, view.counts, space, limits.CANDIDATES, block)
            score = space.found[0, SCORE]
            if hits == 0 or not significant(score, spread, level, measured - 2):
                status = DARK
                hits = -1
        cuda.syncthreads()
        if block.thread == 0:
            batch.codes[index, STATUS_AT] = status
            if hits < 0:
                batch.numbers[index, BACKGROUND_AT] = level
            for found in range(hits):
                for item in range(3):
                    batch.found[index, found, item] = space.found[found, item]
            batch.hits[index, HITS] = hits
        cuda.syncthreads()


@cuda.jit(cache=True)
def fit_candidates(batch: Batch, problem: Problem, scratch: Scratch) -> None:
    """Fit a box at each place that the search found; keep the best."""
    block = new_block()
    slot = cuda.blockIdx.x
    space, trial = open_space(scratch, slot), open_fit(scratch, slot, 0)
    workspace = new_workspace(scratch.expected[slot, :2])
    for index in range(slot, batch.counts.shape[0], cuda.gridDim.x):
        cuda.syncthreads()
        if batch.codes[index, STATUS_AT] != PENDING:
            continue
        level, hits = batch.stats[index, LEVEL], batch.hits[index, HITS]
        view = open_view(batch, index, int(batch.stats[index, MEASURED]), problem, scratch, slot)
        cast_shadow(view, problem, block)
        set_line(view, problem.depths, space, block)
        for item in range(block.thread, 3 * hits, block.threads):
            space.found[item // 3, item % 3] = batch.found[index, item // 3, item % 3]
        cuda.syncthreads()
        row = batch.fits[index, SINGLE]
        rivalled = fit_places(view, level, hits, space, trial, row, workspace, block)
        copy_row(row, batch.fits[index, BEST], OPAQUE, block)
        if block.thread == 0:
            batch.hits[index, RIVALLED] = 1 if rivalled else 0


@cuda.jit(cache=True)
def add_second_box(batch: Batch, problem: Problem, scratch: Scratch, transparent: bool) -> None:
    """Add a second box where the trace asks for it.

    First beside the single box; when the fits with bars that let light through are there, beside
    the one of those that explains more.
    """
    block = new_block()
    slot = cuda.blockIdx.x
    space, trial = open_space(scratch, slot), open_fit(scratch, slot, 0)
    best, single = open_fit(scratch, slot, 1), open_fit(scratch, slot, 2)
    workspace = new_workspace(scratch.expected[slot, :2])
    for index in range(slot, batch.counts.shape[0], cuda.gridDim.x):
        cuda.syncthreads()
        if batch.codes[index, STATUS_AT] != PENDING:
            continue
        rows, level = batch.fits[index], batch.stats[index, LEVEL]
        absorption = take_transparent(rows, best, single, trial, block) if transparent else OPAQUE
        load_fit(rows[BEST] if transparent else rows[SINGLE], best, block)
        if transparent and (absorption == OPAQUE or best.state[BOXES] != 1):
            continue
        view = open_view(batch, index, int(batch.stats[index, MEASURED]), problem, scratch, slot)
        cast_shadow(view, problem, block)
        size = prepare_search(view, problem.depths, space, block)
        if absorption != OPAQUE:
            build_integral(view, absorption, view.integral, block)
        add_second(
            view, absorption, level, size, best, trial, rows[BEST], problem, space, workspace, block
        )


@cuda.jit(cache=True)
def judge_fits(batch: Batch, problem: Problem) -> None:
    """Judge the fits chosen, a pixel per thread; those that may be solved stay pending."""
    first = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    for index in range(first, batch.counts.shape[0], cuda.gridDim.x * cuda.blockDim.x):
        if batch.codes[index, STATUS_AT] != PENDING:
            continue
        best, single = batch.fits[index, BEST], batch.fits[index, SINGLE]
        stats = batch.stats[index]
        boxes = int(best[STATE_AT + BOXES])
        status = judge(
            best[STATE_AT + CHI_SQUARE], boxes, single[STATE_AT + CHI_SQUARE],
            batch.hits[index, RIVALLED] > 0, stats[SPREAD] / stats[LEVEL], int(stats[MEASURED]),
        )  # fmt: skip
        batch.numbers[index, BACKGROUND_AT] = best[THETA_AT + BOX * boxes + BACKGROUND]
        if status == DECODED:
            enough = crosses_edges(
                batch.pixels[index], problem.geometry, batch.counts.shape[1],
                best[THETA_AT + CENTRE], problem.bar_knots,
            )  # fmt: skip
            status = PENDING if enough else OUTSIDE_CODE
        batch.codes[index, STATUS_AT] = status


@cuda.jit(cache=True)
def refit_transparent(batch: Batch, problem: Problem, scratch: Scratch, purpose: int) -> None:
    """Refit with bars that let light through.

    For SINGLE_BOX the single box, for BEST_FIT the best fit, where the trace asks for
    it; for ABSORPTION what was decoded to one depth, to find its bars' absorption.
    """
    block = new_block()
    slot = cuda.blockIdx.x
    best, single = open_fit(scratch, slot, 0), open_fit(scratch, slot, 1)
    refit = open_fit(scratch, slot, 2)
    workspace = new_workspace(scratch.expected[slot, :2])
    for index in range(slot, batch.counts.shape[0], cuda.gridDim.x):
        cuda.syncthreads()
        wanted = DECODED if purpose == ABSORPTION else PENDING
        codes = batch.codes[index]
        if codes[STATUS_AT] != wanted or codes[SECOND_COUNT_AT] > 0:
            continue
        rows, background = batch.fits[index], math.nan
        if purpose == ABSORPTION and math.isnan(batch.background[index]):
            continue
        load_fit(rows[BEST], best, block)
        load_fit(rows[SINGLE], single, block)
        load_fit(rows[TRANSPARENT], refit, block)
        if purpose == ABSORPTION:
            background = batch.background[index]
        elif not asks_for_transparent(best, single) or (
            purpose == BEST_FIT and not asks_for_transparent_pair(best, refit)
        ):
            continue
        view = open_view(batch, index, int(batch.stats[index, MEASURED]), problem, scratch, slot)
        cast_shadow(view, problem, block)
        level = batch.stats[index, LEVEL]
        source = single if purpose == SINGLE_BOX else best
        refit_absorbing(view, level, source, background, refit, workspace, block)
        store_fit(refit, OPAQUE, rows[TRANSPARENT], block)
        if purpose == ABSORPTION and block.thread == 0:
            at = BOX * int(refit.state[BOXES]) + LOG_ABSORPTION
            batch.numbers[index, BAR_ABSORPTION_AT] = math.exp(refit.theta[at])
            batch.numbers[index, BAR_ABSORPTION_ERROR_AT] = math.sqrt(refit.variance[at])


@cuda.jit(cache=True)
def take_as_one(batch: Batch, problem: Problem, scratch: Scratch) -> None:
    """Take two depths that are near for one footprint, if light through the bars explains both."""
    block = new_block()
    slot = cuda.blockIdx.x
    best, one = open_fit(scratch, slot, 0), open_fit(scratch, slot, 1)
    workspace = new_workspace(scratch.expected[slot, :2])
    for index in range(slot, batch.counts.shape[0], cuda.gridDim.x):
        cuda.syncthreads()
        if batch.codes[index, STATUS_AT] != PENDING:
            continue
        row = batch.fits[index, BEST]
        load_fit(row, best, block)
        if not asks_for_one(best):
            continue
        view = open_view(batch, index, int(batch.stats[index, MEASURED]), problem, scratch, slot)
        cast_shadow(view, problem, block)
        refit_as_one(view, batch.stats[index, LEVEL], best, one, workspace, block)
        if takes_one(best, one):
            store_fit(one, math.exp(one.theta[2 * BOX + LOG_ABSORPTION]), row, block)


def are_compiled() -> bool:
    """Return whether the kernels are ready, or in Numba's cache on disk.

    Of the two that make traces, which compile at once, a decode needs one.
    """
    kernels = (
        search, fit_candidates, add_second_box, refit_transparent, take_as_one, judge_fits, solve,
    )  # fmt: skip
    return all(is_ready(kernel) for kernel in kernels)
