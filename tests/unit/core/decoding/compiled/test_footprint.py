"""Decisions about footprints against those of `reference`, and by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.core.decoding.bins import Bins, Support
from lauedepth.core.decoding.compiled import footprint
from lauedepth.core.decoding.compiled.types import MOST_PARAMETERS, SOURCE, Fit
from lauedepth.core.decoding.reference.box_fit import Source
from lauedepth.core.decoding.reference.footprint_bins import supports_of, widened

BINS = Bins(-50.5, 1.0, 150)
AS_ARRAY = np.array([BINS.start_um, BINS.width_um])

spans = st.tuples(st.floats(-60.0, 95.0), st.floats(0.2, 30.0))


@given(st.lists(spans, min_size=1, max_size=2))
def test_supports_are_those_of_the_reference(stretches: list[tuple[float, float]]) -> None:
    sources = [(begin, begin + width, begin, 1.0, 1.0) for begin, width in stretches]
    supports = np.zeros((2, 2), np.int64)
    footprint.set_supports(np.array(sources), len(sources), AS_ARRAY, BINS.count, supports)
    wanted = supports_of(BINS, tuple(Source(*source) for source in sources))
    assert [tuple(row) for row in supports[: len(sources)]] == [
        (one.first, one.count) for one in wanted
    ]
    assert footprint.bins_of(supports, len(sources)) == sum(one.count for one in wanted)


@given(
    st.integers(0, 140),
    st.lists(st.floats(0.0, 10.0), min_size=1, max_size=10),
)
def test_supports_are_widened_as_in_the_reference(first: int, values: list[float]) -> None:
    support = Support(first, len(values))
    (wanted,) = widened(BINS, (support,), (np.array(values),))
    wider = np.zeros(2, np.int64)
    grown = footprint.widen(BINS.count, np.array([first, len(values)]), np.array(values), wider)
    assert (wider[0], wider[1]) == (wanted.first, wanted.count)
    assert grown == (wanted != support)


def fit_of(first: tuple[float, float, float], second: tuple[float, float, float]) -> Fit:
    theta = np.zeros(MOST_PARAMETERS)
    theta[:3], theta[3:6] = first, second
    variance = np.arange(MOST_PARAMETERS) + 10.0
    return Fit(theta, variance, np.zeros(1), np.array([200.0, 100.0, 2.0, 0.25, 0.0]))


def test_boxes_apart_are_two_sources_in_the_order_of_the_fit() -> None:
    sources = np.zeros((2, SOURCE))
    assert footprint.set_sources(fit_of((60.0, 4.0, 9.0), (20.0, 2.0, 5.0)), sources) == 2
    np.testing.assert_allclose(sources, [[58, 62, 60, 20, 9], [19, 21, 20, 26, 5]])  # chi-square 2


def test_boxes_that_touch_are_one_source_at_their_common_centroid() -> None:
    sources = np.zeros((2, SOURCE))
    assert footprint.set_sources(fit_of((24.0, 4.0, 30.0), (20.0, 2.0, 10.0)), sources) == 1
    np.testing.assert_allclose(sources[0], [19, 26, 23, 0.5, 40])


def test_the_stronger_depth_comes_first() -> None:
    sources = np.array([[10.0, 12.0, 11.1, 4.0, 1.0], [30.0, 33.0, 31.4, 9.0, 1.0]])
    supports = np.array([[60, 2], [80, 3]])
    values = np.array([1.0, 3.0, 2.0, 4.0, 2.0])
    depth, error, width = np.zeros(2), np.zeros(2), np.zeros(2)
    leaders = np.zeros(2, np.int64)
    found = footprint.set_depths(sources, supports, 2, values, depth, error, width, leaders)
    assert found == 2
    assert leaders.tolist() == [1, 0]
    np.testing.assert_allclose(depth, [31.4, 11.1])
    np.testing.assert_allclose(error, [3.0, 2.0])
    np.testing.assert_allclose(width, [3.0, 2.0])


def test_a_source_without_light_is_no_depth() -> None:
    sources, supports = np.array([[10.0, 12.0, 11.0, 4.0, 1.0]] * 2), np.array([[60, 2], [80, 2]])
    depth, error, width = np.zeros(2), np.zeros(2), np.zeros(2)
    leaders = np.zeros(2, np.int64)

    def depths_of(values: list[float]) -> int:
        return footprint.set_depths(
            sources, supports, 2, np.array(values), depth, error, width, leaders
        )

    assert depths_of([0.0, 0.0, 1.0, 0.0]) == 1
    assert leaders[0] == 1
    assert depths_of([0.0] * 4) == 0
