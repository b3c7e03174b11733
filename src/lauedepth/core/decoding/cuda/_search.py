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
from lauedepth.core.decoding.cuda._block import argmax, broadcast, inclusive_scan, total_of
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._shadow import light_at, piece_of
from lauedepth.core.decoding.cuda._types import Block, Space, View
from lauedepth.core.decoding.limits import SEARCH_WIDTHS

WIDTHS = tuple(SEARCH_WIDTHS)

AT_ONCE = 4
"""Points of the search whose products a thread sums at once."""

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
    runs = _weigh_steps(view, size, space, block)
    for which in range(len(WIDTHS)):
        _fill_inverse(which, length, size, runs, space, block)
    return size


@device
def _weigh_steps(view: View, size: Size, space: Space, block: Block) -> int:
    """Fill in runs of steps of which equal parts were measured; return how many there are."""
    group, _, summed = size
    cuda.syncthreads()
    runs = 0
    if block.thread == 0:
        whole = view.measured == view.counts.size
        for step in range(1 if whole else summed):
            part = measured_of(view.counts, step, group) / group
            if step == 0 or part != space.weights[runs - 1]:
                space.starts[runs], space.weights[runs] = step, part
                runs += 1
        space.starts[runs] = summed
    return int(broadcast(block, float(runs)))


@device
def measured_of(counts: Array, step: int, group: int) -> float:
    """Return how many frames of a step were measured."""
    measured = 0.0
    for k in range(step * group, (step + 1) * group):
        measured += 1.0 if counts[k] >= 0.0 else 0.0
    return measured


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
def _fill_inverse(
    which: int, length: int, size: Size, runs: int, space: Space, block: Block
) -> None:
    """Fill in 1/variance of the template under each candidate for one extent."""
    count = size[1]
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
        mean = squares = weight = 0.0
        for run in range(runs):
            first, last, measured = space.starts[run], space.starts[run + 1], space.weights[run]
            low, high = skip + number + first, skip + number + last
            mean += measured * (space.total[high] - space.total[low])
            squares += measured * (space.squares[high] - space.squares[low])
            weight += measured * (last - first)
        spread = squares - mean * mean / weight
        space.inverse[which, number] = 1.0 / spread if spread > LEAST_CONTRAST * weight else 0.0
    cuda.syncthreads()


@device
def copy_measured(values: Array, counts: Array, filled: Array, block: Block) -> None:
    """Copy values where counts were measured; others become zero, and carry no weight."""
    cuda.syncthreads()
    for k in range(block.thread, counts.size, block.threads):
        filled[k] = values[k] if counts[k] >= 0.0 else 0.0
    cuda.syncthreads()


@device
def run_search(size: Size, counts: Array, space: Space, number: int, block: Block) -> int:
    """Search for the trace in `space.filled`.

    Places are filled in as (candidate, extent in steps, score) into `space.found`, best first.

    Returns
    -------
    int
        How many places were found.
    """
    group, count, _ = size
    _fill_products(size, counts, space, block)
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
def _fill_products(size: Size, counts: Array, space: Space, block: Block) -> None:
    """Fill in the running sums of the centred trace's products with the template."""
    group, count, summed = size
    part = steps = 0.0
    for k in range(block.thread, summed * group, block.threads):
        part += space.filled[k]
        steps += 1.0 if counts[k] >= 0.0 else 0.0
    mean = total_of(block, part) / (total_of(block, steps) / group)
    for k in range(block.thread, summed, block.threads):
        total = 0.0
        for inner in range(group):
            total += space.filled[k * group + inner]
        space.trace[k] = total - mean * (measured_of(counts, k, group) / group)
    cuda.syncthreads()
    points = count + 2 * OUTSIDE
    for j in range(block.thread, points, AT_ONCE * block.threads):
        _fill_four_products(j, points, summed, space, block)
    if block.thread == 0:
        space.products[0] = 0.0
    inclusive_scan(block, space.products, points + 1)


@device
def _fill_four_products(j: int, points: int, summed: int, space: Space, block: Block) -> None:
    """Fill in the products at `AT_ONCE` points, `block.threads` apart: each count is loaded once.

    Indices are unsigned, so that no code is needed for those that count from the end.
    """
    last = points - 1
    second, third = min(j + block.threads, last), min(j + 2 * block.threads, last)
    fourth = min(j + 3 * block.threads, last)
    at, at_second = np.uint64(j), np.uint64(second)
    at_third, at_fourth = np.uint64(third), np.uint64(fourth)
    a = b = c = d = np.float32(0.0)
    for k in range(np.uint64(summed)):
        count = space.trace[k]
        a += count * space.template[at + k]
        b += count * space.template[at_second + k]
        c += count * space.template[at_third + k]
        d += count * space.template[at_fourth + k]
    # Beyond the last point all threads write the same value there.
    space.products[fourth + 1] = d
    space.products[third + 1] = c
    space.products[second + 1] = b
    space.products[j + 1] = a


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
