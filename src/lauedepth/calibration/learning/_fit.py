"""Compiled: one pixel's own unknowns, and its part in the equations of the instrument."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lauedepth.calibration.learning._model import (
    ABSORPTION,
    BACKGROUND,
    CENTRE,
    LIGHT,
    SIZE,
    WIDTH,
    Shared,
    Work,
    edge_slope,
    fill_model,
)
from lauedepth.calibration.learning.limits import (
    ABSORPTION_RANGE,
    CONVERGED,
    HUBER,
    LOCAL_ROUNDS,
    NARROWEST_UM,
    SHAPE_SPREAD,
    SUB_BOXES,
    WIDEST_UM,
)
from lauedepth.core.decoding.compiled.jit import compiled
from lauedepth.core.decoding.compiled.linear import substitute
from lauedepth.core.decoding.compiled.types import Array

LOG_LOW, LOG_HIGH = math.log(ABSORPTION_RANGE[0]), math.log(ABSORPTION_RANGE[1])
DAMPING_START = 1e-3
DAMPING_MOST = 1e6
TINY = 1e-12


class Trace(NamedTuple):
    """One pixel.

    Its place along the aperture's axes (mm), counts, where they are measured (1, else 0), its
    window (µm), mean and precision of the log of its absorption.
    """

    pixel: Array
    counts: Array
    mask: Array
    window: float
    log_absorption: float
    precision: float


class Equations(NamedTuple):
    """Normal equations of what is shared, summed over pixels, before Schur's complement.

    Unknowns are positions, log of the beam (n_frames each), edges (n_edges), and the log of the
    window. `diagonal` (3, n_frames) holds position-position, position-beam and beam-beam;
    `mixed` (2, n_frames, n_edges + 1) both with edges and window; `edges` (n_edges + 1)² the
    rest; `push` the gradient of all.
    """

    diagonal: Array
    mixed: Array
    edges: Array
    push: Array


@compiled
def fill_weights(trace: Trace, shared: Shared, work: Work) -> float:
    """Fill in residuals and weights; return the trace's loss: chi-square with bounded pull."""
    loss = 0.0
    for k in range(trace.counts.size):
        expected = shared.beam[k] * work.light[k]
        variance = max(expected, 1.0)
        left = trace.counts[k] - expected
        size = abs(left) / math.sqrt(variance)
        trust = 1.0 if size <= HUBER else HUBER / size
        work.residual[k] = left
        work.weights[k] = trace.mask[k] * trust / variance
        loss += trace.mask[k] * (size**2 if size <= HUBER else HUBER * (2.0 * size - HUBER))
    return loss


@compiled
def weighted_square(trace: Trace, theta: Array, shared: Shared, work: Work) -> float:
    """Return the sum that a step minimises, with the weights as they stand."""
    total = trace.precision * (theta[ABSORPTION] - trace.log_absorption) ** 2
    mean = 0.0
    for k in range(trace.counts.size):
        left = trace.counts[k] - shared.beam[k] * work.light[k]
        total += work.weights[k] * left * left
    for box in range(SUB_BOXES):
        mean += theta[LIGHT + box] / SUB_BOXES
    stiff = 1.0 / max(SHAPE_SPREAD * mean, TINY) ** 2
    for box in range(SUB_BOXES):
        total += stiff * (theta[LIGHT + box] - mean) ** 2
    return float(total)


@compiled
def local_equations(
    trace: Trace, theta: Array, shared: Shared, matrix: Array, push: Array, work: Work
) -> None:
    """Fill in the pixel's own normal matrix and gradient, with what is known beforehand."""
    matrix[:] = 0.0
    push[:] = 0.0
    for k in range(trace.counts.size):
        weight = work.weights[k] * shared.beam[k]
        if weight == 0.0:
            continue
        left = weight * work.residual[k]
        weight *= shared.beam[k]
        for row in range(SIZE):
            scaled = weight * work.slopes[row, k]
            push[row] += left * work.slopes[row, k]
            for column in range(row + 1):
                matrix[row, column] += scaled * work.slopes[column, k]
    mean = 0.0
    for box in range(SUB_BOXES):
        mean += theta[LIGHT + box] / SUB_BOXES
    stiff = 1.0 / max(SHAPE_SPREAD * mean, TINY) ** 2
    for box in range(SUB_BOXES):
        push[LIGHT + box] -= stiff * (theta[LIGHT + box] - mean)
        matrix[LIGHT + box, LIGHT + box] += stiff
        for other in range(box + 1):
            matrix[LIGHT + box, LIGHT + other] -= stiff / SUB_BOXES
    matrix[ABSORPTION, ABSORPTION] += trace.precision
    push[ABSORPTION] -= trace.precision * (theta[ABSORPTION] - trace.log_absorption)


@compiled
def hold_bounds(theta: Array, low: Array, high: Array, matrix: Array, push: Array) -> None:
    """Take unknowns that lean on a bound out of the equations."""
    for row in range(SIZE):
        if (theta[row] <= low[row] and push[row] <= 0.0) or (
            theta[row] >= high[row] and push[row] >= 0.0
        ):
            for other in range(SIZE):
                matrix[max(row, other), min(row, other)] = 0.0
            matrix[row, row] = 1.0
            push[row] = 0.0


@compiled
def factorise(matrix: Array, factor: Array) -> bool:
    """Fill in the Cholesky factor; False where the matrix is not positive."""
    for row in range(SIZE):
        for column in range(row + 1):
            total = matrix[row, column]
            for inner in range(column):
                total -= factor[row, inner] * factor[column, inner]
            if row == column:
                if not total > TINY * matrix[row, row]:
                    return False
                factor[row, row] = math.sqrt(total)
            else:
                factor[row, column] = total / factor[column, column]
    return True


@compiled
def bounds_of(theta: Array, low: Array, high: Array) -> None:
    """Fill in the bounds of a pixel's unknowns, from where its fit begins."""
    reach = theta[WIDTH] + 6.0
    low[CENTRE], high[CENTRE] = theta[CENTRE] - reach, theta[CENTRE] + reach
    low[WIDTH], high[WIDTH] = NARROWEST_UM, WIDEST_UM
    # bars that let light through trade with the background: a bound at zero there, which a third
    # of bright pixels would lean on, makes bars look narrower by 0.05 µm
    low[LIGHT : BACKGROUND + 1], high[LIGHT : BACKGROUND + 1] = 0.0, np.inf
    low[BACKGROUND] = -np.inf
    low[ABSORPTION], high[ABSORPTION] = LOG_LOW, LOG_HIGH


@compiled
def fit_pixel(trace: Trace, theta: Array, shared: Shared, work: Work) -> float:
    """Fit a pixel's own unknowns, from `theta` on; return its loss.

    Fisher scoring with damping; the model and weights in `work` are those of the answer.
    """
    matrix, factor = np.empty((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    push, step, trial = np.empty(SIZE), np.empty(SIZE), np.empty(SIZE)
    low, high = np.empty(SIZE), np.empty(SIZE)
    bounds_of(theta, low, high)
    damping = DAMPING_START
    fill_model(trace.pixel, trace.window, theta, shared, work)
    loss = fill_weights(trace, shared, work)
    fresh = True
    for _ in range(LOCAL_ROUNDS):
        if not fresh:
            fill_model(trace.pixel, trace.window, theta, shared, work)
            loss = fill_weights(trace, shared, work)
        fresh = True
        local_equations(trace, theta, shared, matrix, push, work)
        hold_bounds(theta, low, high, matrix, push)
        for row in range(SIZE):
            matrix[row, row] *= 1.0 + damping
        step[:] = push
        if not factorise(matrix, factor):
            break
        substitute(factor, SIZE, step)
        gain = 0.0
        for row in range(SIZE):
            gain += step[row] * push[row]
            trial[row] = min(max(theta[row] + step[row], low[row]), high[row])
        if gain < CONVERGED:
            break
        before = weighted_square(trace, theta, shared, work)
        fill_model(trace.pixel, trace.window, trial, shared, work)
        fresh = False
        if weighted_square(trace, trial, shared, work) <= before:
            theta[:] = trial
            damping = max(0.1 * damping, 1e-8)
            loss = fill_weights(trace, shared, work)
            fresh = True
        else:
            damping *= 10.0
            if damping > DAMPING_MOST:
                break
    if not fresh:
        fill_model(trace.pixel, trace.window, theta, shared, work)
        loss = fill_weights(trace, shared, work)
    return loss


@compiled
def centroid_slope(theta: Array, parameter: int) -> float:
    """Return the derivative of a footprint's centroid by one of the pixel's unknowns."""
    total, moment = TINY, 0.0
    for box in range(SUB_BOXES):
        total += theta[LIGHT + box]
        moment += theta[LIGHT + box] * ((box + 0.5) / SUB_BOXES - 0.5)
    if parameter == CENTRE:
        return 1.0
    if parameter == WIDTH:
        return float(moment / total)
    if parameter < BACKGROUND:
        place = (parameter - LIGHT + 0.5) / SUB_BOXES - 0.5
        return float(theta[WIDTH] * (place - moment / total) / total)
    return 0.0


@compiled
def add_pixel(
    trace: Trace,
    theta: Array,
    scale: float,
    shared: Shared,
    equations: Equations,
    rows: Array,
    work: Work,
) -> bool:
    """Add a fitted pixel to the equations of the instrument.

    Parameters
    ----------
    theta : (SIZE,) array
        As fitted.
    scale : float
        What its weights are divided by.
    equations : Equations
        Added to.
    rows : (SIZE, n + 2) array
        Filled in with L^-1 C, then L^-1 times the pixel's own gradient, then L^-1 times the
        derivatives of its centroid: L L^T is the pixel's own normal matrix, C couples it to the
        n shared unknowns.

    Returns
    -------
    bool
        False where the pixel says nothing; `rows` are then zero.
    """
    fill_model(trace.pixel, trace.window, theta, shared, work)
    fill_weights(trace, shared, work)
    frames, edges = trace.counts.size, shared.edges.size
    matrix, factor, push = np.empty((SIZE, SIZE)), np.zeros((SIZE, SIZE)), np.empty(SIZE)
    low, high = np.empty(SIZE), np.empty(SIZE)
    bounds_of(theta, low, high)
    rows[:] = 0.0
    local_equations(trace, theta, shared, matrix, push, work)
    free = np.ones(SIZE)
    for row in range(SIZE):
        if theta[row] <= low[row] or theta[row] >= high[row]:
            free[row] = 0.0
            for other in range(SIZE):
                matrix[max(row, other), min(row, other)] = 0.0
            matrix[row, row], push[row] = 1.0, 0.0
    if not factorise(matrix, factor):
        return False
    last = 2 * frames + edges
    for k in range(frames):
        if work.weights[k] > 0.0:
            _add_frame(k, trace, theta, scale, shared, equations, rows, free, work)
    for row in range(SIZE):
        rows[row, last + 1] = free[row] * push[row]
        rows[row, last + 2] = free[row] * centroid_slope(theta, row)
    root = math.sqrt(scale)
    for row in range(SIZE):
        for inner in range(row):
            rows[row] -= factor[row, inner] * rows[inner]
        rows[row] /= factor[row, row]
    rows /= root
    return True


@compiled
def _add_frame(
    k: int,
    trace: Trace,
    theta: Array,
    scale: float,
    shared: Shared,
    equations: Equations,
    rows: Array,
    free: Array,
    work: Work,
) -> None:
    """Add one frame of a pixel: to what is shared, and to the coupling in `rows`."""
    frames, edges = trace.counts.size, shared.edges.size
    beam, weight = shared.beam[k], work.weights[k]
    share = weight / scale
    position, level = beam * work.by_position[k], beam * work.light[k]
    thicker = beam * work.by_window[k]
    left = share * work.residual[k]
    diagonal, mixed, square, push = equations
    diagonal[0, k] += share * position * position
    diagonal[1, k] += share * position * level
    diagonal[2, k] += share * level * level
    mixed[0, k, edges] += share * position * thicker
    mixed[1, k, edges] += share * level * thicker
    square[edges, edges] += share * thicker * thicker
    push[k] += left * position
    push[frames + k] += left * level
    push[2 * frames + edges] += left * thicker
    for row in range(SIZE):
        scaled = free[row] * weight * beam * work.slopes[row, k]
        rows[row, k] = scaled * position
        rows[row, frames + k] = scaled * level
        rows[row, 2 * frames + edges] += scaled * thicker
    half = 0.5 * trace.window
    place = work.place[:, k]
    first = np.searchsorted(shared.edges, place.min() - half)
    last = np.searchsorted(shared.edges, place.max() + half)
    for edge in range(first, last):
        slope = beam * edge_slope(edge, k, trace.window, theta, shared, work)
        mixed[0, k, edge] += share * position * slope
        mixed[1, k, edge] += share * level * slope
        square[edges, edge] += share * slope * thicker
        push[2 * frames + edge] += left * slope
        for row in range(SIZE):
            rows[row, 2 * frames + edge] += free[row] * weight * beam * work.slopes[row, k] * slope
        for other in range(first, edge + 1):
            square[edge, other] += (
                share * slope * (beam * edge_slope(other, k, trace.window, theta, shared, work))
            )
