"""On the device: the expected trace of boxes, and the sums that a fit needs of it.

Nothing is stored per frame but the expectation: each thread walks along its own stretch of
the trace and adds what each frame contributes to the normal matrix, the gradient and the costs.
"""

from __future__ import annotations

import math

import numpy as np
from numba import cuda

from lauedepth.core.decoding.compiled import decisions
from lauedepth.core.decoding.compiled.types import (
    BACKGROUND,
    BOX,
    CENTRE,
    INTENSITY,
    LOG_ABSORPTION,
    MOST_PARAMETERS,
    WIDTH,
    Array,
)
from lauedepth.core.decoding.cuda._block import chunk_of, clear_sums, reduce
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._shadow import (
    average,
    build_integral,
    follow,
    light_at,
    piece_of,
    ray_line,
)
from lauedepth.core.decoding.cuda._types import Block, View
from lauedepth.core.decoding.limits import LOG_STEP

parameters_of = device(decisions.parameters_of)


@device
def triangle(size: int) -> int:
    """Return how many entries the lower triangle of a matrix has."""
    return size * (size + 1) // 2


@device
def _set_integrals(view: View, absorption: float, block: Block) -> None:
    """Fill in the integrals for a fitted absorption and for a slightly stronger one."""
    for which in range(2):
        integral = view.fitted if which == 0 else view.shifted
        build_integral(view, absorption * math.exp(which * LOG_STEP), integral, block)


@device
def _set_lines(view: View, theta: Array, boxes: int, lines: Array, begin: int) -> None:
    """Fill in (a, b, piece at the first frame) of the rays from both ends of each box."""
    first = view.positions[min(begin, view.positions.size - 1)]
    for number in range(2 * boxes):
        box = BOX * (number // 2)
        side = -0.5 if number % 2 == 0 else 0.5
        a, b = ray_line(view.pixel, view.geometry, theta[box + CENTRE] + side * theta[box + WIDTH])
        lines[number, 0], lines[number, 1] = a, b
        lines[number, 2] = piece_of(view.knots, a + b * first)


@device
def _mean_light(
    view: View, integral: Array, absorption: float, lines: Array, box: int, k: int
) -> tuple[float, float, float]:
    """Return T at both ends of a box at a frame, and its mean over the box."""
    position = view.positions[k]
    u = lines[2 * box, 0] + lines[2 * box, 1] * position
    v = lines[2 * box + 1, 0] + lines[2 * box + 1, 1] * position
    begin, end = int(lines[2 * box, 2]), int(lines[2 * box + 1, 2])
    first, before = light_at(view, integral, absorption, u, begin)
    last, after = light_at(view, integral, absorption, v, end)
    return first, last, average(v - u, first, after - before)


@device
def _follow_lines(view: View, lines: Array, boxes: int, k: int) -> None:
    for number in range(2 * boxes):
        u = lines[number, 0] + lines[number, 1] * view.positions[k]
        lines[number, 2] = follow(view.knots, u, int(lines[number, 2]))


@device
def _expect(
    view: View,
    integral: Array,
    absorption: float,
    theta: Array,
    boxes: int,
    absorbing: bool,
    lines: Array,
    k: int,
    slopes: Array,
) -> float:
    """Return the expected counts at a frame, and fill in the derivatives."""
    expected = theta[BOX * boxes + BACKGROUND]
    slopes[BOX * boxes + BACKGROUND] = 1.0
    by_absorption = 0.0
    _follow_lines(view, lines, boxes, k)
    for box in range(boxes):
        width, intensity = theta[BOX * box + WIDTH], theta[BOX * box + INTENSITY]
        first, last, mean = _mean_light(view, integral, absorption, lines, box, k)
        expected += intensity * mean
        slopes[BOX * box + CENTRE] = intensity / width * (last - first)
        slopes[BOX * box + WIDTH] = intensity / width * (0.5 * (first + last) - mean)
        slopes[BOX * box + INTENSITY] = mean
        if absorbing:
            shifted = _mean_light(
                view, view.shifted, absorption * math.exp(LOG_STEP), lines, box, k
            )[2]
            by_absorption += intensity * (shifted - mean) / LOG_STEP
    if absorbing:
        slopes[BOX * boxes + LOG_ABSORPTION] = by_absorption
    return float(expected)


@device
def evaluate(
    view: View,
    absorption: float,
    theta: Array,
    boxes: int,
    absorbing: bool,
    old: Array,
    new: Array,
    block: Block,
) -> None:
    """Fill in the trace expected of parameters, and sums over its frames.

    The sums are the lower triangle of the Fisher matrix, the gradient, the cost under this
    expectation's own variances, and the cost under those of the `old` one.
    """
    size = parameters_of(boxes, absorbing)
    integral = view.integral
    if absorbing:
        absorption = math.exp(theta[BOX * boxes + LOG_ABSORPTION])
        integral = view.fitted
        _set_integrals(view, absorption, block)
    slopes = cuda.local.array(MOST_PARAMETERS, np.float64)
    lines = cuda.local.array((4, 3), np.float64)
    begin, end = chunk_of(block, view.counts.size)
    _set_lines(view, theta, boxes, lines, begin)
    clear_sums(block, triangle(size) + size + 2)
    for k in range(begin, end):
        if view.counts[k] >= 0.0:
            new[k] = _expect(view, integral, absorption, theta, boxes, absorbing, lines, k, slopes)
            _gather(block, size, slopes, view.counts[k], view.beam[k], old[k], new[k])
    reduce(block, triangle(size) + size + 2)


@device
def _gather(
    block: Block, size: int, slopes: Array, counts: float, beam: float, old: float, new: float
) -> None:
    """Add what one frame contributes to this thread's parts of the sums."""
    weight = beam / max(new, 1.0)
    left = counts - new
    entry = 0
    for row in range(size):
        scaled = slopes[row] * weight
        for column in range(row + 1):
            block.partial[entry, block.thread] += scaled * slopes[column]
            entry += 1
    for row in range(size):
        block.partial[entry + row, block.thread] += slopes[row] * weight * left
    block.partial[entry + size, block.thread] += weight * left * left
    block.partial[entry + size + 1, block.thread] += beam * left * left / max(old, 1.0)


@device
def gather_shapes(
    view: View, absorption: float, theta: Array, boxes: int, absorbing: bool, block: Block
) -> None:
    """Fill in the sums for intensities of fixed shapes on a background, weighted by the beam.

    The sums are the lower triangle of the Gram matrix and the moments.
    """
    integral = view.integral
    if absorbing:
        absorption = math.exp(theta[BOX * boxes + LOG_ABSORPTION])
        integral = view.fitted
        build_integral(view, absorption, integral, block)
    means = cuda.local.array(3, np.float64)
    lines = cuda.local.array((4, 3), np.float64)
    begin, end = chunk_of(block, view.counts.size)
    _set_lines(view, theta, boxes, lines, begin)
    clear_sums(block, triangle(boxes + 1) + boxes + 1)
    for k in range(begin, end):
        if view.counts[k] < 0.0:
            continue
        _follow_lines(view, lines, boxes, k)
        for box in range(boxes):
            means[box] = _mean_light(view, integral, absorption, lines, box, k)[2]
        means[boxes] = 1.0
        entry = 0
        for row in range(boxes + 1):
            for column in range(row + 1):
                block.partial[entry, block.thread] += view.beam[k] * means[row] * means[column]
                entry += 1
        for row in range(boxes + 1):
            block.partial[entry + row, block.thread] += view.beam[k] * means[row] * view.counts[k]
    reduce(block, triangle(boxes + 1) + boxes + 1)
