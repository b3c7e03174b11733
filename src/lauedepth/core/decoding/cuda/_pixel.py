"""On the device: what the kernels open and write down for one pixel."""

from __future__ import annotations

import numpy as np
from numba import cuda

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.compiled import footprint, rays
from lauedepth.core.decoding.compiled.problem import Problem
from lauedepth.core.decoding.compiled.types import (
    COUNT,
    DECODED,
    FIRST,
    MOST_PARAMETERS,
    NO_MATCH,
    Array,
    Fit,
)
from lauedepth.core.decoding.cuda._block import total_of
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._shadow import build_shadow
from lauedepth.core.decoding.cuda._types import (
    ABSORPTION_AT,
    BINS_AT,
    DEPTH_AT,
    DEPTH_ERROR_AT,
    LEVEL,
    MEASURED,
    NUMBERS,
    POOL_AT,
    SPREAD,
    STATE_AT,
    THETA_AT,
    VARIANCE_AT,
    WIDTH_AT,
    Batch,
    Block,
    Scratch,
    Space,
    View,
)

window_of = device(rays.window_of)
middle_of = device(rays.middle_of)
bins_of = device(footprint.bins_of)
set_depths = device(footprint.set_depths)


@device
def measure(counts: Array, beam: Array, stats: Array, block: Block) -> int:
    """Fill in (mean, squared deviations, measured frames); return how many were measured."""
    total, number = 0.0, 0.0
    for k in range(block.thread, counts.size, block.threads):
        if counts[k] >= 0.0:
            total += counts[k]
            number += 1.0
    measured = total_of(block, number)
    level = total_of(block, total) / max(measured, 1.0)
    spread = 0.0
    for k in range(block.thread, counts.size, block.threads):
        if counts[k] >= 0.0:
            spread += beam[k] * (counts[k] - level) * (counts[k] - level)
    spread = total_of(block, spread)
    if block.thread == 0:
        stats[LEVEL], stats[SPREAD], stats[MEASURED] = level, spread, measured
    cuda.syncthreads()
    return int(measured)


@device
def open_view(
    batch: Batch, index: int, measured: int, problem: Problem, scratch: Scratch, place: int
) -> View:
    """Return the arrays of one pixel in a block's scratch."""
    tables = scratch.tables[place]
    return View(
        tables[0], tables[1], tables[2], tables[3], tables[4], tables[5],
        batch.pixels[index], problem.geometry, problem.positions, problem.beam,
        batch.counts[index], measured,
    )  # fmt: skip


@device
def cast_shadow(view: View, problem: Problem, block: Block) -> None:
    """Fill in the shadow of a pixel's view."""
    window_um = window_of(view.pixel, view.geometry, middle_of(problem.depths))
    build_shadow(view, problem.bar_knots, problem.bar_running, window_um, block)


@device
def open_space(scratch: Scratch, place: int) -> Space:
    """Return a block's scratch for searches."""
    sums, candidates, trace = scratch.sums[place], scratch.candidates[place], scratch.trace[place]
    return Space(
        scratch.template[place], sums[0], sums[1], sums[2], scratch.inverse[place], sums[3],
        candidates[0], candidates[1], scratch.found[place], scratch.expected[place, 2],
        trace, scratch.found[place, limits.CANDIDATES], scratch.starts[place],
        scratch.weights[place],
    )  # fmt: skip


@device
def open_fit(scratch: Scratch, place: int, number: int) -> Fit:
    """Return one of a block's fits."""
    parameters = scratch.parameters[place, number]
    return Fit(
        parameters[THETA_AT:VARIANCE_AT],
        parameters[VARIANCE_AT:STATE_AT],
        scratch.expected[place, 0],
        parameters[STATE_AT:ABSORPTION_AT],
    )


@device
def store_fit(fit: Fit, absorption: float, row: Array, block: Block) -> None:
    """Write a fit down for the kernels that follow."""
    cuda.syncthreads()
    for number in range(block.thread, MOST_PARAMETERS, block.threads):
        row[THETA_AT + number] = fit.theta[number]
        row[VARIANCE_AT + number] = fit.variance[number]
    for number in range(block.thread, ABSORPTION_AT - STATE_AT, block.threads):
        row[STATE_AT + number] = fit.state[number]
    if block.thread == 0:
        row[ABSORPTION_AT] = absorption
    cuda.syncthreads()


@device
def copy_row(source: Array, target: Array, absorption: float, block: Block) -> None:
    """Copy a stored fit, with another absorption."""
    cuda.syncthreads()
    for number in range(block.thread, ABSORPTION_AT, block.threads):
        target[number] = source[number]
    if block.thread == 0:
        target[ABSORPTION_AT] = absorption
    cuda.syncthreads()


@device
def load_fit(row: Array, fit: Fit, block: Block) -> float:
    """Read a fit that an earlier kernel wrote down; return its absorption."""
    cuda.syncthreads()
    for number in range(block.thread, MOST_PARAMETERS, block.threads):
        fit.theta[number] = row[THETA_AT + number]
        fit.variance[number] = row[VARIANCE_AT + number]
    for number in range(block.thread, ABSORPTION_AT - STATE_AT, block.threads):
        fit.state[number] = row[STATE_AT + number]
    cuda.syncthreads()
    return float(row[ABSORPTION_AT])


@device
def record(
    batch: Batch,
    index: int,
    sources: Array,
    supports: Array,
    number_of: int,
    values: Array,
) -> int:
    """Write a solved pixel into the batch; return its status."""
    size = bins_of(supports, number_of)
    begin = cuda.atomic.add(batch.used, 0, size)
    for at in range(size):
        batch.pool[begin + at] = values[at]
    codes, numbers = batch.codes[index], batch.numbers[index]
    leaders = cuda.local.array(2, np.int32)
    depths = set_depths(
        sources, supports, number_of, values, numbers[DEPTH_AT:DEPTH_ERROR_AT],
        numbers[DEPTH_ERROR_AT:WIDTH_AT], numbers[WIDTH_AT:NUMBERS], leaders,
    )  # fmt: skip
    for row in range(depths):
        number = leaders[row]
        codes[POOL_AT + row] = begin + (0 if number == 0 else supports[0, COUNT])
        codes[BINS_AT + 2 * row] = supports[number, FIRST]
        codes[BINS_AT + 2 * row + 1] = supports[number, COUNT]
    return DECODED if depths > 0 else NO_MATCH
