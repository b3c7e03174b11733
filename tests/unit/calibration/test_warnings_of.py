"""What a user should know about a calibration is said, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lauedepth.calibration import Held, MeasuredTraces, PoseFit, Scan, ScanPixels
from lauedepth.calibration.parameters import State, parameters_named
from lauedepth.calibration.pose_fit import Problem, fit_pose
from lauedepth.calibration.report import scan_pixels
from lauedepth.calibration.warnings_of import calibration_warnings
from lauedepth.core.instrument.experiment import Experiment

IdealScan = Callable[..., tuple[Scan, MeasuredTraces]]


@pytest.fixture
def good(twin: Experiment, ideal_scan: IdealScan) -> tuple[PoseFit, ScanPixels]:
    state = State(twin, 0.0)
    scan, measured = ideal_scan(state, 40, 1)
    problem = Problem(state, parameters_named(("pose",)), (scan,), (measured,))
    fit = fit_pose(problem, [measured.found])
    return fit, scan_pixels(state, fit, 0, scan, measured)


def test_a_good_fit_draws_no_warning(good: tuple[PoseFit, ScanPixels]) -> None:
    fit, pixels = good
    assert calibration_warnings(fit, [pixels]) == []


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"row": np.linspace(0, 200, 40)}, "span 9.% of the detector's columns and 10% of its"),
        ({"drift_um": 0.34}, "did not move evenly during scan: it may have drifted by 0.34 µm"),
        ({"width_um": np.full(40, 25.0)}, "not thin: light comes from 25 µm along the beam"),
        ({"found": np.arange(40) < 15, "used": np.arange(40) < 15}, "only 15 of 40 traces of"),
        ({"used": np.arange(40) < 30}, "10 of 40 pixels of scan do not agree with the others"),
    ],
)
def test_pixels_that_are_not_as_they_should_be(
    good: tuple[PoseFit, ScanPixels], change: dict[str, Any], warning: str
) -> None:
    fit, pixels = good
    (found,) = calibration_warnings(fit, [replace(pixels, **change)])
    assert re.search(warning, found)


def test_what_is_not_determined_is_named(good: tuple[PoseFit, ScanPixels]) -> None:
    fit, pixels = good
    more = replace(fit, held=(*fit.held, Held({"step_change_percent": 1.0}, "step_change_percent")))
    assert calibration_warnings(more, [pixels]) == [
        "these data do not determine step_change_percent; it is held at its start"
    ]


def test_scatter_is_said_with_its_size(good: tuple[PoseFit, ScanPixels]) -> None:
    fit, pixels = good
    (found,) = calibration_warnings(replace(fit, reduced_chi_square=9.0), [pixels])
    assert found.startswith("positions scatter 3.0 times more than counting statistics")
