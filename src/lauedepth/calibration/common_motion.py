"""How the aperture really moved, as far as all traces of a scan show it: jitter and drift.

Each trace is fitted with a straight motion, so that the mean and the slope of what the motor did
besides are lost in positions and advances. What is left of it pushes all traces alike, frame by
frame: counting noise does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.polynomial.legendre import legvander

from lauedepth.core.arrays import Floats

DEGREES: Final = (2, 3, 4)
"""Of the Legendre polynomials over the scan that show a drift."""
LINE_PER_SHAPE: Final = 3.0
"""Variance of a drift's slope over that of each higher polynomial, for a motor that wanders."""
SIGNIFICANT: Final = 5.0


@dataclass(frozen=True)
class Pushes:
    """What traces say of displacements of the aperture in each frame.

    Attributes
    ----------
    push, firmness : (n_traces, n_frames) arrays
        Slope of each trace's log-likelihood by a displacement in each frame, and the information
        on it; 0 where there is none.
    """

    push: Floats
    firmness: Floats


def jitter_um(pushes: Pushes) -> float:
    """Return the jitter that the traces of a scan share (standard deviation).

    Its square follows from products of different pixels' pushes: counting noise is not shared.
    """
    push, firmness = pushes.push, pushes.firmness
    shared = float((push.sum(axis=0) ** 2 - (push**2).sum(axis=0)).sum())
    information = float((firmness.sum(axis=0) ** 2 - (firmness**2).sum(axis=0)).sum())
    return float(np.sqrt(max(shared, 0.0) / information)) if information > 0 else 0.0


def drift_um(pushes: Pushes, frames: Floats) -> float:
    """Return how far a drift may well have moved the ends of the scan against its middle.

    Only what is not straight can be seen. A motor that wanders adds a mean and a slope of
    similar size, which the traces cannot show.

    Parameters
    ----------
    pushes : Pushes
    frames : (n_frames,) array
        Numbers counted from the middle.

    Returns
    -------
    float
        0 where no drift stands out.
    """
    lit = pushes.firmness.sum(axis=1) > 0
    if lit.sum() <= len(DEGREES):
        return 0.0
    shapes = legvander(frames / np.abs(frames).max(), max(DEGREES))
    push = pushes.push[lit] @ shapes[:, 2:]
    information = np.array([_profiled(shapes, one) for one in pushes.firmness[lit]])
    inverse = np.linalg.pinv(information.sum(axis=0), hermitian=True)
    amplitude = inverse @ push.sum(axis=0)
    scatter = push - information @ amplitude
    shaken = jitter_um(pushes) * _pushed(shapes, pushes.firmness[lit].sum(axis=0))
    covariance = inverse @ (scatter.T @ scatter + shaken.T @ shaken) @ inverse
    chi_square = float(amplitude @ np.linalg.pinv(covariance, hermitian=True) @ amplitude)
    count = len(DEGREES)
    if chi_square < count + SIGNIFICANT * np.sqrt(2 * count):
        return 0.0
    square = float(np.mean(amplitude**2 - np.diag(covariance)))
    return float(np.sqrt(LINE_PER_SHAPE * max(square, 0.0)))


def _pushed(shapes: Floats, firmness: Floats) -> Floats:
    """Return what a displacement in each frame pushes the shapes beyond a line: (n_frames, n)."""
    line = shapes[:, :2]
    straight = np.linalg.pinv(line.T @ (firmness[:, None] * line), hermitian=True)
    beyond = shapes[:, 2:] - line @ straight @ line.T @ (firmness[:, None] * shapes[:, 2:])
    return np.asarray(firmness[:, None] * beyond)


def _profiled(shapes: Floats, firmness: Floats) -> Floats:
    """Return one trace's information on the shapes beyond a line, which its fit takes up."""
    whole = shapes.T @ (firmness[:, None] * shapes)
    across = whole[2:, :2]
    return np.asarray(
        whole[2:, 2:] - across @ np.linalg.pinv(whole[:2, :2], hermitian=True) @ across.T
    )
