"""Where footprints lie, and how well that is known, as in `reference.footprint_centroid`.

The equations of the bins' values are set up, factored by the decoder that calls, and evaluated.
"""

from __future__ import annotations

import math

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.compiled.jit import compiled
from lauedepth.core.decoding.compiled.linear import cholesky, substitute
from lauedepth.core.decoding.compiled.types import (
    BEGIN,
    BOX,
    CENTROID,
    COUNT,
    END,
    FIRST,
    INTENSITY,
    TOTAL,
    VARIANCE,
    Array,
)

KNOWN_CENTRE, KNOWN_WIDTH, KNOWN_INTENSITY = limits.BOX_KNOWN
AT_ENDS = limits.WANDER_AT_ENDS
INSIDE = limits.WANDER_INSIDE
OUTSIDE = limits.WANDER_OUTSIDE


@compiled
def log_narrowing(normal: Array, theta: Array, boxes: int, factor: Array) -> float:
    """Return ln det(I + Q F) of the boxes' parameters; the background may be any.

    Parameters
    ----------
    normal : array
        Lower triangle of the Fisher matrix of boxes and background.
    theta : array
        Parameters of the boxes.
    boxes : int
    factor : scratch
        As large as `normal`.
    """
    size = BOX * boxes + 1
    total = -math.log(normal[size - 1, size - 1])
    for row in range(size):
        for column in range(row + 1):
            factor[row, column] = normal[row, column]
    for number in range(boxes):
        at = BOX * number
        intensity = KNOWN_INTENSITY * max(theta[at + INTENSITY], limits.TINY)
        factor[at, at] += KNOWN_CENTRE**-2
        factor[at + 1, at + 1] += KNOWN_WIDTH**-2
        factor[at + 2, at + 2] += intensity**-2
        total += 2.0 * math.log(KNOWN_CENTRE * KNOWN_WIDTH * intensity)
    if not cholesky(factor, size):
        return 0.0
    for row in range(size):
        total += 2.0 * math.log(factor[row, row])
    return total


@compiled
def set_boxes(
    sources: Array,
    supports: Array,
    number_of: int,
    bins: Array,
    background: float,
    before: Array,
    stiffness: Array,
) -> None:
    """Fill in the values of the boxes that bins share out, and how stiffly these are held.

    Parameters
    ----------
    before : array
        Values, one source behind the other, and the background.
    stiffness : array
        Inverse variance of the step from one value to the next, at all edges of the bins of each
        source: one more than these.
    """
    at = 0
    for number in range(number_of):
        first, count = supports[number, FIRST], supports[number, COUNT]
        begin, end = sources[number, BEGIN], sources[number, END]
        total = 0.0
        for inner in range(count):
            edge = bins[0] + bins[1] * (first + inner)
            shared = max(min(edge + bins[1], end) - max(edge, begin), 0.0)
            before[at + inner] = shared
            total += shared
        for inner in range(count):
            if total > 0.0:
                before[at + inner] *= sources[number, TOTAL] / total
        height = sources[number, TOTAL] * bins[1] / max(end - begin, bins[1])
        ends = 1.0 / (height * AT_ENDS) ** 2
        inside = 1.0 / ((height * INSIDE) ** 2 * bins[1])
        outside = 1.0 / ((height * OUTSIDE) ** 2 * bins[1])
        for inner in range(count + 1):
            edge = bins[0] + bins[1] * (first + inner)
            held = inside if begin < edge < end else outside
            near = min(abs(edge - begin), abs(edge - end)) < bins[1]
            stiffness[at + number + inner] = ends if near else held
        at += count
    before[at] = background


@compiled
def set_equations(
    gram: Array,
    moments: Array,
    order: Array,
    supports: Array,
    number_of: int,
    before: Array,
    stiffness: Array,
    factor: Array,
    push: Array,
    start: int,
    stride: int,
) -> None:
    """Fill in, for every `stride`-th value, the matrix and what pulls it away from the boxes'.

    Parameters
    ----------
    gram, moments : arrays
        Of the bins' columns and the background's, in any order; the lower triangle.
    order : int array
        Where the column of each value is; the background is the last.
    before, stiffness : arrays
        See `set_boxes`.
    factor, push : arrays
        Filled in.
    """
    behind = supports[0, COUNT]
    size = behind + (supports[1, COUNT] if number_of == 2 else 0) + 1
    for row in range(start, size, stride):
        here = order[row]
        total = moments[here]
        for column in range(size):
            there = order[column]
            entry = gram[here, there] if there <= here else gram[there, here]
            total -= entry * before[column]
            if column <= row:
                factor[row, column] = entry
        push[row] = total
        if row == size - 1:
            continue
        begin, edge = (0, row) if row < behind else (behind, row + 1)
        factor[row, row] += stiffness[edge] + stiffness[edge + 1]
        if row > begin:
            factor[row, row - 1] -= stiffness[edge]


@compiled
def _sum_stiffness(
    supports: Array, number_of: int, stiffness: Array, step: Array
) -> tuple[float, float]:
    """Return what a step costs, and the logarithm of the stiffness's determinant."""
    cost = log_determinant = 0.0
    at = 0
    for number in range(number_of):
        count = supports[number, COUNT]
        slack = last = 0.0
        for inner in range(count + 1):
            value = step[at + inner] if inner < count else 0.0
            part = stiffness[at + number + inner]
            cost += part * (value - last) ** 2
            log_determinant += math.log(part)
            slack += 1.0 / part
            last = value
        log_determinant += math.log(slack)
        at += count
    return cost, log_determinant


@compiled
def weigh_shapes(
    sources: Array,
    supports: Array,
    number_of: int,
    bins: Array,
    moments: Array,
    order: Array,
    background_gram: float,
    before: Array,
    stiffness: Array,
    factor: Array,
    push: Array,
    step: Array,
    norm: float,
    chi_square: float,
    freedom: float,
    narrowing: float,
) -> tuple[float, float]:
    """Weigh any shape against even light; put centroids and variances into the sources.

    Parameters
    ----------
    sources : (2, 5) array
        With centroids and variances of even light; replaced by those of both.
    supports, number_of, moments, order
        As for `set_equations`.
    background_gram : float
        The background's entry of the Gram matrix.
    before, stiffness : arrays
        See `set_boxes`; the values are replaced by those of any shape.
    factor : array
        Factor of the matrix.
    push : array
        Overwritten.
    step : array
        Overwritten.
    norm : float
        Sum of the squares of the counts, weighted.
    chi_square, freedom, narrowing : float
        Of the boxes.

    Returns
    -------
    tuple of float
        Chi-square and the background of both.
    """
    size = supports[0, COUNT] + (supports[1, COUNT] if number_of == 2 else 0) + 1
    background = before[size - 1]
    least, log_left = norm, -math.log(background_gram)
    for row in range(size):
        step[row] = push[row]
        least -= before[row] * (moments[order[row]] + push[row])
        log_left += 2.0 * math.log(factor[row, row])
    substitute(factor, size, step)
    for row in range(size):
        least -= push[row] * step[row]
    cost, log_possible = _sum_stiffness(supports, number_of, stiffness, step)
    shaped = least - cost
    scale = max(1.0, shaped / freedom)
    log_odds = 0.5 * ((chi_square - least) / scale - log_left + log_possible + narrowing)
    odds = 1.0 / (1.0 + math.exp(-min(max(log_odds, -700.0), 700.0)))
    for row in range(size):
        before[row] += step[row]
    at = 0
    for number in range(number_of):
        _blend(sources[number], supports[number], bins, before, at, size, factor, push, odds, scale)
        at += supports[number, COUNT]
    return (
        (1.0 - odds) * chi_square + odds * shaped,
        (1.0 - odds) * background + odds * max(before[size - 1], 0.0),
    )


@compiled
def _blend(
    source: Array,
    support: Array,
    bins: Array,
    values: Array,
    begin: int,
    size: int,
    factor: Array,
    slope: Array,
    odds: float,
    scale: float,
) -> None:
    """Blend the centroid of a footprint of any shape into that of even light, by its odds."""
    low = bins[0] + bins[1] * support[FIRST]
    total = moment = 0.0
    for inner in range(support[COUNT]):
        total += values[begin + inner]
        moment += values[begin + inner] * (low + bins[1] * (inner + 0.5))
    if not total > 0.0:
        return
    middle = moment / total
    if not low < middle < low + bins[1] * support[COUNT]:
        return
    for row in range(size):
        slope[row] = 0.0
    for inner in range(support[COUNT]):
        slope[begin + inner] = (low + bins[1] * (inner + 0.5) - middle) / total
    substitute(factor, size, slope)
    variance = 0.0
    for inner in range(support[COUNT]):
        variance += slope[begin + inner] * (low + bins[1] * (inner + 0.5) - middle) / total
    even = source[CENTROID]
    centroid = (1.0 - odds) * even + odds * middle
    source[VARIANCE] = (1.0 - odds) * (source[VARIANCE] + (even - centroid) ** 2) + odds * (
        scale * variance + (middle - centroid) ** 2
    )
    source[CENTROID] = centroid
