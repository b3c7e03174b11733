"""Small dense linear algebra."""

from __future__ import annotations

import math

from lauedepth.core.decoding.compiled.jit import compiled
from lauedepth.core.decoding.compiled.types import Array


@compiled
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


@compiled
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


@compiled
def move(values: Array, trial: Array, members: Array, count: int, inside: Array) -> bool:
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
