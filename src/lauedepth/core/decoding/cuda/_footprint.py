"""On the device: the footprint on the stretches of depth that the boxes cover."""

from __future__ import annotations

import math

from numba import cuda

from lauedepth.core.decoding.compiled import footprint
from lauedepth.core.decoding.compiled.types import COUNT, FIRST, Array
from lauedepth.core.decoding.cuda._block import chunk_of, total_of
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._model import triangle
from lauedepth.core.decoding.cuda._nnls import misfit, nnls
from lauedepth.core.decoding.cuda._shadow import average, follow, light_at, piece_of, ray_line
from lauedepth.core.decoding.cuda._types import Block, Solver, SolveScratch, View

bins_of = device(footprint.bins_of)


@device
def columns_of(supports: Array, number_of: int) -> int:
    """Return how many unknowns footprints on these supports and a background have."""
    return bins_of(supports, number_of) + 1


@device
def solve_bins(
    view: View,
    absorption: float,
    bins: Array,
    supports: Array,
    number_of: int,
    workspace: SolveScratch,
    solver: Solver,
    place: int,
    block: Block,
) -> float:
    """Solve the footprint on the supports; return chi-square, values in `solver.values`."""
    size = columns_of(supports, number_of)
    rows, weights = workspace.rows[place], workspace.weights[place]
    begin = 0
    for number in range(number_of):
        first, count = supports[number, FIRST], supports[number, COUNT]
        start_um = bins[0] + bins[1] * first
        _fill_bins(
            view, absorption, start_um, bins[1], count, rows, begin, workspace.lines[place], block
        )
        begin += count
    for k in range(block.thread, view.counts.size, block.threads):
        rows[k, size - 1] = 1.0
    norm = weighted_square(view, weights, block)
    _fill_equations(view, rows, weights, size, solver, block)
    nnls(solver, size, block)
    return misfit(solver, size, norm, block)


@device
def weighted_square(view: View, weights: Array, block: Block) -> float:
    """Return the weighted sum of the squares of the counts."""
    norm = 0.0
    for k in range(block.thread, view.counts.size, block.threads):
        if weights[k] > 0.0:
            norm += weights[k] * view.counts[k] * view.counts[k]
    return total_of(block, norm)


@device
def _fill_bins(
    view: View,
    absorption: float,
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
    for edge in range(block.thread, count + 1, block.threads):
        a, b = ray_line(view.pixel, view.geometry, start_um + width_um * edge)
        lines[edge, 0], lines[edge, 1] = a, b
    cuda.syncthreads()
    begin, end = chunk_of(block, view.counts.size)
    for k in range(begin, end):
        position = view.positions[k]
        u = lines[0, 0] + lines[0, 1] * position
        at = piece_of(view.knots, u)
        first, before = light_at(view, view.integral, absorption, u, at)
        for edge in range(1, count + 1):
            v = lines[edge, 0] + lines[edge, 1] * position
            at = follow(view.knots, v, at)
            last, after = light_at(view, view.integral, absorption, v, at)
            rows[k, column + edge - 1] = average(v - u, first, after - before)
            u, first, before = v, last, after
    cuda.syncthreads()


@device
def _fill_equations(
    view: View, rows: Array, weights: Array, size: int, solver: Solver, block: Block
) -> None:
    """Fill in the lower triangle of the weighted Gram matrix, and the moments."""
    cuda.syncthreads()
    for entry in range(block.thread, triangle(size), block.threads):
        row = int((math.sqrt(8.0 * entry + 1.0) - 1.0) / 2.0)
        column = entry - triangle(row)
        total = 0.0
        for k in range(view.counts.size):
            total += weights[k] * rows[k, row] * rows[k, column]
        solver.gram[row, column] = total
    for row in range(block.thread, size, block.threads):
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
    for k in range(block.thread, view.counts.size, block.threads):
        weights[k] = view.beam[k] / max(expected[k], 1.0) if view.counts[k] >= 0.0 else 0.0
    cuda.syncthreads()
