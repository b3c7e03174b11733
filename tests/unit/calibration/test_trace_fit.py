"""One trace: slopes, errors that are right, positions that do not feel the edges' shape."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauedepth.calibration.trace_fit import (
    ABSORPTION,
    ALWAYS_FREE,
    BACKGROUND,
    DRIFT,
    INTENSITY,
    WIDENING,
    WINDOW,
    TraceModel,
    expected_covariance,
    fit_trace,
    start_theta,
)
from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.aperture import BarTable, prefer_same_code
from lauedepth.core.instrument.experiment import Aperture

APERTURE = Aperture(prefer_same_code())
FRAMES: npt.NDArray[np.float64] = np.arange(261, dtype=np.float64) - 130.0


def marched(
    position: float,
    advance: float,
    *,
    extent: float,
    window: float,
    aperture: Aperture = APERTURE,
    absorption: float | None = None,
) -> Floats:
    """The transmission of a source of some extent, by plain sampling of the bars."""
    table = BarTable.of(aperture)
    across = (np.arange(400) + 0.5) / 400 - 0.5
    u = position + advance * FRAMES[:, None] + extent * across
    bars = table.bar_fraction(u, window)
    seen = 1 - bars if absorption is None else np.exp(-absorption * bars)
    return np.asarray(seen.mean(axis=1))


@settings(max_examples=25, deadline=None)
@given(
    st.floats(300, 2600),
    st.floats(0.8, 1.1),
    st.floats(0.5, 8.0),
    st.floats(1.0, 8.0),
    st.booleans(),
)
def test_the_model_is_the_sampled_one_and_its_slopes_are_right(
    position: float, advance: float, extent: float, window: float, opaque: bool
) -> None:
    free = (*ALWAYS_FREE, WINDOW, WIDENING) + (() if opaque else (ABSORPTION,))
    model = TraceModel(APERTURE, FRAMES, opaque, free)
    theta = start_theta(position, advance, extent, window, 0.0)
    theta[2] = extent
    theta[[INTENSITY, BACKGROUND, DRIFT, ABSORPTION]] = 100.0, 10.0, 0.05, np.log(1.5)
    expected, slopes = model.expected(theta)
    seen = marched(
        position, advance, extent=extent, window=window, absorption=None if opaque else 1.5
    )
    plain = (1 + 0.05 * FRAMES / 130) * (100 * seen + 10)
    np.testing.assert_allclose(expected, plain, atol=0.05)
    for column, index in enumerate(free):
        step = 1e-5 * max(abs(theta[index]), 0.1)
        high, low = theta.copy(), theta.copy()
        high[index] += step
        low[index] -= step
        numeric = (model.expected(high)[0] - model.expected(low)[0]) / (2 * step)
        scale = np.abs(numeric).max() + 1e-9
        wrong = np.abs(slopes[:, column] - numeric) > 0.02 * scale
        # A slope leaps where an edge passes the end of the source: there two-sided and
        # one-sided differences are not the same.
        assert wrong.mean() < 0.03


@pytest.mark.parametrize("absorption", [None, 2.0])
def test_errors_of_position_and_advance_are_right(absorption: float | None) -> None:
    rng = np.random.default_rng(3)
    pulls = []
    for _ in range(60):
        position, advance = rng.uniform(400, 2400), rng.uniform(0.9, 1.0)
        seen = marched(position, advance, extent=1.7, window=4.0, absorption=absorption)
        counts = rng.poisson(400 * seen + 20).astype(np.float64)
        start = start_theta(position + 1.0, advance * 1.01, 3.0, 4.1, 0.0)
        fit = fit_trace(APERTURE, FRAMES, counts, start, opaque=absorption is None)
        truth = np.array([position, advance])
        pulls.append((fit.values - truth) / np.sqrt(np.diag(fit.covariance)))
        assert 0.7 < fit.chi_square / fit.freedom < 1.35
    spread = np.std(pulls, axis=0)
    # Of 60 draws the standard deviation has an error of 9 %.
    assert np.all(np.abs(spread - 1) < 0.3)
    assert np.all(np.abs(np.mean(pulls, axis=0)) < 4 / np.sqrt(60))


def test_a_wrong_window_hardly_moves_the_position() -> None:
    seen = marched(1234.5, 0.97, extent=2.0, window=5.0)
    counts = 1000 * seen + 20
    for window in (4.5, 5.5):
        fit = fit_trace(APERTURE, FRAMES, counts, start_theta(1234.0, 0.97, 2.0, window, 0.0))
        assert abs(fit.values[0] - 1234.5) < 0.01
        assert abs(fit.values[1] - 0.97) < 1e-4


def test_window_and_widening_are_measured() -> None:
    real = replace(APERTURE, widening_um=0.6)
    seen = marched(1500.0, 0.95, extent=1.0, window=6.0, aperture=real, absorption=2.5)
    start = start_theta(1500.5, 0.951, 1.0, 5.0, 0.0)
    fit = fit_trace(APERTURE, FRAMES, 5000 * seen + 20, start, ("window", "widening"), opaque=False)
    assert fit.values[2] == pytest.approx(6.0, abs=0.3)
    assert fit.values[3] == pytest.approx(0.6, abs=0.1)


def test_foreseen_errors_are_those_of_a_fit() -> None:
    rng = np.random.default_rng(4)
    seen = marched(1500.0, 0.95, extent=2.0, window=5.0, absorption=2.0)
    counts = rng.poisson(800 * seen + 20).astype(np.float64)
    start = start_theta(1500.0, 0.95, 2.0, 5.0, 0.0)
    fit = fit_trace(APERTURE, FRAMES, counts, start, opaque=False)
    planned = expected_covariance(
        APERTURE,
        FRAMES,
        position_um=1500.0,
        advance_um=0.95,
        extent_um=2.0,
        window_um=5.0,
        intensity=800.0,
        background=20.0,
    )
    np.testing.assert_allclose(np.diag(planned), np.diag(fit.covariance), rtol=0.25)
