"""The least squares: predictions, slopes, what is held, outliers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauedepth.calibration import MeasuredTraces, Scan
from lauedepth.calibration.parameters import State, parameters_named
from lauedepth.calibration.pose_fit import SLIDING, PoseFit, Problem, fit_pose, predicted
from lauedepth.core.instrument.experiment import Experiment, Pose
from lauedepth.core.instrument.geometry import (
    code_coordinate,
    pixel_positions,
    pose_matrix,
    ray_slopes,
)

Shifted = Callable[..., Experiment]
IdealScan = Callable[..., tuple[Scan, MeasuredTraces]]
ERRORS = np.array([0.02, 2e-4])


def fitted(
    start: State, measured: list[tuple[Scan, MeasuredTraces]], names: tuple[str, ...] = ("pose",)
) -> PoseFit:
    scans, values = zip(*measured, strict=True)
    problem = Problem(start, parameters_named(names), scans, values)
    return fit_pose(problem, [one.found for one in values])


def test_predictions_are_those_of_the_plain_geometry(
    norcada: Experiment, ideal_scan: IdealScan
) -> None:
    state = State(norcada, 35.0)
    scan, _ = ideal_scan(state, 20, 1, shift_mm=0.1)
    there = scan.experiment(norcada)
    pixels = pixel_positions(there.detector, scan.row, scan.column)
    expected = predicted(state, scan, ("window", "widening"))
    slope, _ = ray_slopes(there, pixels, 35.0)
    np.testing.assert_allclose(expected[:, 0], code_coordinate(there, pixels, 35.0, 270), atol=1e-6)
    np.testing.assert_allclose(expected[:, 2], np.abs(slope) * 3.7, rtol=1e-9)
    assert np.all(expected[:, 3] == 0)


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.floats(-1, 1), min_size=6, max_size=6),
    st.integers(0, 1000),
)
def test_any_start_within_the_range_leads_to_the_truth(
    norcada: Experiment,
    moved_pose: Shifted,
    ideal_scan: IdealScan,
    part: list[float],
    seed: int,
) -> None:
    truth = moved_pose(norcada, np.array([0.2, 0.2, 0.2, 1, 1, 1]) * part)
    data = [ideal_scan(State(truth, 0.0), 30, seed, shift) for shift in (0.0, -0.15)]
    fit = fitted(State(norcada, 0.0), data)
    assert [held.name for held in fit.held] == [SLIDING]
    assert fit.reduced_chi_square < 1.7
    for scan, measured in data:
        left = predicted(fit.state, scan)[:, 0] - measured.values[:, 0]
        assert np.abs(left).max() < 6 * ERRORS[0]


def test_sliding_along_the_bars_is_held_where_it_began(
    twin: Experiment, moved_pose: Shifted, ideal_scan: IdealScan
) -> None:
    bars = pose_matrix(twin.pose)[:, 2]
    truth = moved_pose(twin, [*(0.15 * bars), 0, 0, 0])
    fit = fitted(State(twin, 0.0), [ideal_scan(State(truth, 0.0), 40, 3)])
    start = np.array(list(vars(twin.pose).values()))
    assert np.all(np.abs(fit.values - start) < 5 * fit.errors)
    assert fit.determined.tolist() == [True, True, False, True, True, True]
    slide = fit.held[0].direction
    along = np.array([slide["cenx_mm"], slide["dist_mm"], slide["cenz_mm"]])
    assert abs(along @ bars) == pytest.approx(np.linalg.norm(along), rel=1e-4)


def test_errors_and_correlations_are_those_of_many_fits(
    twin: Experiment, ideal_scan: IdealScan
) -> None:
    fits = [fitted(State(twin, 0.0), [ideal_scan(State(twin, 0.0), 40, 11)])]
    scan, clean = ideal_scan(State(twin, 0.0), 40, 11)
    rng = np.random.default_rng(5)
    exact = predicted(State(twin, 0.0), scan)
    for _ in range(40):
        noisy = replace(clean, values=exact + rng.normal(0, ERRORS, exact.shape))
        fits.append(fitted(State(twin, 0.0), [(scan, noisy)]))
    values = np.array([fit.values for fit in fits[1:]])
    expected = np.array([fit.errors for fit in fits[1:]]).mean(axis=0)
    np.testing.assert_allclose(values.std(axis=0) / expected, 1.0, atol=0.4)
    real = np.corrcoef(values.T)
    np.testing.assert_allclose(fits[0].correlation, real, atol=0.4)


def test_a_depth_of_the_sample_is_not_distinguished_from_the_place_of_the_aperture(
    norcada: Experiment, ideal_scan: IdealScan
) -> None:
    names = ("pose", "sample-depth")
    fit = fitted(State(norcada, 0.0), [ideal_scan(State(norcada, 0.0), 40, 7)], names)
    assert "sample_depth_um" in [held.name for held in fit.held]
    assert not fit.determined[fit.names.index("sample_depth_um")]
    assert fit.state.depth_um == pytest.approx(0.0, abs=0.01)


def test_step_and_direction_of_the_scan_are_found(
    norcada: Experiment, ideal_scan: IdealScan
) -> None:
    motion = replace(norcada.motion, step_um=0.5025)
    truth = replace(norcada, motion=motion)
    data = [ideal_scan(State(truth, 0.0), 40, seed, shift) for seed, shift in ((8, 0.0), (9, -0.2))]
    fit = fitted(State(norcada, 0.0), data, ("pose", "step"))
    at = fit.names.index("step_change_percent")
    assert abs(fit.values[at] - 0.5) < 5 * fit.errors[at]
    assert fit.errors[at] < 0.05
    assert fit.state.experiment.motion.step_um == pytest.approx(0.5025, abs=3e-4)


def test_pixels_that_do_not_agree_are_left_out(
    norcada: Experiment, moved_pose: Shifted, ideal_scan: IdealScan
) -> None:
    truth = moved_pose(norcada, [0.1, -0.1, 0.0, 0.5, -0.7, 0.9])
    scan, measured = ideal_scan(State(truth, 0.0), 40, 12)
    values = measured.values.copy()
    values[:3, 0] += [2.0, -1.0, 0.5]
    fit = fitted(State(norcada, 0.0), [(scan, replace(measured, values=values))])
    assert fit.used[0].tolist() == [False] * 3 + [True] * 37


def test_noise_beyond_what_was_expected_widens_the_errors(
    norcada: Experiment, ideal_scan: IdealScan
) -> None:
    scan, measured = ideal_scan(State(norcada, 0.0), 60, 13)
    good = fitted(State(norcada, 0.0), [(scan, measured)])
    small = replace(measured, covariance=measured.covariance / 9)
    bad = fitted(State(norcada, 0.0), [(scan, small)])
    assert bad.reduced_chi_square > 4
    np.testing.assert_allclose(bad.errors, good.errors, rtol=0.3)


def test_single_parameters_leave_the_others_alone(
    norcada: Experiment, ideal_scan: IdealScan
) -> None:
    fit = fitted(State(norcada, 0.0), [ideal_scan(State(norcada, 0.0), 20, 14)], ("anglez_deg",))
    changed = vars(fit.state.experiment.pose) | {"anglez_deg": norcada.pose.anglez_deg}
    assert Pose(**changed) == norcada.pose
    assert not fit.held
