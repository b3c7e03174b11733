"""What depths take over from assumptions, against calibrations with wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lauedepth.calibration import MeasuredTraces, Scan
from lauedepth.calibration.common_errors import common_errors
from lauedepth.calibration.parameters import POSE, State
from lauedepth.calibration.pose_fit import Problem, fit_pose
from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.geometry import code_coordinate, pixel_positions
from lauedepth.core.instrument.raymap import RayMap

IdealScan = Callable[..., tuple[Scan, MeasuredTraces]]


def depth_errors_um(truth: Experiment, used: Experiment) -> Floats:
    """Depths found with an experiment, less the true ones."""
    rng = np.random.default_rng(9)
    row, column = rng.uniform(0, 2047, (2, 400))
    depth = rng.uniform(-100, 300, 400)
    pixels = pixel_positions(truth.detector, row, column)
    position = code_coordinate(truth, pixels, depth, 130)
    return np.asarray(RayMap.of(used, row, column).depth_um(position, 130) - depth)


def exact(
    truth: Experiment, scan: Scan, measured: MeasuredTraces, depth_um: Floats
) -> MeasuredTraces:
    """Measurements without noise, of light from a depth for each pixel."""
    pixels = pixel_positions(truth.detector, scan.row, scan.column)
    here, later = (code_coordinate(truth, pixels, depth_um, 130 + k) for k in (0, 1))
    return replace(measured, values=np.stack([here, later - here], axis=1))


def fitted(start: Experiment, scan: Scan, measured: MeasuredTraces) -> Experiment:
    problem = Problem(State(start, 0.0), POSE, (scan,), (measured,))
    return fit_pose(problem, [measured.found]).state.experiment


@pytest.fixture
def expected(twin: Experiment, ideal_scan: IdealScan) -> dict[str, float]:
    scan, measured = ideal_scan(State(twin, 0.0), 60, 1)
    problem = Problem(State(twin, 0.0), POSE, (scan,), (measured,))
    found = fit_pose(problem, [measured.found])
    return {one.cause: one.depth_um for one in common_errors(problem, found)}


def rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))


def test_the_depth_of_the_sample(
    twin: Experiment, ideal_scan: IdealScan, expected: dict[str, float]
) -> None:
    scan, measured = ideal_scan(State(twin, 0.0), 60, 1)
    off = fitted(twin, scan, exact(twin, scan, measured, np.full(60, 2.0)))
    found = rms(depth_errors_um(twin, off)) / 2.0
    assert found == pytest.approx(1.0, abs=0.05)
    assert expected["per µm of the sample's depth"] == pytest.approx(found, rel=0.05)


def test_a_sample_that_is_tilted(
    twin: Experiment, ideal_scan: IdealScan, expected: dict[str, float]
) -> None:
    scan, measured = ideal_scan(State(twin, 0.0), 60, 1)
    squares = []
    for place in (scan.row, scan.column):
        tilted = exact(twin, scan, measured, 2.0 * (place / 2048 - 0.5))
        off = depth_errors_um(twin, fitted(twin, scan, tilted))
        squares.append(rms(off) ** 2)
    found = np.sqrt(np.sum(squares)) / 2.0
    assert found > 0.1
    foreseen = expected["per µm that the sample's depth grows over the detector"]
    assert foreseen == pytest.approx(found, rel=0.2)


def test_the_place_of_the_detector(
    twin: Experiment, ideal_scan: IdealScan, expected: dict[str, float]
) -> None:
    scan, measured = ideal_scan(State(twin, 0.0), 60, 1)
    squares = []
    for axis in range(3):
        place = np.array(twin.detector.translation_mm)
        place[axis] += 0.5
        detector = replace(twin.detector, translation_mm=tuple(place.tolist()))
        truth = replace(twin, detector=detector)
        off = fitted(twin, scan, exact(truth, scan, measured, np.zeros(60)))
        squares.append(rms(depth_errors_um(truth, off)) ** 2)
    found = np.sqrt(np.sum(squares)) / 0.5
    assert expected["per mm of the detector's place"] == pytest.approx(found, rel=0.2)


def test_an_aperture_that_moves_later(twin: Experiment, expected: dict[str, float]) -> None:
    moved = replace(twin, motion=replace(twin.motion, shift_mm=twin.motion.shift_mm + 0.001))
    found = rms(depth_errors_um(moved, twin))
    foreseen = expected["per µm that the aperture moves along its scan afterwards"]
    assert foreseen == pytest.approx(found, rel=0.1)
