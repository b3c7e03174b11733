"""The steps of the published method against plain arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.core.decoding.bins import Bins
from lauedepth.core.decoding.pixels import PublishedNumbers
from lauedepth.core.decoding.published.steps import (
    blur,
    depth_profile,
    nominal_signal,
    normalise,
    recover_signal,
    sampled_code,
    search_position,
    spline_basis,
    stretch,
)
from lauedepth.core.instrument.aperture import BarTable, prefer_same_code
from lauedepth.core.instrument.experiment import (
    Aperture,
)
from lauedepth.core.instrument.shadow import Shadow

NUMBERS = PublishedNumbers()
PAD_UM, RESOLUTION_UM = 300.0, 0.5
SIGNAL_SAMPLES, SIGNAL_CENTRE = 128, 63

Array = npt.NDArray[Any]


def test_normalise_takes_two_poisson_errors_off_both_ends() -> None:
    found = normalise(np.array([100.0, 400.0, 1020.0]))
    assert found is not None
    contrast = 900.0 - 2 * np.sqrt(900.0)  # 1020 - (100 + 2 sqrt 100) = 900
    assert (found.floor, found.contrast) == (120.0, contrast)
    np.testing.assert_allclose(found.values, np.array([-20.0, 280.0, 900.0]) / contrast)


def test_normalise_spares_the_floor_of_a_weak_trace() -> None:
    found = normalise(np.array([100.0, 130.0]))  # 2 sqrt 100 exceeds half of 30
    assert found is not None
    assert found.floor == 100.0


@pytest.mark.parametrize("trace", [np.zeros(50), np.full(50, 9.0), np.array([0.0, 3.0, 1.0])])
def test_normalise_finds_no_contrast_within_the_error(trace: Array) -> None:
    assert normalise(trace) is None


@given(st.integers(2, 60), st.integers(2, 90), st.floats(-5, 5), st.floats(-3, 3, allow_nan=False))
def test_stretch_keeps_lines_and_their_ends(size: int, to: int, start: float, slope: float) -> None:
    line, ends = (np.array([start + slope * x for x in range(n)]) for n in (size, 2))
    ends[-1] = line[-1]
    drawn = np.array([ends[0] + (ends[1] - ends[0]) * k / (to - 1) for k in range(to)])
    np.testing.assert_allclose(stretch(line, to), drawn, atol=1e-9)


def test_code_samples_are_the_bits_repeated() -> None:
    aperture = Aperture(prefer_same_code())
    code = sampled_code(Shadow.of(BarTable.of(aperture), 0.0), aperture.length_um, NUMBERS)
    widths = np.where(np.array(aperture.code) == 1, 7.5, 15.0) / RESOLUTION_UM
    bits = 1.0 - np.repeat(aperture.code, widths.astype(int))
    pad = np.ones(round(PAD_UM / RESOLUTION_UM))
    # one sample late: each stands at the end of what it holds
    np.testing.assert_allclose(code, np.concatenate([[1], pad, bits, pad[1:]]), atol=1e-4)


@given(st.floats(2.0, 60.0))
def test_nominal_signal_is_even_and_in_the_middle(width_um: float) -> None:
    signal = nominal_signal(width_um, NUMBERS)
    assert signal.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(signal, signal[::-1])
    place = np.arange(SIGNAL_SAMPLES) * RESOLUTION_UM
    variance = signal @ (place - signal @ place) ** 2
    assert np.sqrt(12 * variance) == pytest.approx(width_um, abs=0.3)


def test_blur_shifts_as_the_signal_does() -> None:
    code = np.random.default_rng(1).random(400)
    signal = np.zeros(SIGNAL_SAMPLES)
    signal[SIGNAL_CENTRE - 5] = 1.0
    np.testing.assert_allclose(blur(code, signal)[100:200], code[105:205])


@pytest.mark.parametrize("difference", ["squared", "absolute"])
def test_search_finds_where_a_trace_was_cut(difference: Any) -> None:
    rng = np.random.default_rng(2)
    expected = rng.random(900)
    trace = expected[321:521] + 0.05 * rng.standard_normal(200)
    assert search_position(expected, trace, difference) == 321


def test_search_differences_are_what_they_are_called() -> None:
    # one large miss weighs more when squared, many small ones more when absolute
    expected = np.array([0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 9.0, 9.0, 9.0])
    trace = np.array([2.0, 2.0, 2.0])
    brute = [np.abs(expected[i : i + 3] - trace) for i in range(6)]
    for difference, power in (("squared", 2), ("absolute", 1)):
        means = [(miss**power).mean() for miss in brute]
        assert search_position(expected, trace, difference) == int(np.argmin(means))  # type: ignore[arg-type]


def test_search_has_no_place_for_a_trace_as_long_as_the_code() -> None:
    assert search_position(np.ones(50), np.ones(50), "squared") is None
    assert search_position(np.ones(50), np.ones(0), "squared") is None


def test_spline_basis_sums_to_one_away_from_the_ends() -> None:
    basis = spline_basis(NUMBERS)
    np.testing.assert_allclose(basis.sum(axis=0), 1.0)
    np.testing.assert_allclose(basis.sum(axis=1)[5:-5], 1.0)
    assert basis.min() >= 0


def test_recovery_returns_the_signal_that_blurred_the_code() -> None:
    aperture = Aperture(prefer_same_code())
    code = sampled_code(Shadow.of(BarTable.of(aperture), 2.5), aperture.length_um, NUMBERS)
    basis = spline_basis(NUMBERS)
    weights = np.zeros(basis.shape[1])
    weights[40:52], weights[70:74] = 0.06, 0.07
    truth = basis @ weights
    position = 2000
    trace = blur(code, truth)[position : position + 500]
    found = recover_signal(code, trace, position, basis)
    assert found is not None
    np.testing.assert_allclose(found.expected, trace, atol=1e-6)
    place = np.arange(SIGNAL_SAMPLES)
    assert found.values @ place == pytest.approx(truth @ place, rel=1e-3)
    # single samples are ill-determined, what lies to either side of a gap is not
    assert found.values[:62].sum() == pytest.approx(truth[:62].sum(), abs=5e-3)


def test_recovery_stays_on_the_code() -> None:
    code, basis = np.ones(700), spline_basis(NUMBERS)
    assert recover_signal(code, np.ones(300), SIGNAL_CENTRE, basis) is None
    assert recover_signal(code, np.ones(300), 400, basis) is None
    assert recover_signal(code, -np.ones(300), 200, basis) is None
    assert recover_signal(code, np.ones(300), 200, basis) is not None


@given(st.floats(-20.0, 120.0), st.floats(0.1, 0.8), st.floats(0.5, 2.0))
def test_profile_keeps_intensity_and_place(
    depth_um: float, sample_um: float, bin_um: float
) -> None:
    signal = nominal_signal(6.0, NUMBERS)
    bins = Bins(-100.0, bin_um, round(300.0 / bin_um))
    profile = depth_profile(signal, depth_um, sample_um, 6, bins)
    centres = bins.start_um + bin_um * (np.arange(bins.count) + 0.5)
    assert profile.sum() == pytest.approx(1.0)
    # the program rounds the signal's length and its middle to bins
    assert abs(profile @ centres - depth_um) <= 1.1 * bin_um + sample_um


def test_profile_drops_what_lies_beyond_the_depths() -> None:
    bins = Bins(0.0, 1.0, 100)
    at_end = depth_profile(nominal_signal(20.0, NUMBERS), 100.0, 0.5, 6, bins)
    assert 0.4 < at_end.sum() < 0.6
    assert depth_profile(nominal_signal(20.0, NUMBERS), 500.0, 0.5, 6, bins).sum() == 0.0


@pytest.mark.parametrize(("order", "spacing"), [(0, 1), (1, 1), (1, 4), (3, 3), (5, 3)])
def test_splines_of_any_order_and_spacing_add_up_to_one(order: int, spacing: int) -> None:
    numbers = PublishedNumbers(spline_order=order, knot_spacing=spacing)
    basis = spline_basis(numbers)
    assert basis.shape == (128, 128 // spacing - order)
    inside = slice(order * spacing, (128 // spacing - order) * spacing)
    np.testing.assert_allclose(basis.sum(axis=1)[inside], 1.0)
    np.testing.assert_allclose(basis.sum(axis=0), spacing)
    assert np.argwhere(basis)[:, 0].max() < 128 // spacing * spacing


def test_regularisation_draws_the_search_to_the_first_samples() -> None:
    code = np.tile([0.0, 0.0, 1.0, 1.0], 30)  # every fourth place fits
    trace = code[8:20] + 1e-3 * np.arange(12)
    assert search_position(code, trace, "squared", 1.0) == 0
    nearly = code.copy()
    nearly[:40] += 0.2  # the first ten fit less well
    assert search_position(nearly, trace, "squared") == 40
    assert search_position(nearly, trace, "squared", 1e-9) == 40
    assert search_position(nearly, trace, "squared", 1.0) == 0
