"""The arrays that kernels and device functions hand to each other, by name."""

from __future__ import annotations

from typing import Final, NamedTuple

from lauedepth.core.decoding.compiled.types import MOST_PARAMETERS, STATES, Array

THREADS: Final = 32
"""Maximum number of threads in a block, one block per pixel: a warp, which synchronises cheaply."""

MOST_SUMS: Final = MOST_PARAMETERS * (MOST_PARAMETERS + 1) // 2 + MOST_PARAMETERS + 2
"""Sums that a fit needs at once: a normal matrix, a gradient, two costs."""

TILE: Final = 1536
"""Numbers of the frames that a footprint is solved with at a time, in memory that threads share."""

LEVEL, SPREAD, MEASURED = range(3)
"""Columns of `Batch.stats`: mean count, squared deviations from it, frames measured."""

HITS, RIVALLED = range(2)
"""Columns of `Batch.hits`: places found, and whether two explain the trace about as well."""

BEST, SINGLE, TRANSPARENT = range(3)
"""Rows of a pixel's stored fits: the one chosen so far, the single box, that with clear bars."""

THETA_AT, VARIANCE_AT, STATE_AT = 0, MOST_PARAMETERS, 2 * MOST_PARAMETERS
ABSORPTION_AT = STATE_AT + STATES
"""Where a stored fit holds its parameters, variances, state and absorption (`OPAQUE` or not)."""

STORED: Final = ABSORPTION_AT + 1
"""Numbers that describe a stored fit."""

BACKGROUND_AT, RESIDUAL_AT, BAR_ABSORPTION_AT, BAR_ABSORPTION_ERROR_AT = range(4)
DEPTH_AT, DEPTH_ERROR_AT, WIDTH_AT = 4, 6, 8
NUMBERS: Final = 10
"""Columns of `Batch.numbers`; of depths, their errors and widths there are two each."""

STATUS_AT, BINS_AT, POOL_AT = 0, 1, 5
SECOND_COUNT_AT = BINS_AT + 3
CODES: Final = 7
"""Columns of `Batch.codes`: status, (first bin, bins) of two depths, where each is in the pool."""


class Block(NamedTuple):
    """The threads that work on one pixel: this one's number, how many, and what they share."""

    thread: int
    threads: int
    partial: Array
    sums: Array
    word: Array


class View(NamedTuple):
    """One pixel's rays through the aperture, and its counts (float32, negative: not measured).

    Counts are per unit of the incident beam, whose relative intensity is `beam`; `positions` are
    where the aperture was at each frame, in even steps.

    `integral` is that of T for the absorption in use; `fitted` and `shifted` are scratch for an
    absorption that is fitted, and for a slightly stronger one.
    """

    knots: Array
    bars: Array
    rises: Array
    integral: Array
    fitted: Array
    shifted: Array
    pixel: Array
    geometry: Array
    positions: Array
    beam: Array
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


class Workspace(NamedTuple):
    """Scratch of a box fit: a small solver, bounds, trial, the sums at the best parameters."""

    solver: Solver
    low: Array
    high: Array
    trial: Array
    kept: Array
    expected: Array


class Space(NamedTuple):
    """Scratch of the search; `line` is (first candidate's position, step).

    Runs of search steps of which equal parts were measured begin at `starts`; `weights` holds
    the part of each run.
    """

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
    starts: Array
    weights: Array


class Batch(NamedTuple):
    """One batch of pixels on the device.

    Attributes
    ----------
    counts : (n, n_frames) float32
        Per unit of beam; negative where nothing was measured.
    pixels : (n, 3) float64
        Along the aperture's axes, mm.
    background : (n,) float64
        Counts per frame that do not pass the aperture; NaN where not known.
    stats : (n, 3) float64
        LEVEL, SPREAD, MEASURED.
    found : (n, places, 3) float64
        (CANDIDATE, EXTENT, SCORE) of the places that the search found.
    hits : (n, 2) int32
        HITS, RIVALLED.
    fits : (n, 3, STORED) float64
        BEST, SINGLE, TRANSPARENT: parameters, variances, state, absorption.
    numbers : (n, NUMBERS) float64
        BACKGROUND_AT and so on.
    codes : (n, CODES) int32
        STATUS_AT and so on.
    pool : (m,) float32
        Footprints one behind the other, in the order in which they were done.
    used : (1,) int32
        How much of the pool is used.
    """

    counts: Array
    pixels: Array
    background: Array
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
    starts: Array
    weights: Array


class SolveScratch(NamedTuple):
    """Scratch for footprints of up to `gram.shape[2]` columns; the first axis is the block.

    `tile` takes the place of shared memory where that is too small.
    """

    tile: Array
    weights: Array
    gram: Array
    factor: Array
    vectors: Array
    members: Array
    lines: Array
