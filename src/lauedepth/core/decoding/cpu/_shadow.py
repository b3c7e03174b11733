"""Compiled: the aperture's shadow for one pixel, and rays along the code.

The same closed forms as `core.shadow` and `core.raymap`. Frames are counted from the first
one used, in strides, so that a ray is a straight line u = a + b k over the whole trace, and
the trace is filled piece by piece of the shadow without a look-up per frame.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from lauedepth.core.decoding.cpu._types import Array, Line
from lauedepth.core.instrument.aperture import SHORTEST_UM

OPAQUE = -1.0
"""Stands for opaque bars where an absorption is expected."""

FAR_UM = 1e5
"""Where the open code ends, on both sides: beyond any ray, near enough to keep precision."""


@njit(cache=True, nogil=True, error_model="numpy")
def ray_line(pixel: Array, geometry: Array, depth_um: float) -> Line:
    """Return (a, b): the ray from this depth is at u = a + b k at frame k."""
    centre_a, centre_n, step_a, step_n, beam_a, beam_n, half_length, _ = geometry
    s = depth_um * 1e-3
    reach = 1e3 / (pixel[1] - beam_n * s)
    constant = centre_a * pixel[1] - pixel[0] * centre_n
    linear = beam_a * (centre_n - pixel[1]) + beam_n * (pixel[0] - centre_a)
    per_frame = step_a * pixel[1] - pixel[0] * step_n
    per_frame_s = beam_a * step_n - beam_n * step_a
    return (
        half_length + (constant + linear * s) * reach,
        (per_frame + per_frame_s * s) * reach,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def depth_of(pixel: Array, geometry: Array, position_um: float) -> float:
    """Return the depth whose ray is at a coordinate of the code at the first frame."""
    centre_a, centre_n, _, _, beam_a, beam_n, half_length, _ = geometry
    u = (position_um - half_length) * 1e-3
    constant = centre_a * pixel[1] - pixel[0] * centre_n
    linear = beam_a * (centre_n - pixel[1]) + beam_n * (pixel[0] - centre_a)
    return 1e3 * (u * pixel[1] - constant) / (linear + u * beam_n)


@njit(cache=True, nogil=True, error_model="numpy")
def window_of(pixel: Array, geometry: Array, depth_um: float) -> float:
    """Return the window of the thick aperture."""
    s = depth_um * 1e-3
    slope = (pixel[0] - geometry[4] * s) / (pixel[1] - geometry[5] * s)
    return abs(slope) * geometry[7]


@njit(cache=True, nogil=True, error_model="numpy")
def build_knots(
    bar_knots: Array, bar_running: Array, window_um: float, knots: Array, bars: Array, rises: Array
) -> None:
    """Fill in where B(u) bends, B there, and its rise on the piece that follows.

    Two knots for each edge of a bar, in order, and one far out at either end.
    """
    half = max(window_um / 2, SHORTEST_UM)
    edges = bar_knots.size
    left = right = low = high = 0
    knots[0], bars[0] = -FAR_UM, 0.0
    for number in range(1, 2 * edges + 1):
        from_left = left < edges and (
            right >= edges or bar_knots[left] - half <= bar_knots[right] + half
        )
        if from_left:
            u = bar_knots[left] - half
            left += 1
        else:
            u = bar_knots[right] + half
            right += 1
        while low < edges - 2 and bar_knots[low + 1] <= u - half:
            low += 1
        while high < edges - 2 and bar_knots[high + 1] <= u + half:
            high += 1
        difference = _bar_length(bar_knots, bar_running, u + half, high) - _bar_length(
            bar_knots, bar_running, u - half, low
        )
        knots[number] = u
        bars[number] = min(max(difference / (2 * half), 0.0), 1.0)
    knots[2 * edges + 1], bars[2 * edges + 1] = FAR_UM, 0.0
    for number in range(2 * edges + 1):
        length = knots[number + 1] - knots[number]
        rise = bars[number + 1] - bars[number]
        rises[number] = rise / length if length > 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _bar_length(knots: Array, running: Array, u: float, at: int) -> float:
    if u <= knots[0]:
        return running[0]
    if u >= knots[-1]:
        return running[-1]
    part = (u - knots[at]) / (knots[at + 1] - knots[at])
    return running[at] + part * (running[at + 1] - running[at])


@njit(cache=True, nogil=True, error_model="numpy")
def build_integral(
    knots: Array, bars: Array, rises: Array, absorption: float, integral: Array
) -> None:
    """Fill in the running integral of T at the knots."""
    integral[0] = 0.0
    for number in range(knots.size - 1):
        length = knots[number + 1] - knots[number]
        if absorption == OPAQUE:
            mean = 1.0 - 0.5 * (bars[number] + bars[number + 1])
        else:
            begin = math.exp(-absorption * bars[number])
            fall = absorption * (bars[number + 1] - bars[number])
            end = begin * math.exp(-fall)
            mean = 0.5 * (begin + end) if abs(fall) < 1e-6 else (begin - end) / fall
        integral[number + 1] = integral[number] + mean * length


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def fill_line(  # noqa: PLR0912  the loops are inlined by hand: calls here cost a fifth of all time
    knots: Array,
    bars: Array,
    rises: Array,
    integral: Array,
    absorption: float,
    a: float,
    b: float,
    through: Array | None,
    total: Array,
) -> None:
    """Fill in T, unless `through` is None, and its integral at u = a + b k."""
    size = total.size
    at = np.searchsorted(knots, a) - 1
    k = 0
    while k < size:
        knot = knots[at]
        if b > 0.0:
            stop = min(size, math.ceil((knots[at + 1] - a) / b))
        elif b < 0.0:
            stop = min(size, math.floor((knot - a) / b) + 1)
        else:
            stop = size
        base, bar, rise = integral[at], bars[at], rises[at]
        if absorption == OPAQUE:
            for j in range(k, stop):
                u = a + b * j - knot
                if through is not None:
                    through[j] = 1.0 - bar - rise * u
                total[j] = base + (1.0 - bar - 0.5 * rise * u) * u
        elif rise == 0.0:
            level = math.exp(-absorption * bar)
            for j in range(k, stop):
                if through is not None:
                    through[j] = level
                total[j] = base + level * (a + b * j - knot)
        else:
            level = math.exp(-absorption * bar)
            scale = 1.0 / (absorption * rise)
            for j in range(k, stop):
                value = level * math.exp(-absorption * rise * (a + b * j - knot))
                if through is not None:
                    through[j] = value
                total[j] = base + (level - value) * scale
        k = max(k, stop)
        at = at + 1 if b > 0.0 else at - 1


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def average(
    begin: Line, end: Line, at_begin: Array | None, total_begin: Array, total_end: Array, out: Array
) -> None:
    """Fill in T averaged between two lines (a, b), given its integral on both.

    T at the first line stands in where they all but meet; None says that they do not.
    """
    span, per_frame = end[0] - begin[0], end[1] - begin[1]
    for k in range(out.size):
        length = span + per_frame * k
        out[k] = (total_end[k] - total_begin[k]) / length
        if at_begin is not None and abs(length) < SHORTEST_UM:
            out[k] = at_begin[k]
