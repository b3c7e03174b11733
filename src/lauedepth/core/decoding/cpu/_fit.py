"""Box fits and footprints, as in `reference.box_fit`."""

from __future__ import annotations

import math

import numpy as np

from lauedepth.core.decoding.compiled.centroid import log_narrowing
from lauedepth.core.decoding.compiled.decisions import centroid_slope, parameters_of, set_bounds
from lauedepth.core.decoding.compiled.jit import compiled, compiled_fast
from lauedepth.core.decoding.compiled.linear import cholesky, substitute
from lauedepth.core.decoding.compiled.rays import ray_line
from lauedepth.core.decoding.compiled.types import (
    BACKGROUND,
    BOX,
    BOXES,
    CENTRE,
    CENTROID_VARIANCE,
    CHI_SQUARE,
    FREEDOM,
    INTENSITY,
    LOG_ABSORPTION,
    NARROWING,
    WIDTH,
    Array,
    Fit,
)
from lauedepth.core.decoding.cpu._linear import dot, nnls, weighted_gram
from lauedepth.core.decoding.cpu._shadow import average, build_integral, fill_frames
from lauedepth.core.decoding.cpu._types import View, Work
from lauedepth.core.decoding.limits import (
    CONVERGED,
    DAMPING_RETRY,
    DAMPING_START,
    FIT_ROUNDS,
    LOG_STEP,
    TINY,
)


@compiled
def fill_box(
    view: View,
    integral: Array,
    absorption: float,
    centre: float,
    width: float,
    mean: Array,
    work: Work,
) -> None:
    """Fill in T averaged over a box, and T at its ends into the first two lines of `work`."""
    begin = ray_line(view.pixel, view.geometry, centre - 0.5 * width)
    end = ray_line(view.pixel, view.geometry, centre + 0.5 * width)
    for which, line in enumerate((begin, end)):
        fill_frames(view, integral, absorption, line, work.lines[which], work.lines[2 + which])
    average(begin, end, view.positions, work.lines[0], work.lines[2], work.lines[3], mean)


@compiled_fast
def _box_slopes(
    intensity: float,
    width: float,
    lines: Array,
    mean: Array,
    by_centre: Array,
    by_width: Array,
    expected: Array,
) -> None:
    """Add a box to the expected trace, and fill in its derivatives by centre and width."""
    scale = intensity / width
    for k in range(mean.size):
        expected[k] += intensity * mean[k]
        by_centre[k] = scale * (lines[1, k] - lines[0, k])
        by_width[k] = scale * (0.5 * (lines[0, k] + lines[1, k]) - mean[k])


@compiled
def model(
    view: View,
    absorption: float,
    theta: Array,
    boxes: int,
    with_absorption: bool,
    expected: Array,
    slopes: Array,
    work: Work,
) -> None:
    """Fill in the expected trace and its derivatives by every parameter."""
    integral = view.integral
    shifted = absorption
    if with_absorption:
        absorption = math.exp(theta[BOX * boxes + LOG_ABSORPTION])
        shifted = math.exp(theta[BOX * boxes + LOG_ABSORPTION] + LOG_STEP)
        integral = work.fitted
        build_integral(view.knots, view.bars, view.rises, absorption, integral)
        build_integral(view.knots, view.bars, view.rises, shifted, work.shifted)
        slopes[BOX * boxes + LOG_ABSORPTION, :] = 0.0
    expected[:] = theta[BOX * boxes + BACKGROUND]
    slopes[BOX * boxes + BACKGROUND, :] = 1.0
    for number in range(boxes):
        at = BOX * number
        centre, width, intensity = theta[at + CENTRE], theta[at + WIDTH], theta[at + INTENSITY]
        mean = slopes[at + INTENSITY]
        if with_absorption:
            fill_box(view, work.shifted, shifted, centre, width, work.lines[4], work)
        fill_box(view, integral, absorption, centre, width, mean, work)
        _box_slopes(
            intensity, width, work.lines, mean, slopes[at + CENTRE], slopes[at + WIDTH], expected
        )  # fmt: skip
        if with_absorption:
            by_absorption = slopes[BOX * boxes + LOG_ABSORPTION]
            for k in range(mean.size):
                by_absorption[k] += intensity * (work.lines[4, k] - mean[k]) / LOG_STEP


@compiled
def start_fit(
    view: View,
    absorption: float,
    counts: Array,
    theta: Array,
    boxes: int,
    with_absorption: bool,
    background: float,
    work: Work,
) -> None:
    """Set bounds, and intensities and background by least squares on the shapes given."""
    level = counts.sum() / view.measured
    integral = view.integral
    if with_absorption:
        absorption = math.exp(theta[BOX * boxes + LOG_ABSORPTION])
        integral = work.fitted
        build_integral(view.knots, view.bars, view.rises, absorption, integral)
    for number in range(boxes):
        fill_box(
            view, integral, absorption, theta[BOX * number + CENTRE], theta[BOX * number + WIDTH],
            work.slopes[number], work,
        )  # fmt: skip
    work.slopes[boxes, :] = 1.0
    work.weights[:] = view.mask
    least_squares(boxes + 1, counts, work, 0)
    set_bounds(level, theta, boxes, with_absorption, background, work.values, work.low, work.high)


@compiled
def least_squares(size: int, counts: Array, work: Work, solved: int) -> float:
    """Solve for non-negative multiples of `work.slopes` that sum to the counts.

    Returns chi-square; the multiples are in `work.values`, where those of the first `solved`
    rows already hold the solution without the others.
    """
    gram, moments, values = work.gram, work.moments, work.values
    weighted_gram(work.slopes, work.weights, solved, size, work.scaled, gram)
    for k in range(counts.size):
        work.scaled[k] = work.weights[k] * counts[k]
    norm = dot(work.scaled, counts)
    for row in range(solved, size):
        moments[row] = dot(work.scaled, work.slopes[row])
    nnls(gram, moments, size, solved, values, work.factor, work.members)
    chi_square = norm
    for row in range(size):
        chi_square -= 2.0 * values[row] * moments[row]
        for column in range(row):
            chi_square += 2.0 * values[row] * values[column] * gram[row, column]
        chi_square += values[row] ** 2 * gram[row, row]
    return chi_square


@compiled_fast
def fill_weights(expected: Array, mask: Array, weights: Array) -> None:
    """Fill in 1/variance of counts with this expectation; below one count it is one."""
    for k in range(expected.size):
        weights[k] = mask[k] / max(expected[k], 1.0)


@compiled_fast
def cost(counts: Array, expected: Array, weights: Array) -> float:
    """Return the weighted sum of squared differences."""
    total = 0.0
    for k in range(counts.size):
        total += weights[k] * (counts[k] - expected[k]) ** 2
    return total


@compiled_fast
def normal_matrix(
    slopes: Array, free: Array, count: int, weights: Array, scaled: Array, gram: Array
) -> None:
    """Fill in the lower triangle of the Fisher matrix of the free parameters."""
    for row in range(count):
        one = slopes[free[row]]
        for k in range(weights.size):
            scaled[k] = one[k] * weights[k]
        for column in range(row + 1):
            two = slopes[free[column]]
            total = 0.0
            for k in range(weights.size):
                total += scaled[k] * two[k]
            gram[row, column] = total
        gram[row, row] += TINY


@compiled
def scoring_step(
    view: View, counts: Array, fit: Fit, count: int, damping: float, step: Array, work: Work
) -> bool:
    """Fill in the step of the free parameters; False where none is worth taking."""
    fill_weights(fit.expected, view.mask, work.weights)
    normal_matrix(work.slopes, work.members, count, work.weights, work.scaled, work.gram)
    for k in range(counts.size):
        work.scaled[k] = work.weights[k] * (counts[k] - fit.expected[k])
    for row in range(count):
        work.gram[row, row] *= 1.0 + damping
        step[row] = dot(work.slopes[work.members[row]], work.scaled)
    if not cholesky(work.gram, count):
        return False
    work.moments[:count] = step[:count]
    substitute(work.gram, count, step)
    return dot(work.moments[:count], step) > CONVERGED


@compiled
def fit_boxes(
    view: View,
    absorption: float,
    counts: Array,
    fit: Fit,
    boxes: int,
    with_absorption: bool,
    background: float,
    work: Work,
) -> None:
    """Fit boxes by Fisher scoring, from the shapes in `fit.theta` on."""
    theta = fit.theta
    start_fit(view, absorption, counts, theta, boxes, with_absorption, background, work)
    size = parameters_of(boxes, with_absorption)
    count = 0
    for number in range(size):
        if work.high[number] > work.low[number]:
            work.members[count] = number
            count += 1
    trial = np.empty(size)
    step = np.empty(size)
    model(view, absorption, theta, boxes, with_absorption, fit.expected, work.slopes, work)
    damping = DAMPING_START
    for _ in range(FIT_ROUNDS):
        if not scoring_step(view, counts, fit, count, damping, step, work):
            break
        trial[:] = theta[:size]
        for row in range(count):
            number = work.members[row]
            moved = theta[number] + step[row]
            trial[number] = min(max(moved, work.low[number]), work.high[number])
        model(
            view, absorption, trial, boxes, with_absorption,
            work.trial_expected, work.trial_slopes, work,
        )  # fmt: skip
        before = cost(counts, fit.expected, work.weights)
        after = cost(counts, work.trial_expected, work.weights)
        if not after <= before:
            damping = max(10.0 * damping, DAMPING_RETRY)
            continue
        theta[:size] = trial
        fit.expected[:] = work.trial_expected
        work.slopes[:size] = work.trial_slopes[:size]
        damping *= 0.1
    _finish(view, counts, fit, boxes, count, size, work)
    fit.state[FREEDOM] = view.measured - count
    fit.state[BOXES] = boxes


@compiled
def _finish(
    view: View, counts: Array, fit: Fit, boxes: int, count: int, size: int, work: Work
) -> None:
    """Fill in the variance of each parameter and chi-square."""
    fill_weights(fit.expected, view.mask, work.weights)
    fit.state[CHI_SQUARE] = cost(counts, fit.expected, work.weights)
    normal_matrix(work.slopes, work.members, count, work.weights, work.scaled, work.gram)
    fit.state[NARROWING] = 0.0
    background = BOX * boxes + BACKGROUND
    if work.high[background] > work.low[background]:
        fit.state[NARROWING] = log_narrowing(work.gram, fit.theta, boxes, work.factor)
    fit.variance[:size] = 0.0
    good = cholesky(work.gram, count)
    unit = np.zeros(count)
    for row in range(count):
        unit[:] = 0.0
        unit[row] = 1.0
        substitute(work.gram, count, unit)
        fit.variance[work.members[row]] = abs(unit[row]) if good else np.inf
    pull = np.zeros(count)
    for row in range(count):
        pull[row] = unit[row] = centroid_slope(fit.theta, boxes, work.members[row])
    substitute(work.gram, count, unit)
    fit.state[CENTROID_VARIANCE] = abs(dot(pull, unit)) if good else np.inf


@compiled
def fill_bins(
    view: View,
    absorption: float,
    start_um: float,
    width_um: float,
    rows: Array,
    count: int,
    work: Work,
) -> None:
    """Fill in T averaged over each of `count` neighbouring bins, one row each."""
    before = ray_line(view.pixel, view.geometry, start_um)
    for edge in range(count + 1):
        line = ray_line(view.pixel, view.geometry, start_um + width_um * edge)
        here, there = edge % 2, 1 - edge % 2
        fill_frames(view, view.integral, absorption, line, None, work.lines[here])
        if edge > 0:
            average(
                before, line, view.positions, None, work.lines[there], work.lines[here],
                rows[edge - 1],
            )  # fmt: skip
        before = line
