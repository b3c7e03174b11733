"""Apertures and motions that are not as designed, against rays followed one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.core.instrument.aperture import bar_edges
from lauedepth.core.instrument.energy import attenuation_per_um
from lauedepth.core.instrument.experiment import Experiment, Frames, Region
from lauedepth.core.instrument.geometry import code_coordinate, pixel_positions, ray_slopes
from lauedepth.simulation import Flaws, Footprints, SimulatedPoint, flawed_traces, quick_traces
from lauedepth.simulation.built import BuiltAperture
from lauedepth.simulation.flaws import Timeline, generator
from lauedepth.simulation.sources import LightSources

PIXEL = (700.0, 1300.0)
ENERGY_KEV = 13.0
FRAMES = 40


def sampled(
    experiment: Experiment, built: BuiltAperture, position: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Follow rays through bars in steps of 20 nm: what passes at each frame, 30 to 34 µm deep."""
    pixel = pixel_positions(experiment.detector, *PIXEL)
    depth = 30 + 4 * (np.arange(25) + 0.5) / 25
    slope, secant = ray_slopes(experiment, pixel, 32.0)
    mu = float(attenuation_per_um(experiment.aperture, ENERGY_KEV))
    height = np.arange(0.01, built.thickness_um.max(), 0.02)
    u = code_coordinate(experiment, pixel, depth[:, None], position[None, :])[..., None]
    place = u - slope * (height - built.nominal_thickness_um / 2)
    inside = np.zeros(place.shape, bool)
    for begin, end, top in zip(built.begin_um, built.end_um, built.thickness_um, strict=True):
        from_side = np.minimum(place - begin, end - place)
        r = built.corner_radius_um
        corner = np.clip(height - top + r, 0, None) ** 2 + np.clip(r - from_side, 0, None) ** 2
        inside |= (from_side > 0) & (height < top) & (corner <= r**2 + 1e-12)
    path = inside.sum(axis=-1) * 0.02 * secant
    return np.asarray(np.exp(-mu * path).mean(axis=0))


@pytest.mark.parametrize(
    ("flaws", "tolerance"),
    [
        (Flaws(edges_um=0.4, widening_um=1.0, thickness=0.2), 0.003),
        (Flaws(thickness_profile=0.3), 0.006),
        (Flaws(corner_radius_um=1.5), 0.006),
    ],
    ids=["edges", "profile", "corners"],
)
def test_bars_as_they_are(twin: Experiment, flaws: Flaws, tolerance: float) -> None:
    experiment = replace(twin, frames=Frames(0, FRAMES))
    light = Footprints(32.0, 4.0, 1.0, ENERGY_KEV)
    traces, timeline, built = flawed_traces(experiment, *PIXEL, light, flaws, seed=3)
    truth = sampled(experiment, built, timeline.position)
    assert np.abs(traces[0] - truth).max() < tolerance
    ideal = quick_traces(experiment, *PIXEL, light)[0]
    assert np.abs(ideal - truth).max() > 3 * tolerance


def test_edges_have_their_error_and_bars_their_shape(twin: Experiment) -> None:
    flaws = Flaws(edges_um=0.3, widening_um=0.8, thickness=0.1, thickness_profile=0.2)
    built = BuiltAperture.of(twin.aperture, flaws, generator(1))
    begin, end = bar_edges(twin.aperture)
    assert np.std(built.begin_um - begin) == pytest.approx(0.3, rel=0.3)
    assert np.mean(built.end_um - built.begin_um - (end - begin)) == pytest.approx(0.8, abs=0.15)
    assert built.thickness_um.min() == pytest.approx(1.1 * 3.7, rel=1e-3)
    assert built.thickness_um.max() == pytest.approx(1.1 * 1.2 * 3.7, rel=0.02)


def timeline_of(**flaws: object) -> Timeline:
    return Timeline.of(Flaws(**flaws), 200, 0.5, generator(4))  # type: ignore[arg-type]


def test_the_motor_drifts_slowly() -> None:
    error = (timeline_of(motor_drift_um=1.0).position - np.arange(200)) * 0.5
    assert np.ptp(error) == pytest.approx(1.0)
    assert np.abs(np.diff(error)).max() < 0.1
    assert error.mean() == pytest.approx(0.0, abs=1e-9)


def test_backlash_is_travel_lost_at_the_start() -> None:
    position = timeline_of(backlash_um=2.0).position
    assert np.array_equal(position[:4], np.zeros(4))
    assert np.allclose(position[4:], np.arange(200)[4:] - 4)


def test_steps_are_longer() -> None:
    assert np.allclose(timeline_of(step_error=0.01).position, 1.01 * np.arange(200))


def test_the_beam_steps_and_is_filled_up() -> None:
    current = timeline_of(beam_steps=((50, 0.5), (80, 1.0)), top_up=0.05, top_up_frames=20).current
    saw = 1 - 0.05 * (np.arange(200) % 20) / 20
    factor = np.where((np.arange(200) >= 50) & (np.arange(200) < 80), 0.5, 1.0)
    assert np.allclose(current, saw * factor)


def test_a_fly_scan_smears_each_frame_over_its_travel(twin: Experiment) -> None:
    experiment = replace(twin, frames=Frames(0, FRAMES))
    light = Footprints(32.0, 1.0, 1.0, ENERGY_KEV)
    flown, _, _ = flawed_traces(experiment, *PIXEL, light, Flaws(smear=1.0))
    fine = np.arange(-0.5, FRAMES - 0.5, 0.01) + 0.005
    still = quick_traces(experiment, *PIXEL, light, frame=fine)[0]
    assert np.abs(flown[0] - still.reshape(FRAMES, 100).mean(axis=1)).max() < 0.003


def test_frames_of_a_point_show_the_aperture_as_it_is(twin: Experiment) -> None:
    flaws = Flaws(edges_um=0.5, thickness=0.2, step_error=0.01, smear=0.5, corner_radius_um=1.0)
    experiment = replace(twin, frames=Frames(0, FRAMES))
    region = Region((4, 4), (1299, 699))
    source = LightSources.of([1], [1], 30.0, 34.0, 1000.0, energy_kev=ENERGY_KEV)
    point = SimulatedPoint(experiment, source, region, 0.0, flaws, seed=8)
    frames = np.array(list(point.expected()))[:, 1, 1]
    light = Footprints(32.0, 4.0, 1000.0, ENERGY_KEV)
    traces, _, _ = flawed_traces(experiment, 700.0, 1300.0, light, flaws, seed=8)
    assert point.built.begin_um.tolist() == replace(point, number=5).built.begin_um.tolist()
    assert frames == pytest.approx(traces[0], rel=0.02)
