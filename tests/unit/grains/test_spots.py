"""Spots joined from pixels, against the crystals that lit the pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Experiment, Region
from lauedepth.core.instrument.geometry import source_positions
from lauedepth.crystals import WhiteBeam, crystal_by_name, laue_spots
from lauedepth.grains import FoundPixels, Spots, join_pixels
from lauedepth.simulation import Exposure, Grain, sources_from_grains
from lauedepth.simulation.truth import truth_table

FRAMES = 261
GRAINS = tuple(
    Grain(crystal_by_name("Ni"), Rotation.random(rng=seed), begin, end, seed)
    for seed, (begin, end) in enumerate([(0.0, 12.0), (12.0, 15.0), (40.0, 60.0)])
)


def pixels_of(experiment: Experiment, region: Region, seed: int = 1) -> FoundPixels:
    """Return what an honest decoder would find: the truth, off by its errors."""
    rng = np.random.default_rng(seed)
    light = sources_from_grains(GRAINS, experiment, region, exposure=Exposure(peak_counts=50_000.0))
    truth = truth_table(light, 20.0)
    truth = truth[(truth["n_depths"] == 1) & (truth["intensity"] > 25)]
    error = np.clip(5 / np.sqrt(truth["intensity"]), 0.05, None)
    noise = np.sqrt(2 * (truth["intensity"] + 40) / FRAMES)
    row, column = region.unbinned(truth["row"], truth["column"])
    begin, end = (
        truth["depth_um"] + side * truth["width_um"] / 2 + rng.normal(0, error) * 2**0.5
        for side in (-1, 1)
    )
    return FoundPixels(
        row,
        column,
        (begin + end) / 2,
        error,
        end - begin,
        truth["intensity"] + rng.normal(0, noise),
        np.full(error.size, 20.0),
    )


def blob(row: float, column: float, depth: float, size: int = 3) -> list[list[float]]:
    around = np.arange(size) - size // 2
    return [[row + i, column + j, depth, 0.1, 2.0, 100.0, 5.0] for i in around for j in around]


def table(*blobs: list[list[float]]) -> FoundPixels:
    return FoundPixels(*np.array([line for one in blobs for line in one]).T)


def predicted(experiment: Experiment, grain: Grain) -> Floats:
    """Return (n, 2) places of a grain's brighter spots."""
    origin = source_positions(grain.depth_um, experiment.beam_tilt)
    turn, detector = grain.orientation, experiment.detector
    spots = laue_spots(grain.crystal, turn, WhiteBeam(), detector, origin)
    return np.array([(spot.row, spot.column) for spot in spots])


@pytest.mark.parametrize("binning", [1, 2])
def test_spots_lie_where_the_crystals_send_them(twin: Experiment, binning: int) -> None:
    size = 2048 // binning
    region = Region((size, size), (0, 0), (binning, binning))
    spots = join_pixels(pixels_of(twin, region), FRAMES, binning=region.binning)
    bright = spots.pixels >= 6
    assert bright.sum() > 50
    for grain in GRAINS:
        own = bright & (np.abs(spots.depth_um - grain.depth_um) < 1.0)
        place = np.stack([spots.row, spots.column], axis=1)[own]
        apart, _ = cKDTree(predicted(twin, grain)).query(place)
        assert own.sum() > 15
        assert np.median(apart) < 0.1
        begin, end = (
            (edge[own] - true) / spots.edge_error_um[own]
            for edge, true in ((spots.begin_um, grain.begin_um), (spots.end_um, grain.end_um))
        )
        assert 0.6 < np.sqrt(np.mean([begin**2, end**2])) < 1.3


def test_errors_of_centroids_are_those_of_counting() -> None:
    """A Gaussian spot, its pixels read again and again: the scatter is what the error says."""
    rng = np.random.default_rng(3)
    row, column = (axis.ravel().astype(float) for axis in np.mgrid[-6:7, -6:7])
    light = 800 * np.exp(-(row**2 + column**2) / 4)
    noise = np.sqrt(2 * (light + 40) / FRAMES)
    one = np.ones(row.size)
    pixels = FoundPixels(row, column, one, 0.1 * one, one, light, 20 * one)
    found = [
        join_pixels(
            replace(pixels, intensity=light + rng.normal(0, noise)).chosen(light > 5), FRAMES
        )
        for _ in range(200)
    ]
    scatter = np.std([spots.row[0] for spots in found])
    assert found[0].row_error[0] == pytest.approx(scatter, rel=0.2)


def test_depth_tells_spots_at_one_place_apart() -> None:
    spots = join_pixels(table(blob(10, 10, 0.0), blob(10, 11, 8.0), blob(10, 40, 0.0)), FRAMES)
    assert len(spots) == 3
    assert sorted(spots.depth_um) == pytest.approx([0.0, 0.0, 8.0])
    assert spots.pixels.tolist() == [9, 9, 9]
    assert np.unique(spots.member).tolist() == [0, 1, 2]


def test_a_masked_line_does_not_cut_a_spot_in_two() -> None:
    whole = table(blob(10, 10, 3.0, 7))
    cut = join_pixels(whole.chosen(whole.row != 9), FRAMES)
    assert len(cut) == 1
    assert cut.pixels[0] == 42


def test_rows_without_a_depth_or_light_are_left_out() -> None:
    found = table(blob(10, 10, 3.0))
    for name, value in (
        ("depth_um", np.nan),
        ("depth_error_um", np.nan),
        ("depth_error_um", 0.0),
        ("depth_error_um", 1e-200),
        ("depth_error_um", 20.0),
        ("width_um", np.inf),
        ("intensity", -3.0),
        ("background", np.nan),
    ):
        values = getattr(found, name).copy()
        values[4] = value
        spots = join_pixels(replace(found, **{name: values}), FRAMES)
        assert spots.pixels.tolist() == [8], name
        assert spots.member[4] == -1


def test_nothing_and_lone_pixels_make_no_spot() -> None:
    empty = table(blob(0, 0, 0.0)).chosen(np.zeros(9, bool))
    assert len(join_pixels(empty, FRAMES)) == 0
    lone = join_pixels(table(blob(5, 5, 0.0, 1), blob(50, 5, 0.0, 1)), FRAMES)
    assert isinstance(lone, Spots)
    assert len(lone) == 0
    assert lone.member.tolist() == [-1, -1]
    assert len(join_pixels(table(blob(5, 5, 0.0, 1)), FRAMES, least_pixels=1)) == 1


def test_columns_of_different_lengths_and_no_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        replace(table(blob(0, 0, 0.0)), background=np.zeros(3))
    with pytest.raises(ValueError, match="0 frames"):
        join_pixels(table(blob(0, 0, 0.0)), 0)
