"""The figure of a calibration shows what was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.geometries import NORCADA

from lauedepth.calibration import CalibrationReport, MeasuredTraces, Scan, ScanPixels
from lauedepth.calibration.parameters import State, parameters_named
from lauedepth.calibration.pose_fit import Problem, fit_pose, predicted
from lauedepth.figures.calibration import plot_calibration


@pytest.fixture(scope="module")
def calibration() -> CalibrationReport:
    experiment = NORCADA
    rng = np.random.default_rng(0)
    row, column = rng.uniform(0, 2047, (2, 20))
    state = State(experiment, 10.0)
    scan = Scan(row, column, np.zeros((20, 541)), np.ones(541, bool))
    values = predicted(state, scan) + rng.normal(0, [0.02, 1e-4], (20, 2))
    covariance = np.broadcast_to(np.diag([4e-4, 1e-8]), (20, 2, 2))
    found, ones = np.arange(20) > 0, np.ones(20)
    measured = MeasuredTraces(found, values, covariance, ones, ones, np.zeros((20, 9)), found)
    problem = Problem(state, parameters_named(["pose"]), (scan,), (measured,))
    fit = fit_pose(problem, [found])
    pixels = ScanPixels(
        *("scan", 0.0, row, column, fit.used[0], found),
        *(values[:, 0], 0.02 * ones, values[:, 1], 1e-4 * ones),
        *(10 + 100 * ones, 10 + rng.normal(0, 0.02, 20), 0.02 * ones),
        *(2.0 * ones, ones, fit.pulls[0]),
    )
    return CalibrationReport(experiment, 10.0, fit, (pixels,), 0.01, (), ())


def test_every_used_pixel_is_drawn(calibration: CalibrationReport) -> None:
    figure = plot_calibration(calibration)
    axes: list[Any] = list(figure.axes)
    before, after, pulls, over_before, over_after, total = axes[:6]
    used = int(calibration.fit.used[0].sum())
    assert len(before.collections[0].get_segments()) == used
    left = [segment[0, 0] for segment in after.collections[0].get_segments()]
    assert np.allclose(left, 9.0, atol=0.1)
    assert sum(patch.get_height() for patch in pulls.patches) == 2 * used
    for axis in (over_before, over_after):
        assert len(axis.collections[0].get_offsets()) == used
    assert np.all(over_before.collections[0].get_array() == pytest.approx(100.0))
    low, high = total.get_xlim()
    assert low < 9
    assert high > 11
    figure.canvas.draw()


def test_a_perfect_fit_can_be_drawn(calibration: CalibrationReport) -> None:
    (scan,) = calibration.scans
    flat = replace(scan, depth_after_um=np.full(20, 10.0), width_um=np.full(20, 0.2))
    plot_calibration(replace(calibration, scans=(flat,))).canvas.draw()
