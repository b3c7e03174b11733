"""On the device: non-negative least squares by active sets, one problem per block."""

from __future__ import annotations

import math

from numba import cuda

from lauedepth.core.decoding.compiled import linear
from lauedepth.core.decoding.compiled.types import Array
from lauedepth.core.decoding.cuda._block import argmax, broadcast, total_of
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._types import Block, Solver

move = device(linear.move)


@device
def nnls(solver: Solver, size: int, block: Block) -> None:
    """Minimise x.G.x - 2 x.m over x >= 0: `solver.values`, from its Gram matrix and moments.

    Lawson and Hanson's method on the normal equations, as Bro and de Jong do it, in the same
    steps as `cpu`.
    """
    cuda.syncthreads()
    scale = 0.0
    for row in range(size):
        scale = max(scale, abs(solver.moments[row]))
    for row in range(block.thread, size, block.threads):
        solver.values[row] = 0.0
        solver.inside[row] = 1
    _start_positive(solver, size, block)
    for _ in range(3 * size + 10):
        pull, enter = _steepest(solver, size, block)
        if not pull > 1e-10 * scale:
            return
        if block.thread == 0:
            solver.inside[enter] = 1
        if not _settle(solver, size, block):
            return


@device
def _start_positive(solver: Solver, size: int, block: Block) -> None:
    """Start from all values, dropping those that come out negative until none does."""
    for _ in range(size):
        count = _gather(solver, size, block)
        if not factor_matrix(solver.factor, count, block):
            for row in range(block.thread, size, block.threads):
                solver.inside[row] = 0
            cuda.syncthreads()
            return
        substitute(solver.factor, count, solver.trial, block)
        dropped = 0.0
        if block.thread == 0:
            dropped = 1.0 if _drop_negative(solver, count) else 0.0
        if not broadcast(block, dropped) > 0.0:
            return


@device
def _drop_negative(solver: Solver, count: int) -> bool:
    """Let go of values that came out negative; take all where none did."""
    dropped = False
    for index in range(count):
        if solver.trial[index] <= 0.0:
            solver.inside[solver.members[index]] = 0
            dropped = True
    if not dropped:
        for index in range(count):
            solver.values[solver.members[index]] = solver.trial[index]
    return dropped


@device
def _steepest(solver: Solver, size: int, block: Block) -> tuple[float, int]:
    """Return the greatest pull on a value held at zero, and which one it is."""
    most, where = -math.inf, size
    for row in range(block.thread, size, block.threads):
        if solver.inside[row]:
            continue
        pull = solver.moments[row]
        for column in range(size):
            if solver.inside[column]:
                high, low = max(row, column), min(row, column)
                pull -= solver.gram[high, low] * solver.values[column]
        if pull > most:
            most, where = pull, row
    return argmax(block, most, where)


@device
def _settle(solver: Solver, size: int, block: Block) -> bool:
    """Go to the best point of the values let in, letting go of those that reach zero.

    Returns
    -------
    bool
        False where they are not independent.
    """
    for _ in range(size + 1):
        count = _gather(solver, size, block)
        if not factor_matrix(solver.factor, count, block):
            return False
        substitute(solver.factor, count, solver.trial, block)
        moved = 0.0
        if block.thread == 0:
            values, trial = solver.values, solver.trial
            all_the_way = move(values, trial, solver.members, count, solver.inside)
            moved = 1.0 if all_the_way else 0.0
        if broadcast(block, moved) > 0.0:
            return True
    return True


@device
def _gather(solver: Solver, size: int, block: Block) -> int:
    """List the values let in and copy their normal equations; return their number."""
    cuda.syncthreads()
    count = 0
    for row in range(size):
        if solver.inside[row]:
            if block.thread == 0:
                solver.members[count] = row
            count += 1
    cuda.syncthreads()
    for index in range(block.thread, count, block.threads):
        row = solver.members[index]
        solver.trial[index] = solver.moments[row]
        for column in range(index + 1):
            solver.factor[index, column] = solver.gram[row, solver.members[column]]
    cuda.syncthreads()
    return count


@device
def factor_matrix(matrix: Array, size: int, block: Block) -> bool:
    """Factor a positive definite matrix in place, column by column; False if it is not."""
    for column in range(size):
        for row in range(column + block.thread, size, block.threads):
            total = matrix[row, column]
            for inner in range(column):
                total -= matrix[row, inner] * matrix[column, inner]
            matrix[row, column] = total
        cuda.syncthreads()
        pivot = matrix[column, column]
        if not pivot > 0.0:
            return False
        root = math.sqrt(pivot)
        cuda.syncthreads()
        for row in range(column + block.thread, size, block.threads):
            matrix[row, column] = root if row == column else matrix[row, column] / root
        cuda.syncthreads()
    return True


@device
def substitute(factor: Array, size: int, vector: Array, block: Block) -> None:
    """Solve with a Cholesky factor, in place; threads take rows."""
    for column in range(size):
        cuda.syncthreads()
        value = vector[column] / factor[column, column]
        cuda.syncthreads()
        if block.thread == 0:
            vector[column] = value
        for row in range(column + 1 + block.thread, size, block.threads):
            vector[row] -= factor[row, column] * value
    for column in range(size - 1, -1, -1):
        cuda.syncthreads()
        value = vector[column] / factor[column, column]
        cuda.syncthreads()
        if block.thread == 0:
            vector[column] = value
        for row in range(block.thread, column, block.threads):
            vector[row] -= factor[column, row] * value
    cuda.syncthreads()


@device
def misfit(solver: Solver, size: int, norm: float, block: Block) -> float:
    """Return chi-square at the solution, given the counts' own weighted squares."""
    part = 0.0
    for row in range(block.thread, size, block.threads):
        inner = -2.0 * solver.moments[row] + solver.values[row] * solver.gram[row, row]
        for column in range(row):
            inner += 2.0 * solver.values[column] * solver.gram[row, column]
        part += solver.values[row] * inner
    return norm + total_of(block, part)
