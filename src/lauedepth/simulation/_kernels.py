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

LAYERS = 32
"""Layers of bars that are not upright or not equally thick."""

NODE_UM = 0.1
"""Step over a footprint along the code where no closed form is at hand."""


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
        footprint; window, of either sign;
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
            window = max(abs(window), THINNEST_UM)
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


@numba.njit(cache=True)
def _path_in_bars(shapes: Floats, radius: float, slope: float, thickness: float, u: float) -> float:
    """Return the part of a ray's path that lies in bars of any thickness and rounded corners.

    The ray is looked at in layers of the nominal thickness; bars stand on the face that the
    sample sees, half the nominal thickness before the plane in which u is counted.
    """
    begins, ends, heights = shapes
    inside = 0
    highest = max(thickness, heights.max())
    layers = int(LAYERS * highest / thickness)
    for layer in range(layers):
        height = (layer + 0.5) * thickness / LAYERS
        place = u - slope * (height - thickness / 2)
        bar = int(np.searchsorted(begins, place, side="right")) - 1
        if bar < 0 or place >= ends[bar] or height >= heights[bar]:
            continue
        below_corner = height - (heights[bar] - radius)
        to_side = radius - min(place - begins[bar], ends[bar] - place)
        rounded = below_corner > 0 and to_side > 0
        inside += not (rounded and below_corner**2 + to_side**2 > radius**2)
    return inside / LAYERS


@numba.njit(cache=True, parallel=True)
def accumulate_shaped(
    shapes: Floats,
    radius: float,
    thickness: float,
    rays: Floats,
    offsets: Integers,
    frames: Floats,
    out: Floats,
) -> None:
    """Do what `accumulate_traces` does for bars of any thickness and rounded corners.

    By midpoints over the footprint and layers of the bars.

    Parameters
    ----------
    shapes : (3, n_bars) array
        Begin, end and thickness of each bar, µm.
    radius, thickness : float
        Rounding of the corners, and nominal thickness, µm.
    rays : (n_sources, 7) array
        As in `accumulate_traces`, but column 4 is how far the ray moves along the code, with
        its sign, on its way through the nominal thickness.
    offsets, frames, out
        As in `accumulate_traces`.
    """
    for pixel in numba.prange(offsets.size - 1):
        out[:, pixel] = 0.0
        for source in range(offsets[pixel], offsets[pixel + 1]):
            begin, begin_rate, end, end_rate, window, optical, intensity = rays[source]
            for k in range(frames.size):
                one, other = begin + begin_rate * frames[k], end + end_rate * frames[k]
                nodes = max(1, int(abs(other - one) / NODE_UM))
                total = 0.0
                for node in range(nodes):
                    u = one + (other - one) * (node + 0.5) / nodes
                    path = _path_in_bars(shapes, radius, window / thickness, thickness, u)
                    total += max(1.0 - path, 0.0) if optical == inf else exp(-optical * path)
                out[k, pixel] += intensity * total / nodes
