"""The aperture's shadow for one pixel.

The same closed forms as `instrument.shadow`. Where frames advance evenly a ray is a straight
line u = a + b k over the whole trace, which is filled piece by piece of the shadow without a
look-up per frame.
"""

from __future__ import annotations

import math

import numpy as np

from lauedepth.core.decoding.compiled.jit import compiled, compiled_fast
from lauedepth.core.decoding.compiled.rays import EVEN_FALL, FAR_UM, OPAQUE, bar_length
from lauedepth.core.decoding.compiled.types import Array, Line
from lauedepth.core.decoding.cpu._types import View
from lauedepth.core.instrument.aperture import SHORTEST_UM


@compiled
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
        difference = bar_length(bar_knots, bar_running, u + half, high) - bar_length(
            bar_knots, bar_running, u - half, low
        )
        knots[number] = u
        bars[number] = min(max(difference / (2 * half), 0.0), 1.0)
    knots[2 * edges + 1], bars[2 * edges + 1] = FAR_UM, 0.0
    for number in range(2 * edges + 1):
        length = knots[number + 1] - knots[number]
        rise = bars[number + 1] - bars[number]
        rises[number] = rise / length if length > 0.0 else 0.0


@compiled
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
            mean = 0.5 * (begin + end) if abs(fall) < EVEN_FALL else (begin - end) / fall
        integral[number + 1] = integral[number] + mean * length


@compiled_fast
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
        elif abs(absorption * (bars[at + 1] - bar)) < EVEN_FALL:
            level = math.exp(-absorption * bar)
            slope = level * absorption * rise
            for j in range(k, stop):
                u = a + b * j - knot
                if through is not None:
                    through[j] = level - slope * u
                total[j] = base + (level - 0.5 * slope * u) * u
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


@compiled_fast
def fill_places(
    knots: Array,
    bars: Array,
    rises: Array,
    integral: Array,
    absorption: float,
    line: Line,
    positions: Array,
    through: Array | None,
    total: Array,
) -> None:
    """Fill in T, unless `through` is None, and its integral at u = a + b times each position."""
    last = knots.size - 2
    at = 0
    for k in range(total.size):
        u = line[0] + line[1] * positions[k]
        while at < last and knots[at + 1] <= u:
            at += 1
        while at > 0 and knots[at] > u:
            at -= 1
        beyond, bar, rise = u - knots[at], bars[at], rises[at]
        if absorption == OPAQUE:
            value = 1.0 - bar - rise * beyond
            part = (1.0 - bar - 0.5 * rise * beyond) * beyond
        else:
            level = math.exp(-absorption * bar)
            fall = absorption * rise * beyond
            value = level * math.exp(-fall)
            even = abs(fall) < EVEN_FALL
            part = 0.5 * (level + value) * beyond if even else (level - value) * beyond / fall
        total[k] = integral[at] + part
        if through is not None:
            through[k] = value


@compiled
def fill_frames(
    view: View,
    integral: Array,
    absorption: float,
    line: Line,
    through: Array | None,
    total: Array,
) -> None:
    """Fill in T, unless `through` is None, and its integral along a ray at all frames."""
    if view.positions.size > 0:
        fill_places(
            view.knots, view.bars, view.rises, integral, absorption, line, view.positions,
            through, total,
        )  # fmt: skip
    else:
        fill_line(
            view.knots, view.bars, view.rises, integral, absorption, line[0], line[1],
            through, total,
        )  # fmt: skip


@compiled_fast
def average(
    begin: Line,
    end: Line,
    positions: Array,
    at_begin: Array | None,
    total_begin: Array,
    total_end: Array,
    out: Array,
) -> None:
    """Fill in T averaged between two lines (a, b), given its integral on both.

    T at the first line stands in where they all but meet; None says that they do not. Positions
    are empty where frames advance evenly.
    """
    span, per_frame = end[0] - begin[0], end[1] - begin[1]
    if positions.size > 0:
        for k in range(out.size):
            length = span + per_frame * positions[k]
            out[k] = (total_end[k] - total_begin[k]) / length
            if at_begin is not None and abs(length) < SHORTEST_UM:
                out[k] = at_begin[k]
        return
    for k in range(out.size):
        length = span + per_frame * k
        out[k] = (total_end[k] - total_begin[k]) / length
        if at_begin is not None and abs(length) < SHORTEST_UM:
            out[k] = at_begin[k]
