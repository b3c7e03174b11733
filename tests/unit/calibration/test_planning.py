"""A forecast gives what the scan then gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lauedepth.calibration import Scan, calibrate, forecast
from lauedepth.calibration.pose_fit import SLIDING
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Experiment


def test_errors_are_those_of_the_scan(twin: Experiment, membrane_scan: Callable[..., Scan]) -> None:
    scan = membrane_scan(twin, 21, pixels=25, energy_kev=15.0)
    made = calibrate(twin, [scan])
    planned = forecast(twin, peak_counts=325.0, pixels=(scan.row, scan.column))
    assert planned.pixels == (25,)
    np.testing.assert_allclose(planned.fit.errors, made.fit.errors, rtol=0.6)
    assert planned.depth_error_um == pytest.approx(made.depth_error_um, rel=0.6)


def test_more_scans_and_counts_fix_more(norcada: Experiment) -> None:
    one, two = forecast(norcada), forecast(norcada, (0.0, -0.2))
    bright = forecast(norcada, peak_counts=10000.0)
    assert two.depth_error_um < one.depth_error_um
    assert bright.depth_error_um < 0.5 * one.depth_error_um
    assert [held.name for held in one.fit.held] == [SLIDING]


def test_what_one_scan_does_not_determine_is_named(norcada: Experiment) -> None:
    planned = forecast(norcada, fit=["pose", "scan-direction", "sample-depth"])
    held = [one.name for one in planned.fit.held]
    assert SLIDING in held
    assert "sample_depth_um" in held
    assert "scan_out_of_plane_deg" in held


def test_a_plan_that_misses_the_code(norcada: Experiment) -> None:
    away = replace(norcada, motion=replace(norcada.motion, shift_mm=8.0))
    with pytest.raises(InputError, match="cross the code"):
        forecast(away)
