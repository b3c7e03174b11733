"""Light sources: spots on pixels, and their sums."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.spatial.transform import Rotation

from lauedepth.core.instrument.experiment import Experiment, Region
from lauedepth.crystals import WhiteBeam, crystal_by_name, laue_spots
from lauedepth.simulation import Exposure, Grain, LightSources, sources_from_grains
from lauedepth.simulation.sources import spot_pixels


def test_a_spot_is_a_gaussian_integrated_over_each_pixel() -> None:
    rows, columns, part = spot_pixels(10.3, 20.8, 1.5, Region((32, 40)))
    assert part.sum() == pytest.approx(1.0, abs=2e-4)
    index = int(np.flatnonzero((rows == 11) & (columns == 20))[0])

    def density(x: float, y: float) -> float:
        return float(np.exp(-((x - 20.8) ** 2 + (y - 10.3) ** 2) / 4.5) / (4.5 * np.pi))

    expected, _ = dblquad(density, 10.5, 11.5, 19.5, 20.5)
    assert part[index] == pytest.approx(expected, rel=1e-6)


def test_binned_pixels_gather_what_falls_on_them() -> None:
    fine = spot_pixels(41.0, 50.2, 2.0, Region((64, 64), (10, 20)))
    coarse = spot_pixels(41.0, 50.2, 2.0, Region((16, 16), (10, 20), (4, 4)))
    sums, whole = np.zeros((16, 16)), np.zeros((16, 16))
    np.add.at(sums, (fine[0] // 4, fine[1] // 4), fine[2])
    np.add.at(whole, (coarse[0], coarse[1]), coarse[2])
    np.testing.assert_allclose(sums, whole, atol=1e-4)


def test_a_spot_outside_the_region_lights_nothing() -> None:
    assert spot_pixels(-50.0, 5.0, 1.0, Region((32, 32)))[0].size == 0


def test_values_may_be_given_once_for_all() -> None:
    made = LightSources.of([1, 2], [3, 4], 0.0, 10.0, [5.0, 6.0], grain=7)
    assert len(made) == 2
    assert made.end_um.tolist() == [10.0, 10.0]
    assert made.grain.tolist() == [7, 7]
    assert np.isnan(made.energy_kev).all()
    joined = LightSources.joined([made, made.scaled(2.0)])
    assert joined.intensity.tolist() == [5.0, 6.0, 10.0, 12.0]
    assert len(LightSources.none()) == 0


def test_grains_light_the_pixels_of_their_spots(twin: Experiment) -> None:
    crystal, turn = crystal_by_name("Ni"), Rotation.from_euler("xyz", [20, 30, 10], degrees=True)
    spots = laue_spots(crystal, turn, WhiteBeam(), twin.detector)
    grain = Grain(crystal, turn, 10.0, 30.0, 5)
    region = Region(twin.detector.shape[::-1])
    light = sources_from_grains((grain,), twin, region, exposure=Exposure(peak_counts=800.0))
    assert set(light.grain.tolist()) == {5}
    assert (light.begin_um[0], light.end_um[0]) == (10.0, 30.0)
    flat = light.row.astype(np.int64) * region.shape[1] + light.column
    brightest = np.bincount(np.unique(flat, return_inverse=True)[1], light.intensity)
    assert brightest.max() == pytest.approx(800.0, rel=1e-3)
    strongest = spots[0]
    near = np.hypot(light.row - strongest.row, light.column - strongest.column) < 3
    assert near.any()
