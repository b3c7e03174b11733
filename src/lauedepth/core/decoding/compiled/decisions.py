"""Decisions about fits: what is seen, what is kept, what becomes of a pixel.

The same as those of `reference`, written without arrays of their own.
"""

from __future__ import annotations

import math

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.compiled.jit import compiled
from lauedepth.core.decoding.compiled.rays import OPAQUE, depth_of, ray_line
from lauedepth.core.decoding.compiled.types import (
    AMBIGUOUS,
    BACKGROUND,
    BOX,
    BOXES,
    CANDIDATE,
    CENTRE,
    CHI_SQUARE,
    DECODED,
    EXTENT,
    FREEDOM,
    INTENSITY,
    LOG_ABSORPTION,
    NO_MATCH,
    START,
    STEP,
    WIDTH,
    Array,
    Fit,
)

LOG_LOW = math.log(limits.ABSORPTION_RANGE[0])
LOG_HIGH = math.log(limits.ABSORPTION_RANGE[1])
LOG_START = math.log(limits.ABSORPTION_START)


@compiled
def parameters_of(boxes: int, absorbing: bool) -> int:
    """Return how many parameters a fit of so many boxes has."""
    return BOX * boxes + (2 if absorbing else 1)


@compiled
def too_few(measured: int, frames: int) -> bool:
    """Return whether a trace has too few frames that were measured."""
    return measured < max(limits.LEAST_FRAMES, limits.LEAST_USABLE * frames)


@compiled
def significant(score: float, spread: float, level: float, freedom: float) -> bool:
    """Return whether a match stands out of the counting noise and of the trace's own scatter."""
    against_scatter = freedom * score / max(spread - score, 1e-9 * spread)
    return min(score / level, against_scatter) > limits.DETECTION


@compiled
def scale_of(fit: Fit) -> float:
    """Return chi-square per degree of freedom where it exceeds one: model error as noise."""
    return max(1.0, fit.state[CHI_SQUARE] / fit.state[FREEDOM])


@compiled
def misfits(fit: Fit) -> bool:
    """Return whether a fit leaves more than counting noise."""
    freedom = fit.state[FREEDOM]
    return fit.state[CHI_SQUARE] > freedom + limits.MISFIT * math.sqrt(2.0 * freedom)


@compiled
def both_matter(fit: Fit) -> bool:
    """Return whether no box is negligible; a single one is not."""
    if fit.state[BOXES] == 1:
        return True
    first, second = fit.theta[INTENSITY], fit.theta[BOX + INTENSITY]
    return min(first, second) > limits.SECOND_INTENSITY * max(first, second)


@compiled
def unexplained(chi_square: float, flat: float, size: int) -> bool:
    """Return whether the trace varies much more than counting, and the fit does not say why."""
    excess = flat - size
    return excess > limits.MISFIT * math.sqrt(2.0 * size) and (
        flat - chi_square < limits.EXPLAINED * excess
    )


@compiled
def set_box(
    pixel: Array, geometry: Array, line: Array, found: Array, theta: Array, number: int
) -> None:
    """Turn a place that the search found into a stretch of depth: box `number`."""
    position = line[START] + line[STEP] * found[CANDIDATE]
    half = 0.5 * found[EXTENT] * abs(line[STEP])
    one = depth_of(pixel, geometry, position - half)
    two = depth_of(pixel, geometry, position + half)
    theta[BOX * number + CENTRE] = 0.5 * (one + two)
    theta[BOX * number + WIDTH] = abs(two - one)


@compiled
def set_halves(single: Array, theta: Array) -> None:
    """Start two boxes from the halves of a single one."""
    centre, quarter = single[CENTRE], 0.25 * single[WIDTH]
    theta[CENTRE], theta[WIDTH] = centre - quarter, quarter
    theta[BOX + CENTRE], theta[BOX + WIDTH] = centre + quarter, quarter


@compiled
def set_bounds(
    level: float,
    theta: Array,
    boxes: int,
    absorbing: bool,
    background: float,
    solved: Array,
    low: Array,
    high: Array,
) -> None:
    """Set the bounds of a fit, and its start from intensities and background solved for.

    Parameters
    ----------
    level : float
        Mean of the counts.
    theta : array
        Centres and widths are given; what else there is to start from is filled in.
    boxes : int
    absorbing : bool
        Whether the absorption is fitted.
    background : float
        NaN where it is fitted.
    solved : (boxes + 1,) array
        Intensities and background of these shapes.
    low, high : arrays
        Filled in; equal where a parameter is fixed.
    """
    for number in range(boxes):
        at = BOX * number
        centre, width = theta[at + CENTRE], theta[at + WIDTH]
        reach = width + limits.REACH_UM
        low[at + CENTRE], high[at + CENTRE] = centre - reach, centre + reach
        low[at + WIDTH], high[at + WIDTH] = limits.LEAST_WIDTH_UM, 3.0 * reach
        low[at + INTENSITY], high[at + INTENSITY] = 0.0, math.inf
        theta[at + WIDTH] = max(width, limits.LEAST_WIDTH_UM)
        theta[at + INTENSITY] = max(solved[number], 1e-3 * level)
    at = BOX * boxes + BACKGROUND
    if math.isnan(background):
        theta[at], low[at], high[at] = solved[boxes], 0.0, math.inf
    else:
        theta[at], low[at], high[at] = background, background, background
    if absorbing:
        at = BOX * boxes + LOG_ABSORPTION
        low[at], high[at] = LOG_LOW, LOG_HIGH


@compiled
def centroid_slope(theta: Array, boxes: int, parameter: int) -> float:
    """Return the derivative of the boxes' common centroid by a parameter."""
    total, moment = 0.0, 0.0
    for number in range(boxes):
        total += theta[BOX * number + INTENSITY]
        moment += theta[BOX * number + INTENSITY] * theta[BOX * number + CENTRE]
    if parameter >= BOX * boxes or parameter % BOX == WIDTH:
        return 0.0
    if parameter % BOX == CENTRE:
        return theta[parameter + INTENSITY] / total
    return (theta[parameter - INTENSITY] - moment / total) / total


@compiled
def has_rival(
    chi_squares: Array, centres: Array, widths: Array, hits: int, chosen: int, scale: float
) -> bool:
    """Return whether another place, apart from the one chosen, explains a trace about as well.

    Places that were not fitted have an infinite chi-square.
    """
    for place in range(hits):
        if place == chosen or chi_squares[place] == math.inf:
            continue
        near = chi_squares[place] - chi_squares[chosen] < limits.DISTINCT * scale
        apart = abs(centres[place] - centres[chosen])
        if near and apart > 0.5 * (widths[place] + widths[chosen]):
            return True
    return False


@compiled
def common_misfit(
    single: Fit,
    absorption: float,
    level: float,
    pixel: Array,
    geometry: Array,
    origin: float,
    model_error: Array,
) -> float:
    """Return what pixels with this much light from there leave over in chi-square.

    Parameters
    ----------
    single : Fit
        Of one box.
    absorption : float
        Of its bars, or `OPAQUE`.
    level : float
        Mean of the counts.
    pixel, geometry, origin, model_error : arrays
        See `problem.Problem`.
    """
    start, advance = ray_line(pixel, geometry, single.theta[CENTRE])
    variance = interpolated(start + advance * origin, model_error)
    modulated = single.theta[INTENSITY]
    if absorption != OPAQUE:
        modulated *= 1.0 - math.exp(-absorption)
    return float(single.state[FREEDOM] * variance * modulated**2 / level)


@compiled
def interpolated(at: float, points: Array) -> float:
    """Interpolate between rows (x, y) with x in order; the first and last reach on."""
    last = points.shape[0] - 1
    if at <= points[0, 0]:
        return float(points[0, 1])
    for index in range(last):
        if at < points[index + 1, 0]:
            part = (at - points[index, 0]) / (points[index + 1, 0] - points[index, 0])
            return float(points[index, 1] + part * (points[index + 1, 1] - points[index, 1]))
    return float(points[last, 1])


@compiled
def is_better_pair(single: Fit, pair: Fit, common: float, lowest: float) -> bool:
    """Return whether two boxes gain enough over one, and more than the best pair so far.

    Enough is more than counting noise gives, and than what is `common` to many pixels.
    """
    gain = single.state[CHI_SQUARE] - pair.state[CHI_SQUARE]
    enough = gain > limits.DETECTION * scale_of(pair) + common
    return bool(pair.state[CHI_SQUARE] < lowest and enough and both_matter(pair))


@compiled
def asks_for_transparent(best: Fit, single: Fit) -> bool:
    """Return whether bars that let light through are to be tried."""
    return bool(best.state[BOXES] == 2 or misfits(single))


@compiled
def asks_for_transparent_pair(best: Fit, transparent: Fit) -> bool:
    """Return whether, tried with one box, they are to be tried with two too."""
    return bool(transparent.state[CHI_SQUARE] > best.state[CHI_SQUARE] and misfits(best))


@compiled
def takes_transparent(best: Fit, transparent: Fit) -> bool:
    """Return whether bars that let light through explain more than opaque ones."""
    worse = transparent.state[CHI_SQUARE] > best.state[CHI_SQUARE]
    return bool(not worse and both_matter(transparent))


@compiled
def gap_of(theta: Array) -> float:
    """Return the stretch of depth between two boxes, negative where they overlap."""
    apart = abs(theta[CENTRE] - theta[BOX + CENTRE])
    return float(apart - 0.5 * (theta[WIDTH] + theta[BOX + WIDTH]))


@compiled
def are_apart(fit: Fit) -> bool:
    """Return whether a fit's boxes are two depths and not one footprint."""
    return bool(fit.state[BOXES] == 2 and gap_of(fit.theta) >= limits.LEAST_GAP_UM)


@compiled
def asks_for_one(best: Fit) -> bool:
    """Return whether two depths are so near that bars letting light through may feign them."""
    near = gap_of(best.theta) < best.theta[WIDTH] + best.theta[BOX + WIDTH]
    return bool(are_apart(best) and near)


@compiled
def set_halves_of_both(pair: Array, theta: Array) -> None:
    """Start two boxes from the halves of what two others span."""
    begin = min(pair[CENTRE] - 0.5 * pair[WIDTH], pair[BOX + CENTRE] - 0.5 * pair[BOX + WIDTH])
    end = max(pair[CENTRE] + 0.5 * pair[WIDTH], pair[BOX + CENTRE] + 0.5 * pair[BOX + WIDTH])
    half = 0.5 * (end - begin)
    theta[CENTRE], theta[WIDTH] = begin + 0.5 * half, half
    theta[BOX + CENTRE], theta[BOX + WIDTH] = end - 0.5 * half, half


@compiled
def takes_one(best: Fit, one: Fit) -> bool:
    """Return whether one footprint, seen through the bars, explains about as much as two depths."""
    near = one.state[CHI_SQUARE] < best.state[CHI_SQUARE] + limits.DISTINCT * scale_of(best)
    return bool(near and not are_apart(one))


@compiled
def judge(
    chi_square: float, boxes: int, single_chi_square: float, rivalled: bool, flat: float, size: int
) -> int:
    """Return the status of a pixel from the fit chosen; `DECODED` if it may be solved.

    Parameters
    ----------
    chi_square : float
    boxes : int
        Of the fit chosen.
    single_chi_square : float
        Of the single box that it began with.
    rivalled : bool
        Whether that one had a rival.
    flat : float
        Chi-square of a constant.
    size : int
        Frames measured.
    """
    if unexplained(chi_square, flat, size):
        return NO_MATCH
    if rivalled and chi_square == single_chi_square and boxes == 1:
        return AMBIGUOUS
    return DECODED
