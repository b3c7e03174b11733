"""How many counts a detector gives per photon, and its offset, from the scatter of traces.

Of n photons an integrating detector reads R = offset + g n, so that the variance of a reading is
g (mean - offset): the photon transfer curve (Janesick, *Photon Transfer*, SPIE Press 2007). The
code makes traces vary too, but slowly from frame to frame. What a reading differs by from the mean
of its neighbours has 3/2 of the noise's variance; the median of its square, over readings of about
the same level, does not see the few in which the edge of a bar passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Flags, Floats

MEDIAN_OF_SQUARE: Final = 0.454936
"""Median of the square of a standard normal deviate."""
OF_DIFFERENCE: Final = 1.5
"""Variance of a reading less the mean of its two neighbours, in variances of a reading."""
MINIMUM_LEVEL: Final = 20.0
"""Reading below which the scatter is too coarse."""
LEVELS: Final = 24
"""Points of the photon transfer curve, each of equally many readings."""
MINIMUM_LEVELS: Final = 8
MINIMUM_READINGS: Final = 100
"""Of a point of the curve."""
RELATIVE_ERROR: Final = 0.05
"""Of a variance: what the code adds to the scatter."""
SIGNIFICANT: Final = 4.0
"""Standard errors."""
FIT_ROUNDS: Final = 5


@dataclass(frozen=True)
class GainEstimate:
    """What the scatter of traces says of the detector.

    Attributes
    ----------
    counts_per_photon, error : float
        NaN where too few traces are bright enough.
    offset, offset_error : float
        Reading without a photon, counts.
    """

    counts_per_photon: float
    error: float
    offset: float
    offset_error: float

    @property
    def has_offset(self) -> bool:
        """Whether a reading without a photon is significantly above zero."""
        return self.offset > SIGNIFICANT * self.offset_error


def estimate_gain(counts: npt.NDArray[np.generic], usable: Flags) -> GainEstimate:
    """Estimate counts per photon and offset from traces of different brightness.

    Parameters
    ----------
    counts : (n_pixels, n_frames) array
        Readings.
    usable : (n_frames,) bool array

    Returns
    -------
    GainEstimate
    """
    level, variance = _transfer_curve(counts.astype(np.float64), usable)
    if level.size < MINIMUM_LEVELS:
        nan = float("nan")
        return GainEstimate(nan, nan, nan, nan)
    line = _fit_line(level, variance)
    if line.has_offset:
        return line
    ratio = variance / level
    return GainEstimate(
        float(np.median(ratio)),
        float(1.25 * np.std(ratio) / np.sqrt(ratio.size)),
        0.0,
        line.offset_error,
    )


def _transfer_curve(values: Floats, usable: Flags) -> tuple[Floats, Floats]:
    """Return mean readings and the noise variance of readings near them: (n_levels,) each."""
    triples = usable[:-2] & usable[1:-1] & usable[2:]
    before, here, after = (values[:, k : values.shape[1] - 2 + k][:, triples] for k in range(3))
    around = (before + after) / 2
    here = here / _common_change(here, around)
    level = ((2 * around + here) / 3).ravel()
    squares = ((here - around) ** 2).ravel()
    order = np.argsort(level)
    order = order[np.searchsorted(level[order], MINIMUM_LEVEL) :]
    groups = np.array_split(order, LEVELS) if order.size >= LEVELS * MINIMUM_READINGS else []
    variance = [float(np.median(squares[group])) for group in groups]
    return (
        np.array([float(level[group].mean()) for group in groups]),
        np.array(variance) / (MEDIAN_OF_SQUARE * OF_DIFFERENCE),
    )


def _common_change(here: Floats, around: Floats) -> Floats:
    """Return by which factor all traces change in a frame: a beam that flickers is no gain.

    Parameters
    ----------
    here, around : (n_pixels, n) arrays
        Readings, and the means of their neighbours.

    Returns
    -------
    (n,) array
    """
    bright = around.mean(axis=1) > MINIMUM_LEVEL
    if bright.sum() < MINIMUM_LEVELS:
        return np.ones(here.shape[1])
    total = around[bright].sum(axis=0)
    return np.asarray(here[bright].sum(axis=0) / np.where(total > 0, total, 1.0))


def _fit_line(mean: Floats, variance: Floats) -> GainEstimate:
    """Fit variance = g (mean - offset), each variance with the same relative error."""
    basis = np.stack([mean, np.ones_like(mean)], axis=1)
    weight = 1.0 / (RELATIVE_ERROR * np.maximum(variance, 1e-9))
    slope = constant = 0.0
    for _ in range(FIT_ROUNDS):
        normal = (basis * weight[:, None] ** 2).T @ basis
        slope, constant = np.linalg.solve(normal, (basis * weight[:, None] ** 2).T @ variance)
        fitted = np.maximum(basis @ np.array([slope, constant]), 1e-9)
        pull = np.abs(variance - fitted) / (RELATIVE_ERROR * fitted)
        weight = np.sqrt(np.minimum(1.0, 2.0 / np.maximum(pull, 1e-9))) / (RELATIVE_ERROR * fitted)
    covariance = np.linalg.inv(normal)
    if not slope > 0:
        return GainEstimate(float(slope), float("nan"), 0.0, float("inf"))
    offset = -constant / slope
    gradient = np.array([constant / slope**2, -1.0 / slope])
    return GainEstimate(
        float(slope),
        float(np.sqrt(covariance[0, 0])),
        float(offset),
        float(np.sqrt(gradient @ covariance @ gradient)),
    )
