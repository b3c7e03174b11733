"""On the device: the exhaustive search along the code, as in `code_search`."""

from __future__ import annotations

import numpy as np
from numba import cuda

from lauedepth.core.decoding.code_search import APART, LEAST_CONTRAST
from lauedepth.core.decoding.compiled import rays
from lauedepth.core.decoding.compiled.rays import OPAQUE, OUTSIDE
from lauedepth.core.decoding.compiled.types import (
    CANDIDATE,
    EXTENT,
    SCORE,
    START,
    STEP,
    Array,
    Size,
)
from lauedepth.core.decoding.cuda._block import argmax, inclusive_scan, total_of
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._shadow import light_at, piece_of
from lauedepth.core.decoding.cuda._types import Block, Space, View
from lauedepth.core.decoding.limits import SEARCH_WIDTHS

WIDTHS = tuple(SEARCH_WIDTHS)

search_line = device(rays.search_line)


@device
def set_line(view: View, depths: Array, space: Space, block: Block) -> Size:
    """Fill in the first candidate's position, and the step to the next; return the size."""
    start, advance, size = search_line(view.pixel, view.geometry, depths, view.counts.size)
    cuda.syncthreads()
    if block.thread == 0:
        space.line[START], space.line[STEP] = start, advance * size[0]
    cuda.syncthreads()
    return size


@device
def prepare_search(view: View, depths: Array, space: Space, block: Block) -> Size:
    """Fill in the template and, for every extent, 1/variance under each candidate."""
    size = set_line(view, depths, space, block)
    begin, step = space.line[START], space.line[STEP]
    length = size[1] + 2 * OUTSIDE + size[2] - 1
    start = begin - OUTSIDE * step - 0.5 * step / size[0]
    _fill_template(view, start, step, length, space, block)
    for which in range(len(WIDTHS)):
        _fill_inverse(which, length, size, space, block)
    return size


@device
def _fill_template(
    view: View, start_um: float, step_um: float, length: int, space: Space, block: Block
) -> None:
    """Fill in T averaged over each step, and its running sums."""
    cuda.syncthreads()
    for number in range(block.thread, length + 1, block.threads):
        u = start_um + step_um * number
        at = piece_of(view.knots, u)
        space.total[number] = light_at(view, view.integral, OPAQUE, u, at)[1]
    cuda.syncthreads()
    for number in range(block.thread, length, block.threads):
        mean = (space.total[number + 1] - space.total[number]) / step_um
        space.template[number] = mean
        space.running[number + 1] = mean
    if block.thread == 0:
        space.running[0] = 0.0
    inclusive_scan(block, space.running, length + 1)


@device
def _fill_inverse(which: int, length: int, size: Size, space: Space, block: Block) -> None:
    """Fill in 1/variance of the template under each candidate for one extent."""
    _, count, summed = size
    width = WIDTHS[which]
    part = 1.0 / width
    points = length - width + 1
    for number in range(block.thread, points, block.threads):
        smooth = (space.running[number + width] - space.running[number]) * part
        space.total[number + 1] = smooth
        space.squares[number + 1] = smooth * smooth
    if block.thread == 0:
        space.total[0] = space.squares[0] = 0.0
    inclusive_scan(block, space.total, points + 1)
    inclusive_scan(block, space.squares, points + 1)
    skip = OUTSIDE - width // 2
    for number in range(block.thread, count, block.threads):
        low, high = skip + number, skip + number + summed
        mean = space.total[high] - space.total[low]
        spread = (space.squares[high] - space.squares[low]) - mean * mean / summed
        space.inverse[which, number] = 1.0 / spread if spread > LEAST_CONTRAST * summed else 0.0
    cuda.syncthreads()


@device
def fill_gaps(values: Array, counts: Array, filled: Array, block: Block) -> None:
    """Copy values where counts were measured, and fill in others from their neighbours."""
    size = counts.size
    cuda.syncthreads()
    for k in range(block.thread, size, block.threads):
        if counts[k] >= 0.0:
            filled[k] = values[k]
            continue
        low, high = k - 1, k + 1
        while low >= 0 and counts[low] < 0.0:
            low -= 1
        while high < size and counts[high] < 0.0:
            high += 1
        before = values[low] if low >= 0 else values[high]
        after = values[high] if high < size else before
        filled[k] = before + (k - low) / (high - low) * (after - before)
    cuda.syncthreads()


@device
def run_search(size: Size, space: Space, number: int, block: Block) -> int:
    """Search for the trace in `space.filled`.

    Places are filled in as (candidate, extent in steps, score) into `space.found`, best first.

    Returns
    -------
    int
        How many places were found.
    """
    group, count, _ = size
    _fill_products(size, space, block)
    for candidate in range(block.thread, count, block.threads):
        _score(space, candidate)
    hits = 0
    while hits < number:
        cuda.syncthreads()
        best, mine = -1.0, 0
        for candidate in range(block.thread, count, block.threads):
            if space.best[candidate] > best:
                best, mine = space.best[candidate], candidate
        best, at = argmax(block, best, mine)
        if not best > 0.0:
            break
        width = WIDTHS[int(space.which[at])]
        if block.thread == 0:
            space.found[hits, CANDIDATE] = at
            space.found[hits, EXTENT] = width
            space.found[hits, SCORE] = best / group
        hits += 1
        low, high = max(0, at - width - APART), min(count, at + width + APART + 1)
        for candidate in range(low + block.thread, high, block.threads):
            space.best[candidate] = 0.0
    cuda.syncthreads()
    return hits


@device
def _fill_products(size: Size, space: Space, block: Block) -> None:
    """Fill in the running sums of the centred trace's products with the template."""
    group, count, summed = size
    part = 0.0
    for k in range(block.thread, summed * group, block.threads):
        part += space.filled[k]
    mean = total_of(block, part) / summed
    for k in range(block.thread, summed, block.threads):
        total = 0.0
        for inner in range(group):
            total += space.filled[k * group + inner]
        space.trace[k] = total - mean
    cuda.syncthreads()
    points = count + 2 * OUTSIDE
    for j in range(block.thread, points, block.threads):
        product = np.float32(0.0)
        for k in range(summed):
            product += space.trace[k] * space.template[j + k]
        space.products[j + 1] = product
    if block.thread == 0:
        space.products[0] = 0.0
    inclusive_scan(block, space.products, points + 1)


@device
def _score(space: Space, candidate: int) -> None:
    """Fill in what a source at a candidate explains at most, and with which extent."""
    best, chosen = 0.0, 0
    for which in range(len(WIDTHS)):
        width = WIDTHS[which]
        low = candidate + OUTSIDE - width // 2
        product = max((space.products[low + width] - space.products[low]) / width, 0.0)
        score = product * product * space.inverse[which, candidate]
        if score > best:
            best, chosen = score, which
    space.best[candidate] = best
    space.which[candidate] = chosen
