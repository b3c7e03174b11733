"""Mistakes in an experiment are named from traces of the right one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lauedepth.calibration import Scan
from lauedepth.calibration.diagnosis import find_cause
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.decoding.registry import choose_decoder
from lauedepth.core.instrument.experiment import Depths, Experiment
from lauedepth.simulation import Footprints, quick_traces

CPU = choose_decoder("cpu").decoder
PIXELS = 24


def scan_of(experiment: Experiment, seed: int = 1) -> Scan:
    """Return lit traces of a sample between 0 and 100 µm."""
    rng = np.random.default_rng(seed)
    row, column = rng.uniform(700, 1400, (2, PIXELS))
    light = Footprints(
        rng.uniform(0, 100, PIXELS), rng.uniform(4, 15, PIXELS), rng.uniform(100, 900, PIXELS)
    )
    expected = quick_traces(experiment, row, column, light, background=20.0)
    counts = rng.poisson(expected).astype(np.uint16)
    return Scan(row, column, counts, np.ones(counts.shape[1], bool))


def _pose(**change: float) -> Callable[[Experiment], Experiment]:
    return lambda right: replace(right, pose=replace(right.pose, **change))


def _motion(right: Experiment, sign: float) -> Experiment:
    return replace(right, motion=replace(right.motion, step_um=sign * right.motion.step_um))


def _radians(right: Experiment) -> Experiment:
    pose = right.pose
    angles = {
        name: float(np.deg2rad(getattr(pose, name)))
        for name in ("anglex_deg", "angley_deg", "anglez_deg")
    }
    return replace(right, pose=replace(pose, **angles))


def _degrees(right: Experiment) -> Experiment:
    x, y, z = (float(np.rad2deg(angle)) for angle in right.detector.rotation_rad)
    return replace(right, detector=replace(right.detector, rotation_rad=(x, y, z)))


WRONG: dict[str, Callable[[Experiment], Experiment]] = {
    "code-reversed": lambda e: replace(e, aperture=replace(e.aperture, code=e.aperture.code[::-1])),
    "angles-in-radians": _radians,
    "step-reversed": lambda e: _motion(e, -1.0),
    "widths-swapped": lambda e: replace(
        e, aperture=replace(e.aperture, open_width_um=7.5, bar_width_um=15.0)
    ),
    "aperture-below-beam": lambda e: replace(e, pose=replace(e.pose, dist_mm=-e.pose.dist_mm)),
    "axis-reversed": lambda e: replace(
        e, motion=replace(e.motion, axis=(-0.70710678118, -0.70710678118, 0.0))
    ),
    "shift-reversed": lambda e: replace(e, motion=replace(e.motion, shift_mm=-e.motion.shift_mm)),
    "detector-rotation-in-degrees": _degrees,
}


@pytest.mark.parametrize("geometry", ["norcada", "twin"])
@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_named(request: pytest.FixtureRequest, geometry: str, mistake: str) -> None:
    right = replace(request.getfixturevalue(geometry), depths=Depths(-50.0, 150.0))
    cause = find_cause(WRONG[mistake](right), scan_of(right), CPU, DecodeOptions())
    assert [notice.code for notice in cause] == [mistake]
    assert cause[0].remedy


def test_frames_in_reverse_are_named(twin: Experiment) -> None:
    right = replace(twin, depths=Depths(-50.0, 150.0))
    scan = scan_of(right)
    cause = find_cause(right, replace(scan, counts=scan.counts[:, ::-1]), CPU, DecodeOptions())
    assert [notice.code for notice in cause] == ["frames-reversed"]


@pytest.mark.parametrize("depths", [(200.0, 400.0), (60.0, 260.0)])
def test_light_from_outside_the_range_is_named(
    twin: Experiment, depths: tuple[float, float]
) -> None:
    right = replace(twin, depths=Depths(-50.0, 150.0))
    scan = scan_of(right)
    cause = find_cause(replace(right, depths=Depths(*depths)), scan, CPU, DecodeOptions())
    assert len(cause) == 1
    assert "outside the depth" in cause[0].what


def test_a_wrong_step_is_named(norcada: Experiment) -> None:
    right = replace(norcada, depths=Depths(-50.0, 150.0))
    longer = replace(right.motion, step_um=1.02 * right.motion.step_um)
    cause = find_cause(replace(right, motion=longer), scan_of(right), CPU, DecodeOptions())
    assert len(cause) == 1
    assert "step" in cause[0].what


def test_nothing_is_named_where_nothing_is_wrong(norcada: Experiment, twin: Experiment) -> None:
    for right in (norcada, twin):
        for seed in range(3):
            assert find_cause(right, scan_of(right, seed), CPU, DecodeOptions()) == ()


def test_an_integrating_detector_is_named(twin: Experiment) -> None:
    right = replace(twin, depths=Depths(-50.0, 150.0))
    scan = scan_of(right)
    readings = replace(scan, counts=5 * scan.counts.astype(np.int64) + 100)
    cause = find_cause(right, readings, CPU, DecodeOptions())
    assert [notice.code for notice in cause] == ["detector-gain"]
    assert "detector.counts_per_photon: " in cause[0].remedy
    assert "detector.offset: " in cause[0].remedy
