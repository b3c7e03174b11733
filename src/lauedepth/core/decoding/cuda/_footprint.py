"""On the device: the footprint on the stretches of depth that the boxes cover."""

from __future__ import annotations

import math

from numba import cuda

from lauedepth.core.decoding.compiled import footprint
from lauedepth.core.decoding.compiled.types import COUNT, FIRST, Array
from lauedepth.core.decoding.cuda._block import total_of
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
    tile: Array,
    place: int,
    block: Block,
) -> float:
    """Solve the footprint on the supports; return chi-square, values in `solver.values`.

    A few frames at a time are modelled in the tile and added to the equations: the matrix of
    all frames would not fit into a multiprocessor's own memory.
    """
    size = columns_of(supports, number_of)
    weights, lines = workspace.weights[place], workspace.lines[place]
    _set_edges(view, bins, supports, number_of, lines, block)
    _clear_equations(size, solver, block)
    pitch = size | 1  # odd: rows of neighbouring threads begin in other banks
    length = min(block.threads, tile.size // pitch)
    for first in range(0, view.counts.size, length):
        count = min(length, view.counts.size - first)
        _fill_tile(view, absorption, supports, number_of, lines, first, count, pitch, tile, block)
        _add_frames(view, weights, first, count, size, pitch, tile, solver, block)
    norm = weighted_square(view, weights, block)
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
def _set_edges(
    view: View, bins: Array, supports: Array, number_of: int, lines: Array, block: Block
) -> None:
    """Fill in the lines that rays from the edges of the bins follow, one source after another."""
    cuda.syncthreads()
    begin = 0
    for number in range(number_of):
        start_um = bins[0] + bins[1] * supports[number, FIRST]
        edges = supports[number, COUNT] + 1
        for edge in range(block.thread, edges, block.threads):
            a, b = ray_line(view.pixel, view.geometry, start_um + bins[1] * edge)
            lines[begin + edge, 0], lines[begin + edge, 1] = a, b
        begin += edges
    cuda.syncthreads()


@device
def _clear_equations(size: int, solver: Solver, block: Block) -> None:
    for row in range(block.thread, size, block.threads):
        solver.moments[row] = 0.0
        for column in range(row + 1):
            solver.gram[row, column] = 0.0
    cuda.syncthreads()


@device
def _fill_tile(
    view: View,
    absorption: float,
    supports: Array,
    number_of: int,
    lines: Array,
    first: int,
    count: int,
    pitch: int,
    tile: Array,
    block: Block,
) -> None:
    """Fill in T averaged over each bin, then the background's 1, a row for each frame."""
    cuda.syncthreads()
    if block.thread < count:
        k, to, edge = first + block.thread, block.thread * pitch, 0
        position = view.positions[k]
        for number in range(number_of):
            u = lines[edge, 0] + lines[edge, 1] * position
            at = piece_of(view.knots, u)
            begin, before = light_at(view, view.integral, absorption, u, at)
            for _ in range(supports[number, COUNT]):
                edge += 1
                v = lines[edge, 0] + lines[edge, 1] * position
                at = follow(view.knots, v, at)
                end, after = light_at(view, view.integral, absorption, v, at)
                tile[to] = average(v - u, begin, after - before)
                to += 1
                u, begin, before = v, end, after
            edge += 1
        tile[to] = 1.0
    cuda.syncthreads()


@device
def _add_frames(
    view: View,
    weights: Array,
    first: int,
    count: int,
    size: int,
    pitch: int,
    tile: Array,
    solver: Solver,
    block: Block,
) -> None:
    """Add the tile's frames to the lower triangle of the weighted Gram matrix, and the moments."""
    for entry in range(block.thread, triangle(size), block.threads):
        row = int((math.sqrt(8.0 * entry + 1.0) - 1.0) / 2.0)
        column = entry - triangle(row)
        total = solver.gram[row, column]
        for frame in range(count):
            here = frame * pitch
            total += weights[first + frame] * tile[here + row] * tile[here + column]
        solver.gram[row, column] = total
    for row in range(block.thread, size, block.threads):
        total = solver.moments[row]
        for frame in range(count):
            k = first + frame
            if weights[k] > 0.0:
                total += weights[k] * view.counts[k] * tile[frame * pitch + row]
        solver.moments[row] = total
    cuda.syncthreads()


@device
def fill_weights(view: View, expected: Array, weights: Array, block: Block) -> None:
    """Fill in 1/variance of counts with this expectation; zero where none were measured."""
    cuda.syncthreads()
    for k in range(block.thread, view.counts.size, block.threads):
        weights[k] = view.beam[k] / max(expected[k], 1.0) if view.counts[k] >= 0.0 else 0.0
    cuda.syncthreads()
