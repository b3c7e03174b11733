"""Places on the code are found wherever they are, and refused where there are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lauedepth.calibration import MeasuredTraces, Scan
from lauedepth.calibration.positions import (
    advances_to_try,
    fit_scan,
    frames_from_middle,
    measured_traces,
    middle_frame,
)
from lauedepth.core.instrument.experiment import Experiment, Frames
from lauedepth.core.instrument.geometry import code_coordinate, pixel_positions
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.simulation import Flaws, Footprints, flawed_traces

ScanMaker = Callable[..., Scan]
Shifted = Callable[..., Experiment]


def measure(experiment: Experiment, scan: Scan) -> MeasuredTraces:
    return measured_traces(fit_scan(experiment, scan), scan, frames_from_middle(experiment))


@pytest.mark.parametrize("energy", [np.nan, 15.0])
def test_places_are_found_from_a_start_far_off(
    twin: Experiment, moved_pose: Shifted, membrane_scan: ScanMaker, energy: float
) -> None:
    truth = moved_pose(twin, [0.2, -0.2, 0.2, -1.0, 1.0, -1.0])
    scan = membrane_scan(truth, 1, pixels=15, energy_kev=energy)
    found = measure(twin, scan)
    pixels = pixel_positions(truth.detector, scan.row, scan.column)
    first, middle, last = (code_coordinate(truth, pixels, 0.0, frame) for frame in (0, 130, 260))
    # The aperture is so far off that some rays miss the code.
    inside = (middle > 150) & (middle < twin.aperture.length_um - 150)
    assert inside.sum() >= 10
    assert found.found[inside].all()
    error = np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2))
    truths = np.stack([middle, (last - first) / 260], axis=1)
    pulls = ((found.values - truths) / error)[inside]
    assert np.abs(pulls).max() < 5
    assert 0.5 < pulls.std() < 1.5
    assert error[inside, 0].max() < 0.1


def test_frames_need_not_begin_at_zero_nor_be_neighbours(
    norcada: Experiment, membrane_scan: ScanMaker
) -> None:
    every = replace(norcada, frames=Frames(11, 541, 3))
    scan = membrane_scan(every, 2, pixels=8, peak=2000.0)
    found = measure(every, scan)
    rays = RayMap.of(every, scan.row, scan.column)
    frame = middle_frame(every.frames)
    assert frame == pytest.approx((11 + 539) / 2)
    np.testing.assert_allclose(found.values[:, 0], rays.position_um(0.0, frame), atol=0.1)
    np.testing.assert_allclose(found.values[:, 1], rays.advance_um(0.0), atol=1e-3)


def test_lost_frames_and_saturated_readings_are_left_out(
    twin: Experiment, membrane_scan: ScanMaker
) -> None:
    scan = membrane_scan(twin, 3, pixels=8)
    usable = np.ones(261, bool)
    usable[[3, 100, 101, 102, 255]] = False
    counts = scan.counts.copy()
    counts[:, ~usable] = 0
    counts[:, 40:60] = 65535
    found = measure(twin, replace(scan, counts=counts, usable=usable))
    assert found.found.all()
    right = RayMap.of(twin, scan.row, scan.column).position_um(0.0, 130)
    np.testing.assert_allclose(found.values[:, 0], right, atol=0.2)


def test_noise_dark_and_dead_pixels_have_no_place(
    twin: Experiment, membrane_scan: ScanMaker
) -> None:
    scan = membrane_scan(twin, 4, pixels=8)
    rng = np.random.default_rng(4)
    counts = scan.counts.copy()
    counts[0] = rng.poisson(200, 261)
    counts[1] = 0
    counts[2] = 65535
    counts[3] = rng.integers(0, 1000, 261)
    counts[4] = 200 + 2 * np.arange(261)
    found = measure(twin, replace(scan, counts=counts)).found
    assert found.tolist() == [False] * 5 + [True] * 3


def test_advances_tried_cover_two_degrees_and_one_percent(norcada: Experiment) -> None:
    tried = advances_to_try(0.48, 1.5, 0.5, 541)
    assert tried.min() <= 0.48 - 0.5 * (1.5 * np.deg2rad(2) + 0.0099)
    assert tried.max() >= 0.48 + 0.5 * (1.5 * np.deg2rad(2) + 0.0099)
    # At the ends of the scan neighbours differ by less than a bar.
    assert np.diff(tried).max() * 541 / 2 < 7.5 / 2
    assert 0.48 in tried.round(9)


def test_measured_positions_and_beam_of_a_scan_are_used(twin: Experiment) -> None:
    """A drifting aperture and a failing beam, by the simulator: errors go where both are known."""
    rng = np.random.default_rng(8)
    row, column = rng.uniform(300, 1700, (2, 12))
    light = Footprints(np.zeros(12), np.full(12, 3.0), np.full(12, 3000.0))
    flaws = Flaws(motor_drift_um=4.0, beam_steps=((60, 0.4), (120, 1.0)))
    expected, timeline, _ = flawed_traces(twin, row, column, light, flaws, background=10.0, seed=2)
    counts = rng.poisson(expected).astype(np.uint16)
    plain = Scan(row, column, counts, np.ones(261, bool))
    known = replace(
        plain,
        positions_um=tuple((twin.motion.step_um * timeline.position).tolist()),
        beam=tuple(timeline.current.tolist()),
    )
    wanted = RayMap.of(twin, row, column).position_um(0.0, middle_frame(twin.frames))
    found = measure(twin, known)
    assert found.found.all()
    assert np.abs(found.values[:, 0] - wanted).max() < 0.1
    assert np.nanmax(np.abs(measure(twin, plain).values[:, 0] - wanted)) > 0.3
