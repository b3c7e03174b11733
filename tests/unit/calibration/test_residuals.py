"""A result of a pose that does not hold gives itself away by its residuals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lauedepth.calibration import DecodedTable, ResultCheck, check_residuals
from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.pixels import PixelFlag, PixelStatus
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.simulation import Flaws, Footprints, quick_traces
from lauedepth.simulation.flaws import Timeline

Shifted = Callable[..., Experiment]
PIXELS = 160


def decoded(
    used: Experiment, true: Experiment, seed: int, flaws: Flaws | None = None
) -> DecodedTable:
    """Decode pixels lit from all depths with a pose that need not be the true one."""
    rng = np.random.default_rng(seed)
    row, column = rng.integers(20, 2028, (2, PIXELS)).astype(np.float64)
    depths = used.depths
    depth = rng.uniform(depths.start_um + 60, depths.stop_um - 60, PIXELS)
    light = Footprints(
        depth,
        rng.uniform(3, 12, PIXELS),
        rng.uniform(300, 1500, PIXELS),
        rng.uniform(8, 20, PIXELS),
    )
    happened = Timeline.of(flaws or Flaws(), len(true.frames), true.motion.step_um, rng)
    frame = true.frames.indices + happened.position - np.arange(len(true.frames))
    expected = quick_traces(true, row, column, light, background=30.0, frame=frame)
    counts = rng.poisson(expected * happened.current).astype(np.uint16)
    found = decode(used, row, column, counts, backend="cpu")
    first = np.unique(found.trace, return_index=True)[1]
    return DecodedTable(
        row,
        column,
        found.status[first],
        found.flags[first],
        found.depth_um[first],
        found.width_um[first],
        found.intensity[first],
        found.background[first],
        found.residual[first],
    )


@pytest.mark.parametrize(
    "flaws", [None, Flaws(jitter_um=0.15, drift=-0.05, flicker=0.005)], ids=["none", "flaws"]
)
def test_a_pose_that_holds_is_not_doubted(twin: Experiment, flaws: Flaws | None) -> None:
    for seed in (1, 2):
        found = check_residuals(twin, decoded(twin, twin, seed, flaws))
        assert found.warnings == ()
        assert found.pixels > 0.9 * PIXELS
        assert found.lost < 0.1


@pytest.mark.parametrize("turn", [0.3, -0.3])
def test_a_turned_aperture_is_seen_and_its_size_found(
    twin: Experiment, moved_pose: Shifted, turn: float
) -> None:
    found = check_residuals(twin, decoded(twin, moved_pose(twin, [0, 0, 0, 0, 0, turn]), 3))
    assert 0.2 < found.turn_deg < 0.4
    assert found.residual_steep > found.residual_flat
    (warning,) = found.warnings
    assert f"turned by {found.turn_deg:.2f}" in warning
    assert "lauedepth calibrate" in warning


def test_a_mere_shift_leaves_no_residual(twin: Experiment, moved_pose: Shifted) -> None:
    found = check_residuals(twin, decoded(twin, moved_pose(twin, [0.03, 0, 0, 0, 0, 0]), 4))
    assert found.warnings == ()


def synthetic(twin: Experiment, share_lost: float, cut: bool, pixels: int = 100) -> DecodedTable:
    rng = np.random.default_rng(0)
    row, column = rng.integers(0, 2048, (2, pixels)).astype(np.float64)
    lost = np.arange(pixels) < share_lost * pixels
    status = np.where(lost & (not cut), PixelStatus.NO_MATCH, PixelStatus.DECODED)
    flags = np.where(lost & cut, PixelFlag.AT_RANGE_END, PixelFlag.NONE)
    known = np.where(status == PixelStatus.DECODED, 1.0, np.nan)
    residual = known * rng.normal(1.0, np.sqrt(2 / len(twin.frames)), pixels)
    return DecodedTable(
        row,
        column,
        status.astype(np.uint8),
        flags.astype(np.uint8),
        known * 50,
        known * 5,
        known * 500,
        known * 20,
        residual,
    )


@pytest.mark.parametrize("cut", [False, True])
def test_light_that_finds_no_whole_place_is_found(twin: Experiment, cut: bool) -> None:
    found = check_residuals(twin, synthetic(twin, 0.4, cut))
    assert found.lost == pytest.approx(0.4)
    assert found.warnings[0].startswith("40% of the pixels with coded light")
    assert check_residuals(twin, synthetic(twin, 0.2, cut)).warnings == ()


def test_residuals_as_the_formula_has_them_give_the_turn_back(twin: Experiment) -> None:
    """Chi-square grows by (step m angle / sigma)^2, the rest being flat: no decoder involved."""
    table = synthetic(twin, 0.0, cut=False, pixels=300)
    small = check_residuals(twin, table)
    rays = RayMap.of(twin, table.row, table.column)
    growth = (rays.slope(50.0) / 2.4) ** 2
    angles = []
    for factor in (1.0, 4.0):
        more = replace(table, residual=table.residual + factor * growth)
        angles.append(check_residuals(twin, more).turn_deg)
    assert small.turn_deg < 0.1
    assert angles[1] == pytest.approx(2 * angles[0], rel=0.1)


def test_too_few_pixels_say_nothing(twin: Experiment) -> None:
    found: ResultCheck = check_residuals(twin, synthetic(twin, 0.0, cut=False, pixels=5))
    assert np.isnan(found.turn_deg)
    assert np.isnan(found.lost)
    assert found.warnings == ()
    nothing = check_residuals(twin, synthetic(twin, 0.0, cut=False, pixels=0))
    assert nothing.pixels == 0
    assert np.isnan(nothing.residual_flat)
