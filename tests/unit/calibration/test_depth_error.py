"""What errors of the pose do to depths, against depths found with poses drawn from them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lauedepth.calibration import MeasuredTraces, Scan
from lauedepth.calibration.depth_error import depth_error_um, detector_grid
from lauedepth.calibration.parameters import State, parameters_named
from lauedepth.calibration.pose_fit import Problem, fit_pose
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.geometry import code_coordinate, pixel_positions

IdealScan = Callable[..., tuple[Scan, MeasuredTraces]]
Shifted = Callable[..., Experiment]


def test_a_grid_covers_the_detector_evenly(twin: Experiment) -> None:
    row, column = detector_grid(twin.detector, 4)
    assert row.size == column.size == 16
    assert np.unique(row).tolist() == [255.5, 767.5, 1279.5, 1791.5]
    assert np.unique(column).tolist() == np.unique(row).tolist()


def test_the_error_is_the_scatter_of_depths_by_poses_as_uncertain(
    twin: Experiment, ideal_scan: IdealScan, moved_pose: Shifted
) -> None:
    state, parameters = State(twin, 0.0), parameters_named(("pose",))
    scan, measured = ideal_scan(state, 40, 1)
    fit = fit_pose(Problem(state, parameters, (scan,), (measured,)), [measured.found])
    fitted = fit.state.experiment
    row, column = np.random.default_rng(2).uniform(0, 2047, (2, 60))
    pixels = pixel_positions(twin.detector, row, column)
    depth = np.random.default_rng(3).uniform(-100, 300, 60)
    here = code_coordinate(fitted, pixels, depth, 130)
    per_um = code_coordinate(fitted, pixels, depth + 0.5, 130) - code_coordinate(
        fitted, pixels, depth - 0.5, 130
    )
    off = [
        (code_coordinate(moved_pose(fitted, change), pixels, depth, 130) - here) / per_um
        for change in np.random.default_rng(4).multivariate_normal(np.zeros(6), fit.covariance, 200)
    ]
    assert depth_error_um(fit, parameters) == pytest.approx(np.std(off), rel=0.2)
