"""Compiled: small dense linear algebra for the fits."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from lauedepth.core.decoding.cpu._types import Array


@njit(cache=True, nogil=True, error_model="numpy")
def cholesky(matrix: Array, size: int) -> bool:
    """Factor a positive definite matrix in place (lower triangle); False if it is not."""
    for row in range(size):
        for column in range(row + 1):
            total = matrix[row, column]
            for inner in range(column):
                total -= matrix[row, inner] * matrix[column, inner]
            if row == column:
                if not total > 0.0:
                    return False
                matrix[row, row] = math.sqrt(total)
            else:
                matrix[row, column] = total / matrix[column, column]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def substitute(factor: Array, size: int, vector: Array) -> None:
    """Solve with a Cholesky factor, in place."""
    for row in range(size):
        total = vector[row]
        for inner in range(row):
            total -= factor[row, inner] * vector[inner]
        vector[row] = total / factor[row, row]
    for row in range(size - 1, -1, -1):
        total = vector[row]
        for inner in range(row + 1, size):
            total -= factor[inner, row] * vector[inner]
        vector[row] = total / factor[row, row]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def dot(one: Array, two: Array) -> float:
    """Return the inner product."""
    total = 0.0
    for k in range(one.size):
        total += one[k] * two[k]
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
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


@njit(cache=True, nogil=True, error_model="numpy")
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
            if _move(values, trial, members, count, inside):
                break


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def _steepest(
    gram: Array, moments: Array, size: int, values: Array, inside: Array, least: float
) -> int:
    enter, best = -1, least
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


@njit(cache=True, nogil=True, error_model="numpy")
def _move(values: Array, trial: Array, members: Array, count: int, inside: Array) -> bool:
    """Go to the trial point, or until a value reaches zero; True if all the way."""
    part, first = 1.0, -1
    for index in range(count):
        if trial[index] <= 0.0:
            value = values[members[index]]
            reach = value / (value - trial[index]) if value > trial[index] else 0.0
            if first < 0 or reach < part:
                part, first = reach, index
    for index in range(count):
        row = members[index]
        values[row] += part * (trial[index] - values[row])
    if first < 0:
        return True
    values[members[first]] = 0.0
    inside[members[first]] = False
    return False
