"""Compiled: ranges of pixels, one after the other, in scratch of their own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lauedepth.calibration.learning._fit import Equations, Trace, add_pixel, fit_pixel
from lauedepth.calibration.learning._model import Shared, new_work
from lauedepth.core.decoding.compiled.jit import compiled
from lauedepth.core.decoding.compiled.types import Array


class Batch(NamedTuple):
    """Pixels side by side: the fields of `Trace`, one row each."""

    pixel: Array
    counts: Array
    mask: Array
    window: Array
    log_absorption: Array
    precision: Array


@compiled
def trace_of(batch: Batch, index: int) -> Trace:
    """Return one pixel of a batch."""
    return Trace(
        batch.pixel[index],
        batch.counts[index],
        batch.mask[index],
        batch.window[index],
        batch.log_absorption[index],
        batch.precision[index],
    )


@compiled
def new_equations(frames: int, edges: int) -> Equations:
    """Return equations to which nothing was added yet."""
    return Equations(
        np.zeros((3, frames)),
        np.zeros((2, frames, edges + 1)),
        np.zeros((edges + 1, edges + 1)),
        np.zeros(2 * frames + edges + 1),
    )


@compiled
def fit_range(batch: Batch, theta: Array, shared: Shared, losses: Array) -> None:
    """Fit all pixels of a batch from `theta` on, in place; fill in their losses."""
    edges = shared.edges.size
    work = new_work(batch.counts.shape[1], edges)
    for index in range(batch.counts.shape[0]):
        losses[index] = fit_pixel(trace_of(batch, index), theta[index], shared, work)


@compiled
def add_range(batch: Batch, theta: Array, scales: Array, shared: Shared, rows: Array) -> Equations:
    """Return the equations of a batch; fill in the rows (n, SIZE, n_shared + 2) of `add_pixel`.

    Pixels whose scale is infinite are left out.
    """
    frames, edges = batch.counts.shape[1], shared.edges.size
    equations = new_equations(frames, edges)
    work = new_work(frames, edges)
    for index in range(batch.counts.shape[0]):
        rows[index] = 0.0
        if np.isfinite(scales[index]):
            trace = trace_of(batch, index)
            add_pixel(trace, theta[index], scales[index], shared, equations, rows[index], work)
    return equations
