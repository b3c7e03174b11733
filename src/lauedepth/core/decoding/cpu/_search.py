"""The exhaustive search along the code, as in `code_search`."""

from __future__ import annotations

import numpy as np

from lauedepth.core.decoding.code_search import APART, LEAST_CONTRAST
from lauedepth.core.decoding.compiled.jit import compiled, compiled_fast
from lauedepth.core.decoding.compiled.rays import OPAQUE, OUTSIDE, WIDTHS
from lauedepth.core.decoding.compiled.types import CANDIDATE, EXTENT, SCORE, Array, Size
from lauedepth.core.decoding.cpu._shadow import fill_line
from lauedepth.core.decoding.cpu._types import Space, View

AT_ONCE = 4


@compiled
def prepare_search(
    view: View, begin_um: float, advance_um: float, size: Size, space: Space
) -> None:
    """Fill in the template and, for every extent, 1/variance under each candidate."""
    group, count, summed = size
    length = count + 2 * OUTSIDE + summed - 1
    template, integral = space.template, space.running[2]
    step = advance_um * group
    start = begin_um - OUTSIDE * step - 0.5 * advance_um
    fill_line(
        view.knots, view.bars, view.rises, view.integral, OPAQUE, start, step,
        None, integral[: length + 1],
    )  # fmt: skip
    for number in range(length):
        template[number] = (integral[number + 1] - integral[number]) / step
    running, twice = space.running[0], space.running[1]
    running[0] = twice[0] = 0.0
    for number in range(length):
        running[number + 1] = running[number] + template[number]
        twice[number + 1] = twice[number] + running[number]
    twice[length + 1] = twice[length] + running[length]  # the last one of the widest extent
    runs = _weigh_steps(view.mask, group, summed, space)
    for which in range(0, WIDTHS.size, AT_ONCE):
        _sum_squares(running, WIDTHS[which : which + AT_ONCE], count + summed - 1, space.squares)
        for one in range(AT_ONCE):
            width, inverse = WIDTHS[which + one], space.inverse[which + one, :count]
            if runs == 1:
                _invert_variance(twice, space.squares[one], width, summed, inverse)
            else:
                _invert_variance_of_runs(twice, space.squares[one], width, runs, space, inverse)


@compiled
def _sum_squares(running: Array, widths: Array, length: int, squares: Array) -> None:
    """Fill in the running sums of squares of the template, smoothed to four widths.

    Four at a time, since each sum waits for the one before.
    """
    first, second, third, fourth = widths
    one, two = running[OUTSIDE - first // 2 :], running[OUTSIDE - second // 2 :]
    three, four = running[OUTSIDE - third // 2 :], running[OUTSIDE - fourth // 2 :]
    a = b = c = d = 0.0
    squares[:, 0] = 0.0
    for number in range(length):
        a += (one[number + first] - one[number]) ** 2
        b += (two[number + second] - two[number]) ** 2
        c += (three[number + third] - three[number]) ** 2
        d += (four[number + fourth] - four[number]) ** 2
        squares[0, number + 1], squares[1, number + 1] = a, b
        squares[2, number + 1], squares[3, number + 1] = c, d


@compiled_fast
def _invert_variance(twice: Array, squares: Array, width: int, summed: int, inverse: Array) -> None:
    """Fill in 1/variance of the smoothed template under each candidate."""
    begin = twice[OUTSIDE - width // 2 :]
    begin_ahead, end, end_ahead = begin[width:], begin[summed:], begin[summed + width :]
    squares_after = squares[summed:]
    share, scale = 1.0 / summed, 1.0 / width**2
    minimum = LEAST_CONTRAST * summed
    for number in range(inverse.size):
        total = (end_ahead[number] - begin_ahead[number]) - (end[number] - begin[number])
        spread = scale * ((squares_after[number] - squares[number]) - total * total * share)
        inverse[number] = 1.0 / spread if spread > minimum else 0.0


@compiled
def _weigh_steps(mask: Array, group: int, summed: int, space: Space) -> int:
    """Fill in the measured part of each search step; return the number of runs of equal ones."""
    runs = 0
    for step in range(summed):
        measured = 0.0
        for inner in range(group):
            measured += 1.0 if mask[step * group + inner] > 0.0 else 0.0
        space.weights[step] = measured / group
        if step == 0 or space.weights[step] != space.weights[step - 1]:
            space.starts[runs] = step
            runs += 1
    space.starts[runs] = summed
    return runs


@compiled
def _invert_variance_of_runs(
    twice: Array, squares: Array, width: int, runs: int, space: Space, inverse: Array
) -> None:
    """Fill in 1/variance as `_invert_variance` does, of frames some of which were lost."""
    begin = twice[OUTSIDE - width // 2 :]
    total, square, weight = np.zeros(inverse.size), np.zeros(inverse.size), 0.0
    for run in range(runs):
        first, last = space.starts[run], space.starts[run + 1]
        part = space.weights[first]
        weight += part * (last - first)
        if part == 0.0:
            continue
        for number in range(inverse.size):
            low, high = number + first, number + last
            ahead = begin[high + width] - begin[low + width]
            total[number] += part * (ahead - (begin[high] - begin[low]))
            square[number] += part * (squares[high] - squares[low])
    for number in range(inverse.size):
        spread = (square[number] - total[number] ** 2 / weight) / width**2
        inverse[number] = 1.0 / spread if spread > LEAST_CONTRAST * weight else 0.0


@compiled_fast
def slide(template: Array, trace: Array, out: Array) -> None:
    """Fill in the products of a trace with the template at every shift."""
    out[:] = 0.0
    whole = trace.size // 8 * 8
    for k in range(0, whole, 8):
        y0, y1, y2, y3 = trace[k], trace[k + 1], trace[k + 2], trace[k + 3]
        y4, y5, y6, y7 = trace[k + 4], trace[k + 5], trace[k + 6], trace[k + 7]
        part = template[k : k + out.size + 7]
        for j in range(out.size):
            out[j] += (
                (y0 * part[j] + y1 * part[j + 1])
                + (y2 * part[j + 2] + y3 * part[j + 3])
                + (y4 * part[j + 4] + y5 * part[j + 5])
                + (y6 * part[j + 6] + y7 * part[j + 7])
            )
    for k in range(whole, trace.size):
        y0 = trace[k]
        for j in range(out.size):
            out[j] += y0 * template[k + j]


@compiled
def run_search(size: Size, space: Space, number: int) -> int:
    """Search for the trace in `space.filled`.

    Places are filled in as (candidate, extent in steps, score) into `space.found`, best first.

    Returns
    -------
    int
        How many places were found.
    """
    group, count, summed = size
    points = count + 2 * OUTSIDE
    trace = _centred(space.filled, space.weights, group, summed)
    template = space.template[: points + summed - 1].astype(np.float32)
    slide(template, trace, space.products[:points])
    running = space.running[0]
    running[0] = 0.0
    for j in range(points):
        running[j + 1] = running[j] + space.products[j]
    best = np.zeros(count)
    which_best = np.zeros(count, np.int64)
    for which in range(WIDTHS.size):
        _score(running, space.inverse[which, :count], which, best, which_best)
    hits = 0
    while hits < number:
        at = np.argmax(best)
        if not best[at] > 0.0:
            break
        width = WIDTHS[which_best[at]]
        space.found[hits, CANDIDATE] = at
        space.found[hits, EXTENT] = width
        space.found[hits, SCORE] = best[at] / group
        hits += 1
        best[max(0, at - width - APART) : at + width + APART + 1] = 0.0
    return hits


@compiled
def _centred(values: Array, weights: Array, group: int, summed: int) -> Array:
    """Return values summed in groups, less their mean over what was measured."""
    trace = np.zeros(summed, np.float32)
    mean = 0.0
    for k in range(summed * group):
        mean += values[k]
    mean /= weights[:summed].sum()
    for k in range(summed):
        total = 0.0
        for inner in range(group):
            total += values[k * group + inner]
        trace[k] = total - mean * weights[k]
    return trace


@compiled_fast
def _score(running: Array, inverse: Array, which: int, best: Array, which_best: Array) -> None:
    """Take over the candidates that explain more with this extent."""
    width = WIDTHS[which]
    behind = running[OUTSIDE - width // 2 :]
    ahead = behind[width:]
    part = 1.0 / width
    for j in range(best.size):
        product = max((ahead[j] - behind[j]) * part, 0.0)
        score = product * product * inverse[j]
        better = score > best[j]
        best[j] = score if better else best[j]
        which_best[j] = which if better else which_best[j]
