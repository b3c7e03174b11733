"""Linear algebra of the fits: sums over frames, and non-negative least squares."""

from __future__ import annotations

import numpy as np

from lauedepth.core.decoding.compiled.jit import compiled, compiled_fast
from lauedepth.core.decoding.compiled.linear import cholesky, move, substitute
from lauedepth.core.decoding.compiled.types import Array


@compiled_fast
def dot(one: Array, two: Array) -> float:
    """Return the inner product."""
    total = 0.0
    for k in range(one.size):
        total += one[k] * two[k]
    return total


@compiled_fast
def weighted_gram(
    rows: Array, weights: Array, begin: int, size: int, scaled: Array, gram: Array
) -> None:
    """Fill in the lower triangle of rows . diag(weights) . rows^T, from row `begin` on."""
    for row in range(begin, size):
        for k in range(weights.size):
            scaled[k] = rows[row, k] * weights[k]
        even = (row + 1) // 4 * 4
        for column in range(0, even, 4):  # four at a time: the scaled row is read once
            one, two = rows[column], rows[column + 1]
            three, four = rows[column + 2], rows[column + 3]
            first = second = third = fourth = 0.0
            for k in range(weights.size):
                first += scaled[k] * one[k]
                second += scaled[k] * two[k]
                third += scaled[k] * three[k]
                fourth += scaled[k] * four[k]
            gram[row, column], gram[row, column + 1] = first, second
            gram[row, column + 2], gram[row, column + 3] = third, fourth
        for column in range(even, row + 1):
            gram[row, column] = dot(scaled, rows[column])


@compiled
def nnls(
    gram: Array,
    moments: Array,
    size: int,
    solved: int,
    values: Array,
    factor: Array,
    members: Array,
) -> None:
    """Minimise x.G.x - 2 x.m over x >= 0 by active sets.

    Lawson and Hanson's method on the normal equations, as Bro and de Jong do it.

    Parameters
    ----------
    gram : (>= size, >= size) array
        Lower triangle of G.
    moments : (>= size,) array
    size : int
    solved : int
        How many of the first values hold the solution without the others.
    values : (>= size,) array
        Filled with x.
    factor, members : scratch
        As large as `gram`, and an int64 array of `size`.
    """
    scale = 0.0
    for row in range(size):
        scale = max(scale, abs(moments[row]))
    inside = np.ones(size, np.bool_)
    trial = np.zeros(size)
    if solved > 0:
        inside[:] = values[:size] > 0.0
    else:
        _positive_start(gram, moments, size, values, inside, trial, factor, members)
    for _ in range(3 * size + 10):
        enter = _steepest(gram, moments, size, values, inside, 1e-10 * scale)
        if enter < 0:
            return
        inside[enter] = True
        for _ in range(size + 1):
            count = _solve_inside(gram, moments, size, inside, trial, factor, members)
            if count < 0:
                inside[enter] = False
                return
            if move(values, trial, members, count, inside):
                break


@compiled
def _solve_inside(
    gram: Array,
    moments: Array,
    size: int,
    inside: Array,
    trial: Array,
    factor: Array,
    members: Array,
) -> int:
    """Solve for the members of the active set; return their number, -1 if singular."""
    count = 0
    for row in range(size):
        if inside[row]:
            members[count] = row
            trial[count] = moments[row]
            for column in range(count + 1):
                factor[count, column] = gram[row, members[column]]
            count += 1
    if not cholesky(factor, count):
        return -1
    substitute(factor, count, trial)
    return count


@compiled
def _positive_start(
    gram: Array,
    moments: Array,
    size: int,
    values: Array,
    inside: Array,
    trial: Array,
    factor: Array,
    members: Array,
) -> None:
    """Start from all members, dropping those that come out negative until none does."""
    values[:size] = 0.0
    for _ in range(size):
        count = _solve_inside(gram, moments, size, inside, trial, factor, members)
        if count < 0:
            inside[:] = False
            return
        negative = False
        for index in range(count):
            if trial[index] <= 0.0:
                inside[members[index]] = False
                negative = True
        if not negative:
            for index in range(count):
                values[members[index]] = trial[index]
            return


@compiled
def _steepest(
    gram: Array, moments: Array, size: int, values: Array, inside: Array, minimum: float
) -> int:
    enter, best = -1, minimum
    for row in range(size):
        if inside[row]:
            continue
        pull = moments[row]
        for column in range(size):
            entry = gram[row, column] if column <= row else gram[column, row]
            pull -= entry * values[column]
        if pull > best:
            enter, best = row, pull
    return enter
