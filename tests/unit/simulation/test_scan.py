"""Frames: their noise, their truth, and that they are the same however they are asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import poisson

from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument.experiment import Experiment, Frames, Region
from lauedepth.crystals.crystal import crystal_by_name
from lauedepth.simulation import scan
from lauedepth.simulation.flaws import generator
from lauedepth.simulation.forward import Footprints, expected_traces
from lauedepth.simulation.sample import Polycrystal, random_column
from lauedepth.simulation.scan import SimulatedPoint, draw_counts, grid_positions, simulate_scan
from lauedepth.simulation.sources import Exposure, LightSources, sources_from_grains, spot_pixels

REGION = Region((24, 32), (900, 700))


@pytest.fixture(scope="module")
def short(twin: Experiment) -> Experiment:
    return replace(twin, frames=Frames(0, 40))


@pytest.fixture(scope="module")
def sources() -> LightSources:
    """Three pixels; the first is lit from two depths, one of them at two energies."""
    return LightSources.of(
        [3, 3, 3, 10, 23],
        [4, 4, 4, 20, 31],
        [10.0, 10.0, 60.0, -5.0, 30.0],
        [14.5, 14.5, 75.0, 5.0, 30.25],
        [300.0, 100.0, 350.0, 2000.0, 80.0],
        energy_kev=[12.0, 24.0, 15.0, 9.5, np.nan],
        grain=[1, 1, 2, 5, 6],
        hkl=[(1, 1, 1), (2, 2, 2), (3, 1, 1), (2, 0, 0), (0, 0, 0)],
    )


def stack(frames: object) -> npt.NDArray[np.float64]:
    return np.array(list(frames), np.float64)  # type: ignore[call-overload]


def test_frames_are_uint16_of_the_region(short: Experiment, sources: LightSources) -> None:
    point = SimulatedPoint(short, sources, REGION)
    frames = list(point.frames())
    assert point.shape == (40, 24, 32)
    assert len(frames) == 40
    assert {(frame.shape, frame.dtype.name) for frame in frames} == {((24, 32), "uint16")}


def test_expected_frames_hold_the_forward_model(short: Experiment, sources: LightSources) -> None:
    point = SimulatedPoint(short, sources, REGION, 20.0)
    cube = stack(point.expected())
    row, column = REGION.unbinned(sources.row, sources.column)
    light = Footprints(
        (sources.begin_um + sources.end_um) / 2,
        sources.end_um - sources.begin_um,
        sources.intensity,
        sources.energy_kev,
    )
    each = expected_traces(short, row, column, light, step_um=0.005)
    np.testing.assert_allclose(cube[:, 3, 4], 20 + each[:3].sum(axis=0), atol=0.05)
    np.testing.assert_allclose(cube[:, 10, 20], 20 + each[3], atol=0.05)
    np.testing.assert_allclose(cube[:, 23, 31], 20 + each[4], atol=0.05)
    cube[:, sources.row, sources.column] = 20.0
    assert np.all(cube == 20.0)


def test_opaque_bars_ignore_energies(short: Experiment, sources: LightSources) -> None:
    opaque = stack(SimulatedPoint(short, sources, REGION, opaque_bars=True).expected())
    blind = replace(sources, energy_kev=np.full(len(sources), np.nan))
    np.testing.assert_array_equal(opaque, stack(SimulatedPoint(short, blind, REGION).expected()))
    assert np.any(opaque != stack(SimulatedPoint(short, sources, REGION).expected()))


def test_frames_do_not_depend_on_how_they_are_asked_for(
    short: Experiment, sources: LightSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = SimulatedPoint(short, sources, REGION, seed=3)
    whole = stack(point.frames())
    np.testing.assert_array_equal(whole[17:23], stack(point.frames(17, 23)))
    monkeypatch.setattr(scan, "BLOCK_BYTES", 8 * 3 * 7)
    again = SimulatedPoint(short, sources, REGION, seed=3)
    np.testing.assert_array_equal(whole, stack(again.frames()))


def test_seed_and_number_change_the_noise(short: Experiment, sources: LightSources) -> None:
    first, seeded, numbered = (
        stack(SimulatedPoint(short, sources, REGION, seed=s, number=n).frames())
        for s, n in ((0, 0), (1, 0), (0, 1))
    )
    for other in (seeded, numbered):
        assert 0.8 < np.mean(first != other) < 1.0


def test_noise_is_poisson_on_light_and_background(short: Experiment, sources: LightSources) -> None:
    point = SimulatedPoint(short, sources, REGION, 20.0)
    rate = stack(point.expected())
    pull = (stack(point.frames()) - rate) / np.sqrt(rate)
    lit = np.zeros(REGION.shape, bool)
    lit[sources.row, sources.column] = True
    for part in (pull[:, lit], pull[:, ~lit]):
        assert part.mean() == pytest.approx(0.0, abs=4 / np.sqrt(part.size))
        assert part.var() == pytest.approx(1.0, abs=4 * np.sqrt(2.1 / part.size))


@pytest.mark.parametrize("level", [0.0, 0.3, 4.0, 20.0, 700.0])
def test_tabulated_noise_has_the_poisson_distribution(level: float) -> None:
    size = 200_000
    counts = draw_counts(generator(1), np.full((400, 500), 99.0), level, np.zeros((400, 500), bool))
    assert counts.shape == (400, 500)
    low, high = (max(int(poisson.ppf(part, level)), 0) for part in (1e-4, 1 - 1e-4))
    bins = np.arange(low, high + 1)
    seen = np.array([np.sum(counts == value) for value in bins])
    chance = size * poisson.pmf(bins, level)
    pull = (seen - chance) / np.sqrt(np.maximum(chance, 1.0))
    assert np.abs(pull).max() < 5
    assert np.sum((counts < low) | (counts > high)) < 100


def test_truth_tells_both_depths(short: Experiment, sources: LightSources) -> None:
    truth = SimulatedPoint(short, sources, REGION, 12.5).truth
    assert truth["row"].tolist() == [3, 10, 23]
    assert truth["column"].tolist() == [4, 20, 31]
    np.testing.assert_allclose(truth["depth_um"], [12.25, 0.0, 30.125])
    np.testing.assert_allclose(truth["width_um"], [4.5, 10.0, 0.25])
    np.testing.assert_allclose(truth["intensity"], [400.0, 2000.0, 80.0])
    np.testing.assert_allclose(truth["energy_kev"], [12.0, 9.5, np.nan])
    assert truth["hkl"].tolist() == [[1, 1, 1], [2, 0, 0], [0, 0, 0]]
    assert truth["grain"].tolist() == [1, 5, 6]
    assert truth["n_depths"].tolist() == [2, 1, 1]
    np.testing.assert_allclose(truth["second_depth_um"], [67.5, np.nan, np.nan])
    np.testing.assert_allclose(truth["second_width_um"], [15.0, np.nan, np.nan])
    np.testing.assert_allclose(truth["second_intensity"], [350.0, 0.0, 0.0])
    assert np.all(truth["background"] == 12.5)


def test_a_dark_point_has_frames_and_no_truth(short: Experiment) -> None:
    point = SimulatedPoint(short, LightSources.none(), REGION, 5.0)
    assert len(point.truth) == 0
    assert stack(point.frames()).mean() == pytest.approx(5.0, rel=0.02)


def test_background_may_vary_over_the_image(short: Experiment, sources: LightSources) -> None:
    level = np.linspace(1.0, 50.0, 24 * 32).reshape(24, 32)
    point = SimulatedPoint(short, sources, REGION, level)
    assert point.truth["background"][1] == level[10, 20]
    mean = stack(point.frames()).mean(axis=0)
    dark = np.ones(REGION.shape, bool)
    dark[sources.row, sources.column] = False
    pull = ((mean - level) / np.sqrt(level / 40))[dark]
    assert pull.std() == pytest.approx(1.0, abs=0.12)


def test_sources_outside_the_image_are_refused(short: Experiment) -> None:
    with pytest.raises(ConfigurationError, match="1 light sources lie outside the 24 x 32 image"):
        SimulatedPoint(short, LightSources.of([24], [0], 0.0, 1.0, 1.0), REGION)


def test_region_shows_its_part_of_the_full_image(twin: Experiment) -> None:
    """The same grains seen on a region, and on a larger one around it."""
    grains = random_column(crystal_by_name("Ni"), [8.0, 12.0], seed=2).grains
    exposure = Exposure(peak_counts=1e4, least_counts=0.0)
    wide = Region((400, 400), (800, 800))
    part = Region((100, 120), (880, 850))
    images = []
    for region in (wide, part):
        found = sources_from_grains(grains, twin, region, exposure=exposure)
        image = np.zeros(region.shape)
        np.add.at(image, (found.row, found.column), found.intensity)
        images.append(image)
    cut = images[0][50:150, 80:200]
    if cut.max() > 0:
        np.testing.assert_allclose(cut / cut.max(), images[1] / images[1].max(), atol=1e-9)
    assert images[0].max() == pytest.approx(1e4)


@pytest.mark.parametrize("binning", [(1, 1), (2, 3)])
def test_a_spot_keeps_its_place_and_counts_under_binning(binning: tuple[int, int]) -> None:
    region = Region((60, 60), (300, 200), binning)
    row, column, share = spot_pixels(240.3, 341.8, 1.7, region)
    assert share.sum() == pytest.approx(1.0, abs=3e-4)
    rows, columns = region.unbinned(row, column)
    assert np.sum(rows * share) / share.sum() == pytest.approx(240.3, abs=0.02)
    assert np.sum(columns * share) / share.sum() == pytest.approx(341.8, abs=0.02)


@pytest.mark.parametrize("centre", [(199.0, 341.8), (240.0, 298.9), (190.0, 290.0), (500.0, 341.0)])
def test_spots_at_and_beyond_the_edge_are_cut(centre: tuple[float, float]) -> None:
    region = Region((60, 60), (300, 200))
    row, column, share = spot_pixels(*centre, 1.7, region)
    assert np.all((row >= 0) & (row < 60) & (column >= 0) & (column < 60))
    assert share.sum() < 0.5


def test_scan_moves_over_the_sample_and_repeats(short: Experiment) -> None:
    sample = Polycrystal.random(
        crystal_by_name("Cu"), grain_um=15.0, extent_um=(10.0, 10.0), depths_um=(0, 60), seed=1
    )
    region = Region((300, 300), (850, 850))
    positions = grid_positions(2, 1, 4.0)
    assert positions == [(-2.0, 0.0), (2.0, 0.0)]
    points = list(simulate_scan(sample, positions, short, region, seed=9))
    again = list(simulate_scan(sample, positions, short, region, seed=9))
    assert [point.number for point in points] == [0, 1]
    assert [point.position_um for point in points] == positions
    for first, second in zip(points, again, strict=True):
        assert first.point.truth.tobytes() == second.point.truth.tobytes()
        np.testing.assert_array_equal(
            next(first.point.frames(5, 6)), next(second.point.frames(5, 6))
        )
    moved = points[0].point.truth, points[1].point.truth
    assert len(moved[0]) and len(moved[1])
    assert set(np.unique(moved[0]["depth_um"])) != set(np.unique(moved[1]["depth_um"]))
    intervals = {(g.depth_um, g.number) for g in sample.column(-2.0, 0.0)}
    assert {(float(t["depth_um"]), int(t["grain"])) for t in moved[0]} <= intervals


def test_brightest_pixel_has_the_counts_asked_for(short: Experiment) -> None:
    grains = random_column(crystal_by_name("Si"), [30.0], seed=11).grains
    region = Region((2048, 2048))
    exposure = Exposure(peak_counts=1234.0, least_counts=2.0)
    found = sources_from_grains(grains, short, region, exposure=exposure)
    truth = SimulatedPoint(short, found, region).truth
    assert truth["intensity"].max() == pytest.approx(1234.0, rel=2e-3)
    assert found.intensity.min() >= 2.0
