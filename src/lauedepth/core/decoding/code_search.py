"""Where on the code a trace could lie: the exhaustive search, in frame-sized steps.

Frames advance evenly along the code, so candidates one frame apart see one and the same
template, shifted. The search is then a sliding product; sources of any extent follow from
running sums of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from lauedepth.core.arrays import Flags, Floats
from lauedepth.core.decoding.limits import SEARCH_SPACING_UM, SEARCH_WIDTHS
from lauedepth.core.instrument.shadow import Shadow

LEAST_CONTRAST: Final = 1e-3
"""Minimum variance per frame of the template for a candidate to count."""

APART: Final = 4
"""Search steps that places lie apart beyond their own extents."""


@dataclass(frozen=True)
class Candidate:
    """A place where the trace fits the code.

    Attributes
    ----------
    position_um : float
        Centre of the source, as coordinate along the code at the first frame.
    extent_um : float
        Extent of the source along the code.
    score : float
        Sum of squares that it explains, counts².
    """

    position_um: float
    extent_um: float
    score: float


def frames_per_step(advance_um: float) -> int:
    """Return how many frames to sum so that a search step is at most `SEARCH_SPACING_UM`."""
    return max(1, int(SEARCH_SPACING_UM / abs(advance_um)))


def sum_frames(trace: Floats, number: int) -> Floats:
    """Sum neighbouring frames; an incomplete last group is left out."""
    whole = trace.size // number * number
    return np.asarray(trace[:whole].reshape(-1, number).sum(axis=1))


def running_mean(values: Floats, width: int) -> Floats:
    """Return the mean over each run of an odd number of values, shorter by `width - 1`."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray((total[width:] - total[:-width]) / width)


def search(
    shadow: Shadow,
    trace: Floats,
    measured: Flags,
    first_um: float,
    last_um: float,
    advance_um: float,
    number: int,
) -> list[Candidate]:
    """Return the places on the code that fit a trace best, best first.

    Parameters
    ----------
    shadow : Shadow
        Of opaque bars.
    trace : (n_frames,) array
        Counts.
    measured : (n_frames,) bool array
        Where the counts are measurements; others carry no weight.
    first_um, last_um : float
        Positions at the first frame between which to look, in either order.
    advance_um : float
        Motion along the code from frame to frame.
    number : int
        How many places to return at most; they are as far from each other as their extents.

    Returns
    -------
    list of Candidate
        Empty where the trace or the code is flat.
    """
    group = frames_per_step(advance_um)
    summed = sum_frames(np.where(measured, trace, 0.0), group)
    weights = sum_frames(measured.astype(np.float64), group) / group
    step_um = advance_um * group
    low, high = min(first_um, last_um), max(first_um, last_um)
    count = int((high - low) / abs(step_um)) + 1
    begin_um = low if step_um > 0 else high
    # Point sources up to half the widest extent outside the range belong to sources inside it.
    outside = max(SEARCH_WIDTHS) // 2
    steps = np.arange(-outside, count + outside + summed.size)
    total = shadow.integral(begin_um + step_um * steps - advance_um / 2)
    template = np.diff(total) / step_um
    centred = summed - weights * (summed.sum() / weights.sum())
    signed = np.correlate(template, centred, mode="valid")
    scores = np.stack(
        [
            width_scores(template, signed, weights, width)[
                outside - width // 2 : outside - width // 2 + count
            ]
            for width in SEARCH_WIDTHS
        ]
    )
    best_width = np.argmax(scores, axis=0)
    best = scores[best_width, np.arange(count)]
    found: list[Candidate] = []
    for _ in range(number):
        at = int(np.argmax(best))
        if not best[at] > 0:
            break
        width = SEARCH_WIDTHS[best_width[at]]
        found.append(
            Candidate(
                float(begin_um + step_um * at), float(width * abs(step_um)), float(best[at]) / group
            )
        )
        apart = width + APART
        best[max(0, at - apart) : at + apart + 1] = 0.0
    return found


def width_scores(template: Floats, signed: Floats, weights: Floats, width: int) -> Floats:
    """Return the sum of squares explained by a source of one extent, at each candidate.

    Parameters
    ----------
    template : (n_points + frames - 1,) array
        Open fraction seen by a point source, averaged over a step.
    signed : (n_points,) array
        Products of the centred trace with the template.
    weights : (n_frames,) array
        Part of each frame, or sum of frames, that was measured.
    width : int
        Extent of the source in points.

    Returns
    -------
    (n_points - width + 1,) array
    """
    smooth = running_mean(template, width)
    products = running_mean(signed, width)
    total = np.correlate(smooth, weights, mode="valid")
    squares = np.correlate(smooth**2, weights, mode="valid")
    variance = squares - total**2 / weights.sum()
    contrast = variance > LEAST_CONTRAST * weights.sum()
    return np.where(contrast & (products > 0), products**2 / np.where(contrast, variance, 1.0), 0.0)
