"""Compiled loops of the simulator: transmissions averaged over a footprint, noise by table."""

from __future__ import annotations

from math import exp, expm1, inf

import numba
import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Floats

Integers = npt.NDArray[np.int64]

THINNEST_UM = 1e-6
"""Minimum width of windows and footprints along the code."""


@numba.njit(cache=True)
def _piece(bar: float, slope: float, optical: float, length: float) -> float:
    """Integrate the transmission over a stretch where the bar fraction is linear."""
    if optical == inf:
        return length * (1.0 - bar - slope * length / 2)
    decay = optical * slope
    if abs(decay * length) < 1e-9:
        return exp(-optical * bar) * length
    return -exp(-optical * bar) * expm1(-decay * length) / decay


@numba.njit(cache=True)
def _bar_left_of(bars: Floats, passed: int, u: float) -> float:
    """Return the total bar length to the left of u, where ``passed`` knots lie."""
    if passed == 0:
        return 0.0
    inside = u - bars[0, passed - 1] if passed % 2 else 0.0
    return float(bars[1, passed - 1] + inside)


@numba.njit(cache=True)
def _mean_transmission(
    bars: Floats, window: float, optical: float, left: float, right: float
) -> float:
    """Return the mean transmission between two positions along the code.

    Steps from one kink of the bar fraction to the next: a kink lies where an edge of the
    window passes an edge of a bar.
    """
    half, knots = window / 2, bars[0]
    lead = int(np.searchsorted(knots, left + half, side="right"))
    trail = int(np.searchsorted(knots, left - half, side="right"))
    covered = _bar_left_of(bars, lead, left + half) - _bar_left_of(bars, trail, left - half)
    bar = min(max(covered / window, 0.0), 1.0)
    here, whole = left, 0.0
    while here < right:
        next_lead = knots[lead] - half if lead < knots.size else inf
        next_trail = knots[trail] + half if trail < knots.size else inf
        step = min(next_lead, next_trail, right) - here
        slope = (lead % 2 - trail % 2) / window
        whole += _piece(bar, slope, optical, step)
        bar = min(max(bar + slope * step, 0.0), 1.0)
        here = min(next_lead, next_trail, right)
        lead += int(next_lead <= next_trail)
        trail += int(next_lead > next_trail)
    return whole / (right - left)


@numba.njit(cache=True, parallel=True)
def accumulate_traces(
    bars: Floats, rays: Floats, offsets: Integers, frames: Floats, out: Floats
) -> None:
    """Sum over sources the transmissions averaged over their footprints, exactly.

    Parameters
    ----------
    bars : (2, n_knots) array
        Edges of the bars along the code, and the total bar length to the left of each.
    rays : (n_sources, 7) array
        u at frame 0 and change of u per frame, for the start and then for the end of the
        footprint; window;
        optical depth of the full thickness (inf: opaque); intensity.
    offsets : (n_pixels + 1,) array
        Sources of pixel p are rows offsets[p] to offsets[p + 1].
    frames : (n_frames,) array
        Positions of the aperture in units of the step.
    out : (n_frames, n_pixels) array
        Overwritten.
    """
    for pixel in numba.prange(offsets.size - 1):
        out[:, pixel] = 0.0
        for source in range(offsets[pixel], offsets[pixel + 1]):
            begin, begin_rate, end, end_rate, window, optical, intensity = rays[source]
            window = max(window, THINNEST_UM)
            for k in range(frames.size):
                one, other = begin + begin_rate * frames[k], end + end_rate * frames[k]
                middle = (one + other) / 2
                reach = max(abs(one - other) / 2, THINNEST_UM)
                mean = _mean_transmission(bars, window, optical, middle - reach, middle + reach)
                out[k, pixel] += intensity * mean


@numba.njit(cache=True)
def invert_table(uniform: Floats, cumulative: Floats, guide: Integers, out: Integers) -> None:
    """Turn uniform random numbers into samples of a tabulated distribution over 0, 1, 2 ...

    ``guide[i]`` is the smallest value that a uniform number of at least i / guide.size gives.
    """
    for n in range(uniform.size):
        value = guide[int(uniform[n] * guide.size)]
        while cumulative[value] <= uniform[n]:
            value += 1
        out[n] = value
