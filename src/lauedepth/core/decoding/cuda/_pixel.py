"""On the device: what the kernels open and write down for one pixel."""

from __future__ import annotations

import math

from numba import cuda

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.cpu._batch import Problem
from lauedepth.core.decoding.cpu._types import MOST_PARAMETERS, Fit
from lauedepth.core.decoding.cuda._block import total_of
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._shadow import build_shadow, ray_line, window_of
from lauedepth.core.decoding.cuda._types import Array, Batch, Block, Scratch, Space, View
from lauedepth.core.decoding.pixels import PixelStatus

PENDING = int(PixelStatus.PENDING)
DECODED = int(PixelStatus.DECODED)
NO_MATCH = int(PixelStatus.NO_MATCH)

LAW_AT = 2 * MOST_PARAMETERS + 4
"""Where a stored fit holds the law of its bars, after parameters, variances and state."""


@device
def middle_of(problem: Problem) -> float:
    """Return the middle of the depths asked for."""
    return float(0.5 * (problem.depths[0] + problem.depths[1]))


@device
def measure(counts: Array, stats: Array, block: Block) -> int:
    """Fill in (mean, squared deviations, measured frames); return how many were measured."""
    total, number = 0.0, 0.0
    for k in range(block.lane, counts.size, block.lanes):
        if counts[k] >= 0.0:
            total += counts[k]
            number += 1.0
    measured = total_of(block, number)
    level = total_of(block, total) / max(measured, 1.0)
    spread = 0.0
    for k in range(block.lane, counts.size, block.lanes):
        if counts[k] >= 0.0:
            spread += (counts[k] - level) * (counts[k] - level)
    spread = total_of(block, spread)
    if block.lane == 0:
        stats[0], stats[1], stats[2] = level, spread, measured
    cuda.syncthreads()
    return int(measured)


@device
def too_few(measured: int, frames: int) -> bool:
    """Tell whether a trace has too few frames that were measured."""
    return measured < max(limits.LEAST_FRAMES, limits.LEAST_USABLE * frames)


@device
def open_view(
    batch: Batch, index: int, measured: int, problem: Problem, scratch: Scratch, place: int
) -> View:
    """Return the arrays of one pixel in a block's scratch."""
    tables = scratch.tables[place]
    return View(
        tables[0], tables[1], tables[2], tables[3], tables[4], tables[5],
        batch.pixels[index], problem.geometry, batch.counts[index], measured,
    )  # fmt: skip


@device
def cast_shadow(view: View, problem: Problem, block: Block) -> None:
    """Fill in the shadow of a pixel's view."""
    window_um = window_of(view.pixel, view.geometry, middle_of(problem))
    build_shadow(view, problem.bar_knots, problem.bar_running, window_um, block)


@device
def open_space(scratch: Scratch, place: int) -> Space:
    """Return a block's scratch for searches."""
    sums, candidates, trace = scratch.sums[place], scratch.candidates[place], scratch.trace[place]
    return Space(
        scratch.template[place], sums[0], sums[1], sums[2], scratch.inverse[place], sums[3],
        candidates[0], candidates[1], scratch.found[place], scratch.expected[place, 2],
        trace, scratch.found[place, limits.CANDIDATES],
    )  # fmt: skip


@device
def open_fit(scratch: Scratch, place: int, number: int) -> Fit:
    """Return one of a block's fits."""
    parameters = scratch.parameters[place, number]
    return Fit(
        parameters[:MOST_PARAMETERS],
        parameters[MOST_PARAMETERS : 2 * MOST_PARAMETERS],
        scratch.expected[place, 0],
        parameters[2 * MOST_PARAMETERS : LAW_AT],
    )


@device
def misses_code(view: View, problem: Problem) -> bool:
    """Tell whether the rays pass beside the code in every frame."""
    least, most = math.inf, -math.inf
    for end in range(2):
        a, b = ray_line(view.pixel, view.geometry, problem.depths[end])
        last = a + b * (view.counts.size - 1)
        least, most = min(least, min(a, last)), max(most, max(a, last))  # noqa: PLW3301 CUDA's take two
    knots = problem.bar_knots
    return bool(most < knots[0] or least > knots[knots.size - 1])


@device
def store_fit(fit: Fit, law: float, row: Array, block: Block) -> None:
    """Write a fit down for the kernels that follow."""
    cuda.syncthreads()
    for number in range(block.lane, MOST_PARAMETERS, block.lanes):
        row[number] = fit.theta[number]
        row[MOST_PARAMETERS + number] = fit.variance[number]
    for number in range(block.lane, 4, block.lanes):
        row[2 * MOST_PARAMETERS + number] = fit.state[number]
    if block.lane == 0:
        row[LAW_AT] = law
    cuda.syncthreads()


@device
def copy_row(source: Array, target: Array, law: float, block: Block) -> None:
    """Copy a stored fit, with another law of its bars."""
    cuda.syncthreads()
    for number in range(block.lane, LAW_AT, block.lanes):
        target[number] = source[number]
    if block.lane == 0:
        target[LAW_AT] = law
    cuda.syncthreads()


@device
def load_fit(row: Array, fit: Fit, block: Block) -> float:
    """Read a fit that an earlier kernel wrote down; return the law of its bars."""
    cuda.syncthreads()
    for number in range(block.lane, MOST_PARAMETERS, block.lanes):
        fit.theta[number] = row[number]
        fit.variance[number] = row[MOST_PARAMETERS + number]
    for number in range(block.lane, 4, block.lanes):
        fit.state[number] = row[2 * MOST_PARAMETERS + number]
    cuda.syncthreads()
    return float(row[LAW_AT])


@device
def record(
    batch: Batch,
    index: int,
    sources: Array,
    supports: Array,
    number_of: int,
    shaped: bool,
    scale: float,
    bins: Array,
    values: Array,
) -> int:
    """Write down a solved pixel, the stronger depth first; return its status."""
    first_total = _total(values, 0, supports[0, 1])
    second_total = _total(values, supports[0, 1], supports[1, 1]) if number_of == 2 else 0.0
    size = supports[0, 1] + (supports[1, 1] if number_of == 2 else 0)
    begin = cuda.atomic.add(batch.used, 0, size)
    for at in range(size):
        batch.pool[begin + at] = values[at]
    codes, numbers = batch.codes[index], batch.numbers[index]
    leader = 1 if second_total > first_total else 0
    row = 0
    for turn in range(number_of):
        number = leader if turn == 0 else 1 - leader
        total = first_total if number == 0 else second_total
        if not total > 0.0:
            continue
        at = 0 if number == 0 else supports[0, 1]
        depth = sources[number, 2]
        if shaped:
            depth = _moment(values, at, supports[number, 0], supports[number, 1], bins) / total
        numbers[4 + row] = depth
        numbers[6 + row] = math.sqrt(sources[number, 3] * scale)
        numbers[8 + row] = sources[number, 1] - sources[number, 0]
        codes[5 + row] = begin + at
        codes[1 + 2 * row], codes[2 + 2 * row] = supports[number, 0], supports[number, 1]
        row += 1
    return DECODED if row > 0 else NO_MATCH


@device
def _total(values: Array, begin: int, count: int) -> float:
    total = 0.0
    for at in range(begin, begin + count):
        total += values[at]
    return total


@device
def _moment(values: Array, begin: int, first: int, count: int, bins: Array) -> float:
    """Return the sum of a footprint's values times the depths of their bins."""
    total = 0.0
    for inner in range(count):
        total += values[begin + inner] * (bins[0] + bins[1] * (first + inner + 0.5))
    return total
