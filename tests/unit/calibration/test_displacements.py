"""A displacement that was not stated is found and said, or refused where it must be known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lauedepth.calibration import MeasuredTraces, PoseFit, Scan, ScanPixels
from lauedepth.calibration.displacements import displacement_warnings, refuse_contradictions
from lauedepth.calibration.parameters import POSE, State, displacement_parameters
from lauedepth.calibration.pose_fit import SLIDING, Problem, fit_pose
from lauedepth.calibration.report import scan_pixels
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.geometry import pose_matrix

IdealScan = Callable[..., tuple[Scan, MeasuredTraces]]


def fitted(
    twin: Experiment, ideal_scan: IdealScan, stands_mm: tuple[float, float, float], pixels: int = 40
) -> tuple[PoseFit, list[ScanPixels]]:
    """Fit two scans; in the second the aperture does not stand where its shift puts it."""
    state = State.of(twin, 0.0, 2)
    x, y, z = stands_mm
    pose = twin.pose
    elsewhere = replace(
        pose, cenx_mm=pose.cenx_mm + x, dist_mm=pose.dist_mm + y, cenz_mm=pose.cenz_mm + z
    )
    first = ideal_scan(State(twin, 0.0), pixels, 1)
    second = ideal_scan(State(replace(twin, pose=elsewhere), 0.0), 40, 2, shift_mm=-0.1)
    scans = (replace(first[0], name="first"), replace(second[0], name="second"))
    measured = (first[1], second[1])
    parameters = (*POSE, *displacement_parameters(POSE, 2))
    fit = fit_pose(Problem(state, parameters, scans, measured), [one.found for one in measured])
    return fit, [scan_pixels(state, fit, n, scans[n], measured[n]) for n in range(2)]


def test_a_displacement_as_stated_draws_no_warning(twin: Experiment, ideal_scan: IdealScan) -> None:
    fit, scans = fitted(twin, ideal_scan, (0.0, 0.0, 0.0))
    assert displacement_warnings(fit, scans) == []
    assert [held.name for held in fit.held] == [SLIDING]
    assert np.abs(np.array(fit.state.displacements_mm)).max() < 1e-3


@pytest.mark.parametrize("pixels", [12, 60])
@pytest.mark.parametrize("stands_mm", [(0.0, 0.1, 0.0), (0.02, -0.03, 0.0)])
def test_a_displacement_that_is_not_stated_is_recovered(
    twin: Experiment, ideal_scan: IdealScan, stands_mm: tuple[float, float, float], pixels: int
) -> None:
    """The first scan anchors the pose, however few its pixels."""
    fit, scans = fitted(twin, ideal_scan, stands_mm, pixels)
    np.testing.assert_allclose(fit.state.displacements_mm[1], stands_mm, atol=1e-3)
    assert fit.reduced_chi_square < 1.5
    start = np.array(list(vars(twin.pose).values()))
    assert np.all(np.abs(fit.values[:6] - start) < 5 * fit.errors[:6] + 1e-3)
    (warning,) = displacement_warnings(fit, scans)
    assert warning.startswith("the aperture of second stood (")
    assert "its shift of -0.1 mm" in warning


def test_sliding_along_the_bars_changes_nothing(twin: Experiment, ideal_scan: IdealScan) -> None:
    x, y, z = pose_matrix(twin.pose)[:, 2]
    fit, scans = fitted(twin, ideal_scan, (x, y, z))
    assert displacement_warnings(fit, scans) == []
    np.testing.assert_allclose(fit.state.displacements_mm[1], 0.0, atol=2e-3)


@pytest.mark.parametrize(("off_mm", "refused"), [(0.0, False), (0.002, False), (0.02, True)])
def test_shifts_taken_as_stated_may_not_contradict_the_first_scan(
    twin: Experiment, ideal_scan: IdealScan, off_mm: float, refused: bool
) -> None:
    state = State(twin, 0.0)
    first, here = ideal_scan(state, 12, 1)
    second, there = ideal_scan(state, 60, 2, shift_mm=-0.1 + off_mm)
    scans = (replace(first, name="first"), replace(second, shift_mm=-0.1, name="second"))
    found = (here.found, there.found)
    if not refused:
        refuse_contradictions(state, scans, (here, there), found)
        return
    with pytest.raises(
        InputError, match=r"^second: contradicts the first.*give --shift-mm -0\.0[78]"
    ):
        refuse_contradictions(state, scans, (here, there), found)
