"""The arrays that kernels and device functions hand to each other, by name."""

from __future__ import annotations

from typing import Final, NamedTuple

from lauedepth.core.decoding.cpu._types import MOST_PARAMETERS, Array

__all__ = [
    "LANES",
    "MOST_SUMS",
    "Array",
    "Batch",
    "Block",
    "Room",
    "Scratch",
    "SolveScratch",
    "Solver",
    "Space",
    "View",
]

LANES: Final = 32
"""Most threads in a block, one block a pixel: a warp, so that waiting for each other is cheap."""

MOST_SUMS: Final = MOST_PARAMETERS * (MOST_PARAMETERS + 1) // 2 + MOST_PARAMETERS + 2
"""Sums that a fit needs at once: a normal matrix, a gradient, two costs."""


class Block(NamedTuple):
    """The threads that work on one pixel: this one's number, how many, and what they share."""

    lane: int
    lanes: int
    partial: Array
    sums: Array
    word: Array


class View(NamedTuple):
    """One pixel's rays through the aperture, and its counts (float32, negative: not measured).

    `integral` is that of the law in use; `clear` and `wary` are scratch for fitted laws.
    """

    knots: Array
    bars: Array
    rises: Array
    integral: Array
    clear: Array
    wary: Array
    pixel: Array
    geometry: Array
    counts: Array
    measured: int


class Solver(NamedTuple):
    """Normal equations with non-negative unknowns, and scratch to solve them."""

    gram: Array
    factor: Array
    moments: Array
    values: Array
    trial: Array
    members: Array
    inside: Array


class Room(NamedTuple):
    """Scratch of a box fit: a small solver, bounds, trial, the sums at the best parameters."""

    solver: Solver
    low: Array
    high: Array
    trial: Array
    kept: Array
    expected: Array


class Space(NamedTuple):
    """Scratch of the search; `line` is (first candidate's position, step)."""

    template: Array
    running: Array
    total: Array
    squares: Array
    inverse: Array
    products: Array
    best: Array
    which: Array
    found: Array
    filled: Array
    trace: Array
    line: Array


class Batch(NamedTuple):
    """One batch of pixels on the device.

    Attributes
    ----------
    counts : (n, n_frames) float32
        Negative where nothing was measured.
    pixels : (n, 3) float64
        Along the aperture's axes, mm.
    stats : (n, 3) float64
        Mean count, squared deviations from it, measured frames.
    found : (n, places, 3) float64
        (candidate, extent in steps, score) of the places that the search found.
    hits : (n, 2) int32
        How many, and whether two of them explain the trace about as well.
    fits : (n, 3, 21) float64
        Parameters, variances, state and law of the bars of the fit chosen so far, the single
        box, and the fit with bars that let light through.
    numbers : (n, 10) float64
        Background, residual, absorption, its error, depths, depth errors, widths.
    codes : (n, 7) int32
        Status, (first bin, bins) of both depths, where their footprints begin in the pool.
    pool : (m,) float32
        Footprints one behind the other, in the order in which they were done.
    used : (1,) int32
        How much of the pool is used.
    """

    counts: Array
    pixels: Array
    stats: Array
    found: Array
    hits: Array
    fits: Array
    numbers: Array
    codes: Array
    pool: Array
    used: Array


class Scratch(NamedTuple):
    """Scratch of every block in the grid; the first axis is the block."""

    tables: Array
    expected: Array
    parameters: Array
    template: Array
    sums: Array
    inverse: Array
    candidates: Array
    found: Array
    trace: Array


class SolveScratch(NamedTuple):
    """Scratch for footprints of up to `rows.shape[2]` columns; the first axis is the block."""

    rows: Array
    weights: Array
    gram: Array
    factor: Array
    vectors: Array
    members: Array
    lines: Array
