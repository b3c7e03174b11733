"""The arrays that functions of this decoder hand to each other, by name."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lauedepth.core.decoding.compiled.jit import compiled
from lauedepth.core.decoding.compiled.rays import OUTSIDE
from lauedepth.core.decoding.compiled.types import MOST_PARAMETERS, STATES, Array, Fit
from lauedepth.core.decoding.limits import CANDIDATES, SEARCH_WIDTHS


class View(NamedTuple):
    """One pixel's rays through the aperture; `integral` is that of T for the absorption in use.

    `mask` is the beam's relative intensity at frames that were measured and zero at others,
    `measured` their number; counts are per unit of beam. `positions` is empty where frames
    advance evenly, else where each is, in steps.
    """

    knots: Array
    bars: Array
    rises: Array
    integral: Array
    pixel: Array
    geometry: Array
    mask: Array
    positions: Array
    measured: int


class Work(NamedTuple):
    """Scratch of the fits.

    `lines` holds T and its integral along up to three rays; `fitted` and `shifted` the integral
    of T at the knots for an absorption that is fitted, and for a slightly stronger one. `order`
    holds which row of the Gram matrix each footprint bin has, the background last.
    """

    weights: Array
    slopes: Array
    trial_expected: Array
    trial_slopes: Array
    lines: Array
    fitted: Array
    shifted: Array
    low: Array
    high: Array
    scaled: Array
    gram: Array
    factor: Array
    moments: Array
    values: Array
    members: Array
    order: Array
    before: Array
    stiffness: Array
    push: Array
    step: Array


class Space(NamedTuple):
    """Scratch of the search; `line` is (first candidate's position, step).

    `inverse` holds, for every extent, 1/variance of the template under each candidate, zero
    where the code has no contrast. `weights` holds the measured part of each search step, and
    runs of steps of equal weight begin at `starts`.
    """

    template: Array
    inverse: Array
    products: Array
    running: Array
    squares: Array
    found: Array
    filled: Array
    line: Array
    weights: Array
    starts: Array


@compiled
def new_fit(frames: int) -> Fit:
    """Return memory for a fit to so many frames."""
    return Fit(
        np.zeros(MOST_PARAMETERS), np.zeros(MOST_PARAMETERS), np.empty(frames), np.zeros(STATES)
    )


@compiled
def copy_fit(source: Fit, target: Fit) -> None:
    """Copy a fit."""
    target.theta[:] = source.theta
    target.variance[:] = source.variance
    target.expected[:] = source.expected
    target.state[:] = source.state


@compiled
def new_work(frames: int, knots: int, bins: int) -> Work:
    """Return scratch for fits with up to so many frames, knots and footprint bins."""
    size = max(bins + 1, MOST_PARAMETERS)
    return Work(
        weights=np.empty(frames),
        slopes=np.empty((size, frames)),
        trial_expected=np.empty(frames),
        trial_slopes=np.empty((MOST_PARAMETERS, frames)),
        lines=np.empty((6, frames)),
        fitted=np.empty(knots),
        shifted=np.empty(knots),
        low=np.empty(MOST_PARAMETERS),
        high=np.empty(MOST_PARAMETERS),
        scaled=np.empty(frames),
        gram=np.empty((size, size)),
        factor=np.empty((size, size)),
        moments=np.empty(size),
        values=np.empty(size),
        members=np.empty(size, np.int64),
        order=np.empty(size, np.int64),
        before=np.empty(size),
        stiffness=np.empty(size + 1),
        push=np.empty(size),
        step=np.empty(size),
    )


@compiled
def new_space(frames: int, candidates: int) -> Space:
    """Return scratch for searches with up to so many candidates."""
    points = candidates + 2 * OUTSIDE
    return Space(
        template=np.empty(points + frames),
        inverse=np.empty((len(SEARCH_WIDTHS), candidates)),
        products=np.empty(points, np.float32),
        running=np.empty((3, points + frames + 1)),
        squares=np.empty((4, points + frames + 1)),
        found=np.empty((CANDIDATES, 3)),
        filled=np.empty(frames),
        line=np.empty(2),
        weights=np.empty(frames),
        starts=np.empty(frames + 1, np.int64),
    )
