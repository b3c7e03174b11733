"""What makes positions scatter is found where it can be, and not invented."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lauedepth.calibration import MeasuredTraces, PoseFit, Scan
from lauedepth.calibration.causes import cause_of_scatter
from lauedepth.calibration.parameters import POSE, State
from lauedepth.calibration.pose_fit import Problem, fit_pose
from lauedepth.core.instrument.experiment import Experiment

IdealScan = Callable[..., tuple[Scan, MeasuredTraces]]


def fitted(start: Experiment, scan: Scan, measured: MeasuredTraces) -> tuple[Problem, PoseFit]:
    problem = Problem(State(start, 0.0), POSE, (scan,), (measured,))
    return problem, fit_pose(problem, [measured.found])


def test_a_wrong_step_is_found_and_cured(twin: Experiment, ideal_scan: IdealScan) -> None:
    truth = replace(twin, motion=replace(twin.motion, step_um=1.003))
    cause = cause_of_scatter(*fitted(twin, *ideal_scan(State(truth, 0.0), 60, 1)))
    assert cause is not None
    assert cause.is_adopted
    assert "positions scatter unless the step is +0." in cause.warning
    assert cause.fit.state.experiment.motion.step_um == pytest.approx(1.003, abs=2e-4)
    assert cause.fit.reduced_chi_square < 1.5


@pytest.mark.parametrize("change", ["moved", "turned"])
def test_a_detector_that_stands_elsewhere_is_named(
    twin: Experiment, ideal_scan: IdealScan, change: str
) -> None:
    """A detector moved by a millimetre looks as a step 0.01 % off does: both are named."""
    detector = twin.detector
    x, y, z = detector.translation_mm
    a, b, c = detector.rotation_rad
    if change == "moved":
        detector = replace(detector, translation_mm=(x + 1.0, y - 1.0, z + 1.0))
    else:
        detector = replace(detector, rotation_rad=(a + 0.004, b, c - 0.004))
    state = State(replace(twin, detector=detector), 0.0)
    cause = cause_of_scatter(*fitted(twin, *ideal_scan(state, 60, 2, sharper=10.0)))
    assert cause is not None
    assert "detector" in cause.warning
    assert cause.is_adopted == (change == "moved")


def test_nothing_is_said_of_a_good_fit(twin: Experiment, ideal_scan: IdealScan) -> None:
    for seed in range(5):
        assert cause_of_scatter(*fitted(twin, *ideal_scan(State(twin, 0.0), 60, seed))) is None


def test_scatter_without_a_pattern_is_not_explained(
    twin: Experiment, ideal_scan: IdealScan
) -> None:
    for seed in range(5):
        scan, measured = ideal_scan(State(twin, 0.0), 60, seed)
        noisy = replace(measured, covariance=measured.covariance / 9)
        problem, found = fitted(twin, scan, noisy)
        assert found.reduced_chi_square > 5
        assert cause_of_scatter(problem, found) is None
        assert np.isfinite(found.errors).all()
