"""Each flaw does what it says, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument.aperture import BarTable
from lauedepth.core.instrument.experiment import Experiment, Frames, Region
from lauedepth.core.instrument.geometry import code_coordinate, pixel_positions, ray_slopes
from lauedepth.simulation.flaws import Flaws, Timeline, beam_offsets, generator
from lauedepth.simulation.scan import SimulatedPoint
from lauedepth.simulation.sources import LightSources

REGION = Region((20, 30), (1000, 1000))
LIT = (9, 14)


def point_with(experiment: Experiment, flaws: Flaws, intensity: float = 1000.0) -> SimulatedPoint:
    source = LightSources.of([LIT[0]], [LIT[1]], 20.0, 30.0, intensity)
    return SimulatedPoint(experiment, source, REGION, 20.0, flaws, seed=5)


def expected(point: SimulatedPoint) -> npt.NDArray[np.float64]:
    return np.array(list(point.expected()))


def recorded(point: SimulatedPoint) -> npt.NDArray[np.float64]:
    return np.array(list(point.frames()), np.float64)


@pytest.fixture(scope="module")
def short(twin: Experiment) -> Experiment:
    return replace(twin, frames=Frames(0, 60))


@pytest.fixture(scope="module")
def ideal(short: Experiment) -> npt.NDArray[np.float64]:
    return expected(point_with(short, Flaws()))


def test_blur_spreads_light_and_keeps_it(short: Experiment, ideal: npt.NDArray[np.float64]) -> None:
    cube = expected(point_with(short, Flaws(blur_sigma_px=1.2))) - 20
    light = ideal - 20
    np.testing.assert_allclose(cube.sum(axis=(1, 2)), light.sum(axis=(1, 2)), rtol=1e-3)
    rows = np.arange(20) - LIT[0]
    total = cube.sum(axis=0)
    variance = (total.sum(axis=1) * rows**2).sum() / total.sum()
    assert variance == pytest.approx(1.2**2, rel=0.02)


def test_a_finite_beam_smears_the_edges_of_the_code(twin: Experiment) -> None:
    """A source moved across the beam sees what one on axis sees of all else moved back."""
    sigma = 2.0
    found = expected(point_with(twin, Flaws(beam_sigma_um=sigma)))[:, *LIT] - 20
    pixel = pixel_positions(twin.detector, 1000 + LIT[0], 1000 + LIT[1])
    depth = (20 + (np.arange(100) + 0.5) / 10)[:, None]
    bars = BarTable.of(twin.aperture)
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    smeared = np.zeros(261)
    for y, weight_y in zip(nodes * sigma * 1e-3, weights / weights.sum(), strict=True):
        for z, weight_z in zip(nodes * sigma * 1e-3, weights / weights.sum(), strict=True):
            pose = replace(twin.pose, dist_mm=twin.pose.dist_mm - y, cenz_mm=twin.pose.cenz_mm - z)
            moved, place = replace(twin, pose=pose), pixel - np.array([0.0, y, z])
            u = code_coordinate(moved, place, depth, twin.frames.indices[None])
            window = np.abs(ray_slopes(moved, place, 25.0)[0]) * twin.aperture.thickness_um
            passed = 1 - bars.bar_fraction(u, window).mean(axis=0)
            smeared += 1000 * weight_y * weight_z * passed
    sharp = expected(point_with(twin, Flaws()))[:, *LIT] - 20
    error = np.abs(found - smeared).max()
    assert error < 5
    assert np.abs(sharp - smeared).max() > 10 * error


def test_beam_points_have_its_size() -> None:
    offset, weight = beam_offsets(Flaws(beam_sigma_um=0.4))
    assert weight.sum() == pytest.approx(1.0)
    assert weight @ offset == pytest.approx(0.0, abs=1e-12)
    assert weight @ offset**2 == pytest.approx(0.16)


def test_saturation_clips(short: Experiment) -> None:
    full = recorded(point_with(short, Flaws(), intensity=1e6))
    assert full.max() == 65535
    limited = recorded(point_with(short, Flaws(saturation=500)))
    unlimited = recorded(point_with(short, Flaws()))
    assert unlimited.max() > 500
    np.testing.assert_array_equal(limited, np.minimum(unlimited, 500))


def test_hot_and_dead_pixels(short: Experiment) -> None:
    flaws = Flaws(hot_fraction=0.05, hot_counts=900.0, dead_fraction=0.1)
    point = point_with(short, flaws)
    bad = point.bad_pixels
    assert bad.hot.mean() == pytest.approx(0.05, abs=0.03)
    assert bad.dead.mean() == pytest.approx(0.10, abs=0.04)
    assert not np.any(bad.hot & bad.dead)
    frames = recorded(point)
    assert np.all(frames[:, bad.dead] == 0)
    hot = bad.hot.copy()
    hot[LIT] = False
    assert frames[:, hot].mean() == pytest.approx(920.0, rel=0.01)
    assert np.ptp(frames[:, hot].mean(axis=1)) > 0
    other = replace(point, number=3)
    np.testing.assert_array_equal(other.bad_pixels.hot, bad.hot)


def test_drift_scales_light_and_background(
    short: Experiment, ideal: npt.NDArray[np.float64]
) -> None:
    cube = expected(point_with(short, Flaws(drift=-0.2)))
    factor = 1 - 0.2 * np.arange(60) / 59
    np.testing.assert_allclose(cube, ideal * factor[:, None, None], rtol=1e-12)


def test_flicker_has_its_size(twin: Experiment) -> None:
    timeline = Timeline.of(Flaws(flicker=0.03), 4000, 1.0, generator(1))
    assert timeline.current.std() == pytest.approx(0.03, rel=0.05)
    assert timeline.current.mean() == pytest.approx(1.0, abs=0.003)
    levels = expected(point_with(twin, Flaws(flicker=0.03)))[:, 0, 0]
    assert levels.std() == pytest.approx(20 * 0.03, rel=0.2)


def test_dropped_frames_read_zero_and_leave_the_others(short: Experiment) -> None:
    whole = recorded(point_with(short, Flaws()))
    named = point_with(short, Flaws(dropped=(3, 17)))
    frames = recorded(named)
    assert not frames[[3, 17]].any()
    assert np.flatnonzero(~named.timeline.recorded).tolist() == [3, 17]
    kept = named.timeline.recorded
    np.testing.assert_array_equal(frames[kept], whole[kept])
    counted = point_with(short, Flaws(dropped=5))
    assert np.sum(~counted.timeline.recorded) == 5


def test_jitter_moves_the_aperture(short: Experiment, ideal: npt.NDArray[np.float64]) -> None:
    timeline = Timeline.of(Flaws(jitter_um=0.3), 4000, 0.5, generator(2))
    error_um = (timeline.position - np.arange(4000)) * 0.5
    assert error_um.std() == pytest.approx(0.3, rel=0.05)
    point = point_with(short, Flaws(jitter_um=0.3))
    shaken = expected(point)[:, *LIT]
    still = ideal[:, *LIT]
    steep = np.abs(np.gradient(still)) > 30
    predicted = np.interp(point.timeline.position, np.arange(60), still)
    assert np.abs(shaken - still)[steep].max() > 20
    interior = np.abs(np.gradient(np.gradient(still))) < 5
    np.testing.assert_allclose(shaken[interior & steep], predicted[interior & steep], atol=20)


def test_one_flaw_does_not_change_what_another_does() -> None:
    alone = Timeline.of(Flaws(jitter_um=0.3), 50, 1.0, generator(7))
    together = Timeline.of(Flaws(jitter_um=0.3, flicker=0.1, dropped=4), 50, 1.0, generator(7))
    np.testing.assert_array_equal(alone.position, together.position)


@pytest.mark.parametrize(
    ("flaws", "name"),
    [
        ({"hot_fraction": 1.5}, "hot_fraction"),
        ({"blur_sigma_px": -1.0}, "blur_sigma_px"),
        ({"saturation": 70000}, "saturation"),
        ({"jitter_um": float("nan")}, "jitter_um"),
    ],
)
def test_impossible_flaws_are_refused(flaws: dict[str, float], name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"flaws.{name}: .* out of range"):
        Flaws(**flaws)  # type: ignore[arg-type]


@pytest.mark.parametrize("dropped", [(60,), (-1,), 61, -1])
def test_dropped_frames_must_exist(short: Experiment, dropped: tuple[int, ...] | int) -> None:
    with pytest.raises(ConfigurationError, match="does not match 60 frames"):
        recorded(point_with(short, Flaws(dropped=dropped)))
