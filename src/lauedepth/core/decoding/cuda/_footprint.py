"""On the device: the footprint on the stretches of depth that the boxes cover."""

from __future__ import annotations

import math

from numba import cuda

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.cpu import _bins, _pixel
from lauedepth.core.decoding.cpu._types import Fit
from lauedepth.core.decoding.cuda._block import chunk_of, total_of
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._model import triangle
from lauedepth.core.decoding.cuda._nnls import misfit, nnls
from lauedepth.core.decoding.cuda._shadow import average, follow, light_at, piece_of, ray_line
from lauedepth.core.decoding.cuda._types import Array, Block, Solver, SolveScratch, View

set_sources = device(_pixel.set_sources)
cover = device(_bins.cover)
widen = device(_bins.widen)


@device
def set_supports(
    sources: Array, number_of: int, bins: Array, bins_count: int, supports: Array
) -> None:
    """Fill in (first, count) of the bins of each source with a margin, kept apart."""
    low = 0 if number_of == 1 or sources[0, 0] <= sources[1, 0] else 1
    high = 1 - low
    for number in range(number_of):
        begin, end = sources[number, 0], sources[number, 1]
        margin = max(limits.MARGIN_UM, limits.MARGIN_PART * (end - begin))
        begin, end = begin - margin, end + margin
        if number_of == 2:
            middle = 0.5 * (sources[low, 1] + sources[high, 0])
            if number == low:
                end = min(end, middle)
            else:
                begin = max(begin, middle)
        supports[number, 0], supports[number, 1] = cover(begin, end, bins, bins_count)
    if number_of == 2:
        shared = max(0, supports[low, 0] + supports[low, 1] - supports[high, 0])
        supports[high, 0] += shared
        supports[high, 1] -= shared


@device
def columns_of(supports: Array, number_of: int) -> int:
    """Return how many unknowns footprints on these supports and a background have."""
    return int(supports[0, 1] + (supports[1, 1] if number_of == 2 else 0) + 1)


@device
def solve_bins(
    view: View,
    law: float,
    bins: Array,
    supports: Array,
    number_of: int,
    room: SolveScratch,
    solver: Solver,
    place: int,
    block: Block,
) -> float:
    """Solve the footprint on the supports; return chi-square, values in `solver.values`."""
    size = columns_of(supports, number_of)
    rows, weights = room.rows[place], room.weights[place]
    begin = 0
    for number in range(number_of):
        first, count = supports[number, 0], supports[number, 1]
        start_um = bins[0] + bins[1] * first
        _fill_bins(view, law, start_um, bins[1], count, rows, begin, room.lines[place], block)
        begin += count
    norm = 0.0
    for k in range(block.lane, view.counts.size, block.lanes):
        rows[k, size - 1] = 1.0
        if weights[k] > 0.0:
            norm += weights[k] * view.counts[k] * view.counts[k]
    norm = total_of(block, norm)
    _fill_equations(view, rows, weights, size, solver, block)
    nnls(solver, size, block)
    return misfit(solver, size, norm, block)


@device
def _fill_bins(
    view: View,
    law: float,
    start_um: float,
    width_um: float,
    count: int,
    rows: Array,
    column: int,
    lines: Array,
    block: Block,
) -> None:
    """Fill in T averaged over each of `count` neighbouring bins, one column each."""
    cuda.syncthreads()
    for edge in range(block.lane, count + 1, block.lanes):
        a, b = ray_line(view.pixel, view.geometry, start_um + width_um * edge)
        lines[edge, 0], lines[edge, 1] = a, b
    cuda.syncthreads()
    begin, end = chunk_of(block, view.counts.size)
    for k in range(begin, end):
        u = lines[0, 0] + lines[0, 1] * k
        at = piece_of(view.knots, u)
        first, before = light_at(view, view.integral, law, u, at)
        for edge in range(1, count + 1):
            v = lines[edge, 0] + lines[edge, 1] * k
            at = follow(view.knots, v, at)
            last, after = light_at(view, view.integral, law, v, at)
            rows[k, column + edge - 1] = average(v - u, first, after - before)
            u, first, before = v, last, after
    cuda.syncthreads()


@device
def _fill_equations(
    view: View, rows: Array, weights: Array, size: int, solver: Solver, block: Block
) -> None:
    """Fill in the lower triangle of the weighted Gram matrix, and the moments."""
    cuda.syncthreads()
    for entry in range(block.lane, triangle(size), block.lanes):
        row = int((math.sqrt(8.0 * entry + 1.0) - 1.0) / 2.0)
        column = entry - triangle(row)
        total = 0.0
        for k in range(view.counts.size):
            total += weights[k] * rows[k, row] * rows[k, column]
        solver.gram[row, column] = total
    for row in range(block.lane, size, block.lanes):
        total = 0.0
        for k in range(view.counts.size):
            if weights[k] > 0.0:
                total += weights[k] * view.counts[k] * rows[k, row]
        solver.moments[row] = total
    cuda.syncthreads()


@device
def fill_weights(view: View, expected: Array, weights: Array, block: Block) -> None:
    """Fill in 1/variance of counts with this expectation; zero where none were measured."""
    cuda.syncthreads()
    for k in range(block.lane, view.counts.size, block.lanes):
        weights[k] = 1.0 / max(expected[k], 1.0) if view.counts[k] >= 0.0 else 0.0
    cuda.syncthreads()


@device
def has_shape(fit: Fit, chi_square: float, bins: int, scale: float) -> bool:
    """Tell whether a footprint gains more over its box than the freedom of its bins."""
    expected = bins + limits.SHAPE * math.sqrt(2.0 * bins)
    return bool(fit.state[0] - chi_square > scale * expected)
