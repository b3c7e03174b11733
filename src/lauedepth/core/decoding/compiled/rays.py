"""Rays along the code, and the size of a search.

The same closed forms as `instrument.raymap`. Frames are counted from the first one used, in
strides, so that a ray is a straight line u = a + b k over the whole trace. `geometry` is that of
`problem.Problem`.
"""

from __future__ import annotations

import math

import numpy as np

from lauedepth.core.decoding.compiled.jit import compiled
from lauedepth.core.decoding.compiled.types import Array, Line, Size
from lauedepth.core.decoding.limits import (
    LEAST_EDGES,
    MAXIMUM_POSITION_UM,
    MINIMUM_TRAVEL_UM,
    SEARCH_SPACING_UM,
    SEARCH_WIDTHS,
)

OPAQUE = -1.0
"""Stands for opaque bars where an absorption is expected."""

FAR_UM = 1e5
"""Where the open code ends, on both sides: beyond any ray, near enough to keep precision."""

EVEN_FALL = 1e-6
"""Where log T falls by less than this over a stretch, T is taken as falling evenly there.

The difference of the ends over the fall is lost to rounding there, most of all on plateaus of B
that rounding tilts; what the straight line leaves out is the fall squared over twelve.
"""

OUTSIDE = max(SEARCH_WIDTHS) // 2
"""Search steps that the template reaches beyond the candidates, on either side."""

WIDTHS = np.array(SEARCH_WIDTHS)


@compiled
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


@compiled
def depth_of(pixel: Array, geometry: Array, position_um: float) -> float:
    """Return the depth whose ray is at a coordinate of the code at the first frame."""
    centre_a, centre_n, _, _, beam_a, beam_n, half_length, _ = geometry
    u = (position_um - half_length) * 1e-3
    constant = centre_a * pixel[1] - pixel[0] * centre_n
    linear = beam_a * (centre_n - pixel[1]) + beam_n * (pixel[0] - centre_a)
    return 1e3 * (u * pixel[1] - constant) / (linear + u * beam_n)


@compiled
def window_of(pixel: Array, geometry: Array, depth_um: float) -> float:
    """Return the window of the thick aperture."""
    s = depth_um * 1e-3
    slope = (pixel[0] - geometry[4] * s) / (pixel[1] - geometry[5] * s)
    return abs(slope) * geometry[7]


@compiled
def middle_of(depths: Array) -> float:
    """Return the middle of the depths asked for."""
    return float(0.5 * (depths[0] + depths[1]))


@compiled
def bar_length(knots: Array, running: Array, u: float, at: int) -> float:
    """Return the length of bar before a coordinate that lies behind knot number `at`."""
    if u <= knots[0]:
        return running[0]
    if u >= knots[knots.size - 1]:
        return running[knots.size - 1]
    part = (u - knots[at]) / (knots[at + 1] - knots[at])
    return running[at] + part * (running[at + 1] - running[at])


@compiled
def misses_code(
    pixel: Array, geometry: Array, depths: Array, frames: int, first_um: float, last_um: float
) -> bool:
    """Return whether no frame can place the rays on the code, from first_um to last_um.

    They pass beside it in every frame, lie beyond what the tables of the code hold, or hardly
    move along it.
    """
    lowest, highest = math.inf, -math.inf
    for end in range(2):
        a, b = ray_line(pixel, geometry, depths[end])
        last = a + b * (frames - 1)
        lowest = min(lowest, min(a, last))  # noqa: PLW3301  CUDA's take two
        highest = max(highest, max(a, last))  # noqa: PLW3301
    if not (lowest > -MAXIMUM_POSITION_UM and highest < MAXIMUM_POSITION_UM):  # or NaN
        return True
    travel = abs(ray_line(pixel, geometry, middle_of(depths))[1]) * (frames - 1)
    return bool(highest < first_um or lowest > last_um or travel < MINIMUM_TRAVEL_UM)


@compiled
def crosses_edges(
    pixel: Array, geometry: Array, frames: int, depth_um: float, knots: Array
) -> bool:
    """Return whether the ray from a depth crosses enough edges of bars over all frames."""
    start, advance = ray_line(pixel, geometry, depth_um)
    last = start + advance * (frames - 1)
    low, high = min(start, last), max(start, last)
    crossed = 0
    for knot in range(knots.size):
        if low < knots[knot] < high:
            crossed += 1
    return crossed >= LEAST_EDGES


@compiled
def search_size(first_um: float, last_um: float, advance_um: float, frames: int) -> Size:
    """Return (frames per step, candidates, summed frames) of a search."""
    group = max(1, int(SEARCH_SPACING_UM / abs(advance_um)))
    count = int(abs(last_um - first_um) / abs(advance_um * group)) + 1
    return group, count, frames // group


@compiled
def search_line(
    pixel: Array, geometry: Array, depths: Array, frames: int
) -> tuple[float, float, Size]:
    """Return a search's first position, motion per frame and size, for the depths asked for."""
    first = ray_line(pixel, geometry, depths[0])[0]
    last = ray_line(pixel, geometry, depths[1])[0]
    advance = ray_line(pixel, geometry, middle_of(depths))[1]
    start = min(first, last) if advance > 0.0 else max(first, last)
    return start, advance, search_size(first, last, advance, frames)
