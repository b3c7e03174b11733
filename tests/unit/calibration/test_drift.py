"""A pose that no longer holds is seen in any sample's traces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lauedepth.calibration import Scan, check_pose
from lauedepth.core.instrument.experiment import Experiment

ScanMaker = Callable[..., Scan]


def sample(maker: ScanMaker, experiment: Experiment, seed: int) -> Scan:
    """Pixels lit from depths all over the range, as in a polycrystal."""
    depth = np.random.default_rng(seed).uniform(-60, 260, 30)
    return maker(experiment, seed, depth_um=depth, width_um=12.0, energy_kev=15.0, peak=1500.0)


def test_a_pose_that_holds_is_not_doubted(twin: Experiment, membrane_scan: ScanMaker) -> None:
    for seed in (1, 2):
        found = check_pose(twin, sample(membrane_scan, twin, seed))
        assert found.warnings == ()
        assert abs(found.turn_deg) < 5 * found.turn_error_deg
        assert found.pixels >= 25


def test_a_turned_aperture_is_seen(
    twin: Experiment, moved_pose: Callable[..., Experiment], membrane_scan: ScanMaker
) -> None:
    turned = moved_pose(twin, [0, 0, 0, 0, 0, 0.15])
    found = check_pose(twin, sample(membrane_scan, turned, 3))
    assert found.turn_deg == pytest.approx(0.15, abs=4 * found.turn_error_deg)
    assert len(found.warnings) == 1
    assert "turned by +0.1" in found.warnings[0]


def test_a_wrong_step_is_seen(twin: Experiment, membrane_scan: ScanMaker) -> None:
    longer = replace(twin, motion=replace(twin.motion, step_um=1.006))
    found = check_pose(twin, sample(membrane_scan, longer, 4))
    assert found.stretch_percent == pytest.approx(0.6, abs=0.1)
    assert any("a step were +0." in text for text in found.warnings)


def test_light_from_outside_the_depths_is_seen(
    twin: Experiment, moved_pose: Callable[..., Experiment], membrane_scan: ScanMaker
) -> None:
    moved = moved_pose(twin, [-0.25, 0.25, 0, 0, 0, 0])
    found = check_pose(twin, sample(membrane_scan, moved, 5))
    assert found.outside > 0.2
    assert any("outside the depths" in text for text in found.warnings)


def test_traces_that_match_nothing_are_found(twin: Experiment, membrane_scan: ScanMaker) -> None:
    scan = membrane_scan(twin, 6, pixels=12)
    rng = np.random.default_rng(6)
    noise = replace(scan, counts=rng.poisson(300, scan.counts.shape).astype(np.uint16))
    found = check_pose(twin, noise)
    assert found.warnings == (
        "only 0 of 12 bright traces match the code: pose, step or code may be wrong",
    )
