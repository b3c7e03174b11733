"""The background of a point, measured between its lit pixels."""

from __future__ import annotations

from typing import Final

import numpy as np

from lauedepth.config import ExperimentConfig
from lauedepth.core.arrays import Flags, Floats
from lauedepth.core.decoding.answers import is_measured
from lauedepth.core.decoding.background import TILE, BackgroundMap
from lauedepth.core.notices import Notice, warning
from lauedepth.io import Point
from lauedepth.tasks.reconstruct.selection import Selection

NEAR: Final = 2 * TILE
"""Rows on either side of lit ones that tell their background."""

COPIES: Final = 4
"""How often rows are held in memory while they are added up, at most."""


def background_of(
    point: Point, config: ExperimentConfig, selection: Selection, memory_bytes: int
) -> BackgroundMap | None:
    """Return the background that the experiment states, or that unlit pixels tell.

    Pixels are lit that reach the threshold, also where a mask says which to decode.

    Parameters
    ----------
    point : Point
    config : ExperimentConfig
    selection : Selection
    memory_bytes : int
        Maximum size of the rows that are read at once, where nobody knows their mean.

    Returns
    -------
    BackgroundMap or None
        None for the published method, which knows no light through the bars.
    """
    if config.decode.method != "footprint" or not selection.lit.any():
        return None
    if config.decode.background_counts is not None:
        return BackgroundMap.even(config.decode.background_counts)
    mean = selection.mean
    if mean is None:
        mean = _mean_near(point, selection.lit, memory_bytes)
    if point.bad is not None:
        mean = np.where(point.bad, np.nan, mean)
    return BackgroundMap.of(mean, mean >= config.selection.min_mean_counts)


def _mean_near(point: Point, lit: Flags, memory_bytes: int) -> Floats:
    """Return the mean image where lit pixels have their background from; NaN elsewhere."""
    mean = np.full(lit.shape, np.nan)
    rows = np.flatnonzero(lit.any(axis=1))
    first, stop = max(int(rows[0]) - NEAR, 0), min(int(rows[-1]) + 1 + NEAR, lit.shape[0])
    at_once = max(1, memory_bytes // (COPIES * point.row_bytes))
    for start in range(first, stop, at_once):
        band = point.read_rows(start, min(start + at_once, stop))[point.usable]
        measured = is_measured(band)
        total = np.where(measured, band, 0).sum(axis=0, dtype=np.float64)
        number = measured.sum(axis=0)
        part = mean[start : start + len(total)]
        np.divide(total, number, out=part, where=number > 0)
    return mean


def notices_on(background: BackgroundMap | None, lit: Flags) -> tuple[Notice, ...]:
    """Warn of lit pixels (rows, columns) without a known background."""
    if background is None:
        return ()
    unknown = int(np.isnan(background.at(*np.nonzero(lit)).level).sum())
    if not unknown:
        return ()
    return (
        warning(
            "background-unknown",
            f"no unlit pixels near {unknown} of {int(lit.sum())} lit ones tell their background: "
            "intensities of hard X-rays may be too low there, and there are no energies",
            "decode.background_counts",
            "state it there, or raise selection.min_mean_counts",
        ),
    )
