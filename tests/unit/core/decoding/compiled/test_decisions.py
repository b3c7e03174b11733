"""Decisions about fits, each against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.compiled import decisions
from lauedepth.core.decoding.compiled.types import (
    AMBIGUOUS,
    BACKGROUND,
    BOX,
    CENTRE,
    DECODED,
    INTENSITY,
    LOG_ABSORPTION,
    MOST_PARAMETERS,
    NO_MATCH,
    WIDTH,
    Fit,
)


def fit_of(
    chi_square: float,
    freedom: float = 200.0,
    boxes: int = 1,
    intensities: tuple[float, float] = (100.0, 100.0),
) -> Fit:
    theta = np.zeros(MOST_PARAMETERS)
    theta[INTENSITY], theta[BOX + INTENSITY] = intensities
    state = np.array([chi_square, freedom, boxes, 0.0])
    return Fit(theta, np.zeros(MOST_PARAMETERS), np.zeros(1), state)


def test_a_fit_has_three_parameters_a_box_and_one_or_two_more() -> None:
    assert [decisions.parameters_of(n, a) for n in (1, 2) for a in (False, True)] == [4, 5, 7, 8]


def test_few_frames_or_less_than_half_of_them_are_too_few() -> None:
    assert decisions.too_few(31, 40) and not decisions.too_few(32, 40)
    assert decisions.too_few(99, 200) and not decisions.too_few(100, 200)


def test_a_match_must_exceed_the_counting_noise_and_the_scatter() -> None:
    noise = limits.DETECTION * 10.0  # of a mean of 10 counts
    assert decisions.significant(1.01 * noise, 3000.0, 10.0, 300.0)
    assert not decisions.significant(0.99 * noise, 3000.0, 10.0, 300.0)
    assert not decisions.significant(1.01 * noise, 30_000.0, 10.0, 300.0)  # 1 % of the scatter


def test_model_errors_count_as_noise() -> None:
    assert decisions.scale_of(fit_of(300.0)) == 1.5
    assert decisions.scale_of(fit_of(100.0)) == 1.0


def test_a_misfit_is_five_standard_deviations_above_expectation() -> None:
    edge = 200.0 + 5.0 * 20.0  # the standard deviation of chi-square is sqrt(2 x 200)
    assert decisions.misfits(fit_of(edge + 0.1)) and not decisions.misfits(fit_of(edge - 0.1))


@pytest.mark.parametrize(("weaker", "matter"), [(1.9, False), (2.1, True)])
def test_a_box_of_two_percent_is_negligible(weaker: float, matter: bool) -> None:
    for pair in ((weaker, 100.0), (100.0, weaker)):
        assert decisions.both_matter(fit_of(1.0, boxes=2, intensities=pair)) == matter
    assert decisions.both_matter(fit_of(1.0, boxes=1, intensities=(1.0, 100.0)))


def test_a_fit_explains_a_trace_that_only_counts_or_of_which_it_takes_most() -> None:
    assert not decisions.unexplained(220.0, 220.0, 200)  # nothing to explain
    assert not decisions.unexplained(390.0, 1200.0, 200)  # 810 of 1000
    assert decisions.unexplained(410.0, 1200.0, 200)  # 790 of 1000


def test_a_box_begins_as_wide_as_the_place_found() -> None:
    # normal, along: a ray from depth s at u = 500 + s (1 - ...) with a source on the code's axis
    geometry = np.array([0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 500.0, 0.0])
    pixel, theta = np.array([0.0, 1e9, 0.0]), np.zeros(MOST_PARAMETERS)
    line, found = np.array([470.0, 2.0]), np.array([10.0, 3.0, 99.0])
    decisions.set_box(pixel, geometry, line, found, theta, 1)
    assert theta[BOX + WIDTH] == pytest.approx(6.0, rel=1e-6)  # 3 steps of 2 µm
    assert theta[BOX + CENTRE] == pytest.approx(10.0, abs=1e-5)  # u falls by a µm per µm of depth


def test_halves_touch_and_are_as_wide_together_as_a_quarter_each_side() -> None:
    theta = np.zeros(MOST_PARAMETERS)
    decisions.set_halves(np.array([50.0, 8.0]), theta)
    assert [theta[CENTRE], theta[WIDTH]] == [48.0, 2.0]
    assert [theta[BOX + CENTRE], theta[BOX + WIDTH]] == [52.0, 2.0]


@pytest.mark.parametrize("background", [math.nan, 7.0])
def test_bounds_hold_what_is_known(background: float) -> None:
    theta = np.array([50.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    low, high = np.full(MOST_PARAMETERS, np.nan), np.full(MOST_PARAMETERS, np.nan)
    decisions.set_bounds(20.0, theta, 1, True, background, np.array([0.0, 3.0]), low, high)
    reach = limits.REACH_UM
    assert (low[CENTRE], high[CENTRE]) == (50.0 - reach, 50.0 + reach)
    assert (low[WIDTH], theta[WIDTH]) == (limits.LEAST_WIDTH_UM, limits.LEAST_WIDTH_UM)
    assert theta[INTENSITY] == pytest.approx(0.02)  # a thousandth of the mean count
    at = BOX + BACKGROUND
    if math.isnan(background):
        assert (theta[at], low[at], high[at]) == (3.0, 0.0, math.inf)
    else:
        assert theta[at] == low[at] == high[at] == 7.0
    at = BOX + LOG_ABSORPTION
    assert np.exp([low[at], high[at]]) == pytest.approx(limits.ABSORPTION_RANGE)


def test_the_centroid_moves_as_its_parameters_do() -> None:
    theta = np.array([10.0, 2.0, 30.0, 40.0, 3.0, 10.0, 5.0, 0.0])

    def centroid(values: list[float]) -> float:
        return (values[0] * values[2] + values[3] * values[5]) / (values[2] + values[5])

    for parameter in range(MOST_PARAMETERS):
        higher, lower = theta.copy(), theta.copy()
        higher[parameter] += 1e-5
        lower[parameter] -= 1e-5
        slope = (centroid(list(higher)) - centroid(list(lower))) / 2e-5
        assert decisions.centroid_slope(theta, 2, parameter) == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize(
    ("chi_square", "centre", "rivals"),
    [(208.0, 90.0, True), (210.0, 90.0, False), (208.0, 53.0, False), (math.inf, 90.0, False)],
)
def test_a_rival_is_near_in_chi_square_and_far_in_depth(
    chi_square: float, centre: float, rivals: bool
) -> None:
    found = np.array([200.0, chi_square]), np.array([50.0, centre]), np.array([4.0, 4.0])
    assert decisions.has_rival(*found, 2, 0, 1.0) == rivals


def test_a_pair_must_gain_and_exceed_the_best_one_so_far() -> None:
    single = fit_of(300.0)
    good = fit_of(300.0 - limits.DETECTION - 73.0, boxes=2)  # at less than one per freedom
    assert decisions.is_better_pair(single, good, 0.0, math.inf)
    assert not decisions.is_better_pair(single, good, 0.0, 100.0)
    assert not decisions.is_better_pair(single, fit_of(290.0, boxes=2), 0.0, math.inf)
    assert not decisions.is_better_pair(single, good, 80.0, math.inf)
    weak = fit_of(199.0, boxes=2, intensities=(1.0, 100.0))
    assert not decisions.is_better_pair(single, weak, 0.0, math.inf)


def test_transparent_bars_are_tried_for_pairs_and_misfits_and_taken_where_better() -> None:
    good, bad, pair = fit_of(200.0), fit_of(400.0), fit_of(200.0, boxes=2)
    assert not decisions.asks_for_transparent(good, good)
    assert decisions.asks_for_transparent(pair, good)
    assert decisions.asks_for_transparent(good, bad)
    assert decisions.asks_for_transparent_pair(bad, fit_of(401.0))
    assert not decisions.asks_for_transparent_pair(bad, fit_of(399.0))
    assert not decisions.asks_for_transparent_pair(good, fit_of(401.0))
    assert decisions.takes_transparent(bad, good)
    assert not decisions.takes_transparent(good, bad)
    assert not decisions.takes_transparent(bad, fit_of(200.0, boxes=2, intensities=(1.0, 100.0)))


@pytest.mark.parametrize(
    ("chi_square", "boxes", "rivalled", "status"),
    [
        (200.0, 1, False, DECODED),
        (200.0, 1, True, AMBIGUOUS),
        (180.0, 1, True, DECODED),  # another absorption than the single box began with
        (200.0, 2, True, DECODED),
        (900.0, 1, True, NO_MATCH),
    ],
)
def test_statuses(chi_square: float, boxes: int, rivalled: bool, status: int) -> None:
    single = 200.0 if chi_square < 900.0 else 900.0
    assert decisions.judge(chi_square, boxes, single, rivalled, 1200.0, 200) == status
