"""The report of a scan: positions traced back to depths, before and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lauedepth.calibration import MeasuredTraces, Scan, ScanPixels
from lauedepth.calibration.parameters import State, parameters_named
from lauedepth.calibration.pose_fit import Problem, fit_pose
from lauedepth.calibration.report import scan_pixels
from lauedepth.core.instrument.experiment import Experiment

IdealScan = Callable[..., tuple[Scan, MeasuredTraces]]
Shifted = Callable[..., Experiment]


@pytest.fixture
def pixels(twin: Experiment, ideal_scan: IdealScan, moved_pose: Shifted) -> ScanPixels:
    """Of light from a depth of 20 µm; the start is 50 µm off along the beam."""
    truth = State(moved_pose(twin, [0.05, 0, 0, 0, 0, 0]), 20.0)
    start = State(twin, 20.0)
    scan, measured = ideal_scan(truth, 30, 1, shift_mm=-0.1)
    measured = replace(measured, found=np.arange(30) > 0, extent_um=np.full(30, 1.5))
    problem = Problem(start, parameters_named(("pose",)), (scan,), (measured,))
    return scan_pixels(start, fit_pose(problem, [measured.found]), 0, scan, measured)


def test_depths_are_wrong_before_and_right_after(pixels: ScanPixels) -> None:
    assert len(pixels) == 30
    assert pixels.shift_mm == -0.1
    assert pixels.used.sum() == pixels.found.sum() == 29
    # The centre 50 µm further along the beam moves depths by 50 µm.
    np.testing.assert_allclose(pixels.depth_before_um[pixels.used], -30.0, atol=1.0)
    np.testing.assert_allclose(pixels.depth_after_um[pixels.used], 20.0, atol=0.3)


def test_errors_and_widths_are_in_depth(pixels: ScanPixels) -> None:
    np.testing.assert_allclose(pixels.position_error_um, 0.02)
    np.testing.assert_allclose(pixels.advance_error_um, 2e-4)
    np.testing.assert_allclose(pixels.width_um / pixels.depth_error_um, 1.5 / 0.02)
    off = (pixels.depth_after_um - 20.0)[pixels.used] / pixels.depth_error_um[pixels.used]
    assert 0.6 < off.std() < 1.4
