"""Compiled: what a thick, absorbing aperture lets through, and its integrals along the code.

With B(u) the part of a window of width w that is bar, P = -dT/dB: absorbing bars let through
T = exp(-x B), P = x T; opaque ones T = 1 - B, P = 1. Between two knots, where an end of the
window passes an edge of a bar, B goes evenly, and four running integrals have closed forms:
of T, of P, of P B and of P h, where h is the mean of the bar (0 or 1) at the window's two ends.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lauedepth.core.decoding.compiled.jit import compiled
from lauedepth.core.decoding.compiled.rays import OPAQUE
from lauedepth.core.decoding.compiled.types import Array


class Tables(NamedTuple):
    """One pixel's view of the aperture at its knots; the piece after each knot starts there.

    `at` counts the knot of each edge where the window's leading and trailing end meets it.
    """

    knots: Array
    bars: Array
    rises: Array
    halves: Array
    through: Array
    passed: Array
    weighted: Array
    touched: Array
    at: Array


@compiled
def new_tables(edges: int) -> Tables:
    """Return tables to be filled in for so many edges."""
    size = 2 * edges
    return Tables(
        np.empty(size), np.empty(size), np.empty(size), np.empty(size), np.empty(size),
        np.empty(size), np.empty(size), np.empty(size), np.empty((2, edges), np.int64),
    )  # fmt: skip


@compiled
def build_tables(edges: Array, window: float, absorption: float, tables: Tables) -> None:
    """Fill in the tables of one pixel.

    Parameters
    ----------
    edges : (n_edges,) array
        Begin and end of each bar in order, µm along the code.
    window : float
        What a ray sweeps of the code while crossing the bars, µm.
    absorption : float
        x, attenuation through a whole bar; `OPAQUE`.
    tables : Tables
        Overwritten.
    """
    half = 0.5 * window
    lead = trail = 0
    for number in range(tables.knots.size):
        leads = lead < edges.size and (
            trail >= edges.size or edges[lead] - half <= edges[trail] + half
        )
        if leads:
            tables.knots[number] = edges[lead] - half
            tables.at[0, lead] = number
            lead += 1
        else:
            tables.knots[number] = edges[trail] + half
            tables.at[1, trail] = number
            trail += 1
        ahead, behind = lead % 2, trail % 2
        tables.rises[number] = (ahead - behind) / window
        tables.halves[number] = 0.5 * (ahead + behind)
    tables.bars[0] = tables.passed[0] = tables.weighted[0] = tables.touched[0] = 0.0
    tables.through[0] = 0.0
    for number in range(tables.knots.size - 1):
        length = tables.knots[number + 1] - tables.knots[number]
        _, through, passed, weighted, touched = _within(tables, number, absorption, length)
        bar = tables.bars[number] + tables.rises[number] * length
        tables.bars[number + 1] = min(max(bar, 0.0), 1.0)
        tables.through[number + 1] = through
        tables.passed[number + 1] = passed
        tables.weighted[number + 1] = weighted
        tables.touched[number + 1] = touched


@compiled
def _within(
    tables: Tables, number: int, absorption: float, length: float
) -> tuple[float, float, float, float, float]:
    """Return T, and the integrals of T, P, P B, P h, at a distance from a knot."""
    bar, rise, half = tables.bars[number], tables.rises[number], tables.halves[number]
    end = bar + rise * length
    if absorption == OPAQUE:
        covered = length * (bar + 0.5 * rise * length)
        value, through, passed, weighted = 1.0 - end, length - covered, length, covered
    elif rise == 0.0:
        value = math.exp(-absorption * bar)
        through = value * length
        passed = absorption * through
        weighted = passed * bar
    else:
        begin = math.exp(-absorption * bar)
        value = math.exp(-absorption * end)
        through = (begin - value) / (absorption * rise)
        passed = (begin - value) / rise
        weighted = ((bar + 1.0 / absorption) * begin - (end + 1.0 / absorption) * value) / rise
    return (
        value,
        tables.through[number] + through,
        tables.passed[number] + passed,
        tables.weighted[number] + weighted,
        tables.touched[number] + half * passed,
    )


@compiled
def look_up(
    tables: Tables, absorption: float, u: float, near: int
) -> tuple[int, float, float, float, float, float]:
    """Return the piece that holds u, T there, and the integrals of T, P, P B and P h up to it.

    Parameters
    ----------
    near : int
        A piece to look from.
    """
    knots = tables.knots
    last = knots.size - 1
    at = near
    while at < last and u >= knots[at + 1]:
        at += 1
    while at > 0 and u < knots[at]:
        at -= 1
    if u < knots[0]:
        beyond = u - knots[0]
        return (0, 1.0, beyond, beyond if absorption == OPAQUE else absorption * beyond, 0.0, 0.0)
    value, through, passed, weighted, touched = _within(tables, at, absorption, u - knots[at])
    return at, value, through, passed, weighted, touched
