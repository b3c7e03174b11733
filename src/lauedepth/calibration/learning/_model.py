"""Compiled: the expected trace of a pixel, with its derivatives.

A pixel's own unknowns are (centre, width, intensities of the sub-boxes, background, log of the
absorption): `SIZE` numbers. What all pixels share enters through the frames' positions, the
beam, the edges and the window.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lauedepth.calibration.learning._tables import Tables, build_tables, look_up, new_tables
from lauedepth.calibration.learning.limits import SUB_BOXES
from lauedepth.core.decoding.compiled.jit import compiled
from lauedepth.core.decoding.compiled.rays import OPAQUE
from lauedepth.core.decoding.compiled.types import Array

CENTRE, WIDTH, LIGHT = 0, 1, 2
BACKGROUND = LIGHT + SUB_BOXES
ABSORPTION = BACKGROUND + 1
SIZE = ABSORPTION + 1
ENDS = SUB_BOXES + 1
SHORTEST_UM = 1e-5


class Shared(NamedTuple):
    """What all pixels share.

    `geometry` holds the aperture's centre (code, normal), its step, the beam's direction, half
    the code's length and the step in µm; `positions` are in steps; `beam` is relative.
    """

    geometry: Array
    positions: Array
    beam: Array
    edges: Array
    opaque: bool


class Work(NamedTuple):
    """Scratch of one thread.

    `light` is the trace before the beam's intensity, `slopes` (SIZE, n_frames) its derivatives,
    `by_position` that by the aperture's position in µm, `by_window` that by the log of the
    window; `place` and
    `passed` (ENDS, n_frames) are u and the integral of P at the ends of the sub-boxes.
    """

    tables: Tables
    light: Array
    slopes: Array
    by_position: Array
    by_window: Array
    place: Array
    passed: Array
    weights: Array
    residual: Array
    lines: Array


@compiled
def new_work(frames: int, edges: int) -> Work:
    """Return scratch for traces of so many frames."""
    return Work(
        new_tables(edges),
        np.empty(frames),
        np.empty((SIZE, frames)),
        np.empty(frames),
        np.empty(frames),
        np.empty((ENDS, frames)),
        np.empty((ENDS, frames)),
        np.empty(frames),
        np.empty(frames),
        np.empty((ENDS, 4)),
    )


@compiled
def fill_lines(pixel: Array, geometry: Array, centre: float, width: float, lines: Array) -> None:
    """Fill in (a, b, da/ds, db/ds) of each end of a sub-box: u = a + b k at position k."""
    centre_a, centre_n, step_a, step_n, beam_a, beam_n, half_length, _ = geometry
    constant = centre_a * pixel[1] - pixel[0] * centre_n
    constant_k = step_a * pixel[1] - pixel[0] * step_n
    linear = beam_a * (centre_n - pixel[1]) + beam_n * (pixel[0] - centre_a)
    linear_k = beam_a * step_n - beam_n * step_a
    for end in range(ENDS):
        s = 1e-3 * (centre + width * (end / SUB_BOXES - 0.5))
        reach = pixel[1] - beam_n * s
        lines[end, 0] = half_length + 1e3 * (constant + linear * s) / reach
        lines[end, 1] = 1e3 * (constant_k + linear_k * s) / reach
        lines[end, 2] = (linear * reach + (constant + linear * s) * beam_n) / reach**2
        lines[end, 3] = (linear_k * reach + (constant_k + linear_k * s) * beam_n) / reach**2


@compiled
def fill_model(pixel: Array, window: float, theta: Array, shared: Shared, work: Work) -> float:
    """Fill in the trace and its derivatives; return the absorption that was used."""
    absorption = OPAQUE if shared.opaque else math.exp(theta[ABSORPTION])
    build_tables(shared.edges, window, absorption, work.tables)
    fill_lines(pixel, shared.geometry, theta[CENTRE], theta[WIDTH], work.lines)
    slopes, lines = work.slopes, work.lines
    slopes[:] = 0.0
    slopes[BACKGROUND, :] = 1.0
    at = 0
    step_um = shared.geometry[7]
    for k in range(shared.positions.size):
        position = shared.positions[k]
        light, by_position, by_window = theta[BACKGROUND], 0.0, 0.0
        u0 = t0 = f0 = g0 = h0 = 0.0
        for end in range(ENDS):
            u = lines[end, 0] + lines[end, 1] * position
            at, t, f, p, g, h = look_up(work.tables, absorption, u, at)
            work.place[end, k], work.passed[end, k] = u, p
            if end > 0:
                box = end - 1
                height = theta[LIGHT + box]
                span = u - u0
                mean, first, last, weighted, touched = t, 0.0, 0.0, 0.0, 0.0
                if abs(span) > SHORTEST_UM:
                    mean = (f - f0) / span
                    first, last = height * (mean - t0) / span, height * (t - mean) / span
                    weighted, touched = (g - g0) / span, (h - h0) / span
                light += height * mean
                slopes[LIGHT + box, k] = mean
                slopes[ABSORPTION, k] -= height * weighted
                by_window += height * (weighted - touched)
                for which, slope in ((box, first), (end, last)):
                    moved = slope * (lines[which, 2] + lines[which, 3] * position)
                    slopes[CENTRE, k] += moved
                    slopes[WIDTH, k] += moved * (which / SUB_BOXES - 0.5)
                    by_position += slope * lines[which, 1] / step_um
            u0, t0, f0, g0, h0 = u, t, f, g, h
        work.light[k] = light
        work.by_position[k] = by_position
        work.by_window[k] = by_window
    if shared.opaque:
        slopes[ABSORPTION, :] = 0.0
    return absorption


@compiled
def edge_slope(edge: int, k: int, window: float, theta: Array, shared: Shared, work: Work) -> float:
    """Return the derivative of the trace in one frame by the place of one edge.

    The ends of the window meet the edge at two knots; over what lies between them of a
    sub-box the edge takes light away, or gives it.
    """
    tables = work.tables
    low, high = tables.at[0, edge], tables.at[1, edge]
    left, right = tables.knots[low], tables.knots[high]
    total = 0.0
    for box in range(SUB_BOXES):
        begin, end = work.place[box, k], work.place[box + 1, k]
        passed, passed_end = work.passed[box, k], work.passed[box + 1, k]
        if end < begin:
            begin, end, passed, passed_end = end, begin, passed_end, passed
        if end - begin < SHORTEST_UM or end <= left or begin >= right:
            continue
        since = passed if begin >= left else tables.passed[low]
        until = passed_end if end <= right else tables.passed[high]
        total += theta[LIGHT + box] * (until - since) / (end - begin)
    return (total if edge % 2 == 0 else -total) / window
