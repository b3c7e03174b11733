"""On the device: the aperture's shadow for one pixel, as in `instrument.shadow`."""

from __future__ import annotations

import math

from numba import cuda

from lauedepth.core.decoding.compiled import rays
from lauedepth.core.decoding.compiled.rays import EVEN_FALL, FAR_UM, OPAQUE
from lauedepth.core.decoding.compiled.types import Array
from lauedepth.core.decoding.cuda._block import inclusive_scan
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._types import Block, View
from lauedepth.core.instrument.aperture import SHORTEST_UM

ray_line = device(rays.ray_line)
depth_of = device(rays.depth_of)
window_of = device(rays.window_of)
_bar_length = device(rays.bar_length)


@device
def piece_of(knots: Array, u: float) -> int:
    """Return the piece of the shadow on which a coordinate of the code lies."""
    low, high = 0, knots.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        if knots[middle] <= u:
            low = middle
        else:
            high = middle
    return low


@device
def follow(knots: Array, u: float, at: int) -> int:
    """Return the piece on which a coordinate lies, looked for from a near one on."""
    while at < knots.size - 2 and knots[at + 1] <= u:
        at += 1
    while at > 0 and knots[at] > u:
        at -= 1
    return at


@device
def _count_below(bar_knots: Array, shift: float, limit: float, with_equal: bool) -> int:
    """Return how many knots, shifted, are below a limit."""
    low, high = 0, bar_knots.size
    while low < high:
        middle = (low + high) // 2
        u = bar_knots[middle] + shift
        if u < limit or (with_equal and u == limit):
            low = middle + 1
        else:
            high = middle
    return low


@device
def _set_knot(
    view: View, bar_knots: Array, bar_running: Array, half: float, number: int, u: float
) -> None:
    low, high = u - half, u + half
    difference = _bar_length(bar_knots, bar_running, high, piece_of(bar_knots, high)) - _bar_length(
        bar_knots, bar_running, low, piece_of(bar_knots, low)
    )
    view.knots[number] = u
    view.bars[number] = min(max(difference / (2 * half), 0.0), 1.0)


@device
def build_shadow(
    view: View, bar_knots: Array, bar_running: Array, window_um: float, block: Block
) -> None:
    """Fill in where B(u) bends, B there, its rise on the piece that follows, and T's integral.

    Each thread places its knots itself: the rank of one is its own number among the edges of
    its kind and how many of the other kind come before it.
    """
    half = max(window_um / 2, SHORTEST_UM)
    edges = bar_knots.size
    for edge in range(block.thread, edges, block.threads):
        u = bar_knots[edge] - half
        before = _count_below(bar_knots, half, u, False)
        _set_knot(view, bar_knots, bar_running, half, 1 + edge + before, u)
        u = bar_knots[edge] + half
        before = _count_below(bar_knots, -half, u, True)
        _set_knot(view, bar_knots, bar_running, half, 1 + edge + before, u)
    if block.thread == 0:
        view.knots[0], view.bars[0] = -FAR_UM, 0.0
        view.knots[2 * edges + 1], view.bars[2 * edges + 1] = FAR_UM, 0.0
    cuda.syncthreads()
    for number in range(block.thread, 2 * edges + 1, block.threads):
        length = view.knots[number + 1] - view.knots[number]
        rise = view.bars[number + 1] - view.bars[number]
        view.rises[number] = rise / length if length > 0.0 else 0.0
    build_integral(view, OPAQUE, view.integral, block)


@device
def build_integral(view: View, absorption: float, integral: Array, block: Block) -> None:
    """Fill in the running integral of T at the knots."""
    cuda.syncthreads()
    for number in range(block.thread, view.knots.size, block.threads):
        if number == 0:
            integral[0] = 0.0
            continue
        first, last = view.bars[number - 1], view.bars[number]
        if absorption == OPAQUE:
            mean = 1.0 - 0.5 * (first + last)
        else:
            begin = math.exp(-absorption * first)
            fall = absorption * (last - first)
            end = begin * math.exp(-fall)
            mean = 0.5 * (begin + end) if abs(fall) < EVEN_FALL else (begin - end) / fall
        integral[number] = mean * (view.knots[number] - view.knots[number - 1])
    inclusive_scan(block, integral, view.knots.size)


@device
def light_at(
    view: View, integral: Array, absorption: float, u: float, at: int
) -> tuple[float, float]:
    """Return T and its integral at a coordinate of the code on a piece of the shadow."""
    beyond = u - view.knots[at]
    bar, rise = view.bars[at], view.rises[at]
    if absorption == OPAQUE:
        through = 1.0 - bar - rise * beyond
        return through, integral[at] + (1.0 - bar - 0.5 * rise * beyond) * beyond
    level = math.exp(-absorption * bar)
    fall = absorption * rise * beyond
    if abs(fall) < EVEN_FALL:
        return level * (1.0 - fall), integral[at] + level * (1.0 - 0.5 * fall) * beyond
    through = level * math.exp(-fall)
    return through, integral[at] + (level - through) * beyond / fall


@device
def average(length: float, at_begin: float, difference: float) -> float:
    """Return T averaged over a length, from the difference of its integral."""
    return at_begin if abs(length) < SHORTEST_UM else difference / length
