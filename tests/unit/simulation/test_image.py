"""Measured frames as light: placing, segmenting, giving depths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Detector, Experiment, Region
from lauedepth.simulation.image import place_image, segment_image, sources_from_image
from lauedepth.simulation.scan import SimulatedPoint
from lauedepth.simulation.sources import spot_pixels

DETECTOR = Detector((200, 160), (40.0, 32.0), (0.0, 0.0, 0.0), (0.0, 0.0, 100.0))
SPOTS = [(30.0, 40.5, 8000.0), (30.0, 100.0, 6000.0), (88.2, 70.0, 40000.0)]


@pytest.fixture(scope="module")
def frame() -> npt.NDArray[np.uint16]:
    """Spots on a background that rises across the frame, with its noise."""
    region = Region((120, 140))
    clean = np.linspace(50.0, 150.0, 140)[None, :].repeat(120, axis=0)
    for row, column, counts in SPOTS:
        rows, columns, share = spot_pixels(row, column, 2.0, region)
        np.add.at(clean, (rows, columns), counts * share)
    return np.random.default_rng(0).poisson(clean).astype(np.uint16)


def test_spots_are_found_with_their_light(frame: npt.NDArray[np.uint16]) -> None:
    spots = segment_image(frame, Region(frame.shape), threshold_sigma=5.0)
    assert spots.n_spots == 3
    for row, column, counts in SPOTS:
        mine = spots.label == spots.label[round(row), round(column)]
        rows, columns, share = spot_pixels(row, column, 2.0, spots.region)
        true = np.zeros(frame.shape)
        true[rows, columns] = counts * share
        assert spots.label[round(row), round(column)] > 0
        assert spots.light[mine].sum() == pytest.approx(true[mine].sum(), rel=0.05)
        assert spots.light[mine].sum() > 0.6 * counts
    assert np.all(spots.light[spots.label == 0] == 0)
    np.testing.assert_allclose(spots.background[60, [20, 120]], [64.0, 136.0], rtol=0.1)


def test_noise_alone_makes_no_spots() -> None:
    noise = np.random.default_rng(1).poisson(300.0, (256, 256))
    assert segment_image(noise, Region((256, 256))).n_spots == 0


def test_each_spot_gets_one_interval(frame: npt.NDArray[np.uint16]) -> None:
    spots = segment_image(frame, Region(frame.shape))
    drawn = sources_from_image(spots, depths_um=(0.0, 80.0), widths_um=(1.0, 5.0), seed=2)
    again = sources_from_image(spots, depths_um=(0.0, 80.0), widths_um=(1.0, 5.0), seed=2)
    np.testing.assert_array_equal(drawn.begin_um, again.begin_um)
    for number in range(1, spots.n_spots + 1):
        mine = drawn.grain == number
        assert np.unique(drawn.begin_um[mine]).size == 1
        width = (drawn.end_um - drawn.begin_um)[mine]
        assert np.all((width >= 1.0) & (width <= 5.0))
    assert np.all((drawn.begin_um >= 0) & (drawn.end_um <= 80))
    np.testing.assert_allclose(drawn.intensity, spots.light[drawn.row, drawn.column])
    given = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    asked = sources_from_image(spots, depths_um=(0.0, 80.0), intervals_um=given)
    np.testing.assert_array_equal(asked.begin_um, given[asked.grain - 1, 0])
    with pytest.raises(InputError, match="2 depth intervals for 3 spots"):
        sources_from_image(spots, depths_um=(0.0, 80.0), intervals_um=given[:2])


def test_a_frame_lies_where_it_is_put() -> None:
    image = np.arange(60 * 80).reshape(60, 80)
    cut, region = place_image(image, DETECTOR)
    assert region == Region((60, 80), (60, 50))
    np.testing.assert_array_equal(cut, image)
    cut, region = place_image(image, DETECTOR, (-10, 130))
    assert region == Region((30, 70), (0, 130))
    np.testing.assert_array_equal(cut, image[:30, 10:])
    large = np.arange(164 * 210).reshape(164, 210)
    cut, region = place_image(large, DETECTOR)
    assert region == Region((160, 200), (0, 0))
    np.testing.assert_array_equal(cut, large[2:162, 5:205])


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(InputError, match="outside the detector of 200 x 160"):
        place_image(np.zeros((10, 10)), DETECTOR, (500, 0))
    with pytest.raises(InputError, match="is not a frame"):
        place_image(np.zeros((2, 10, 10)), DETECTOR)


def test_a_real_frame_becomes_a_point(shared: Path, twin: Experiment) -> None:
    raw = np.fromfile(shared / "data/34ide-frame-2007.SPE", "<u2", offset=4100)
    cut, region = place_image(raw.reshape(1042, 1042), twin.detector)
    spots = segment_image(cut, region)
    assert region == Region((1042, 1042), (503, 503))
    assert 200 < spots.n_spots < 600
    sources = sources_from_image(spots, depths_um=(0.0, 120.0), seed=1)
    point = SimulatedPoint(twin, sources, region, spots.background)
    whole = np.where(spots.label > 0, spots.light, 0.0) + spots.background
    frame = next(point.frames(10, 11))
    open_part = (frame - spots.background)[spots.light > 500].sum() / spots.light[
        spots.light > 500
    ].sum()
    assert 0.2 < open_part < 0.9
    assert np.all(next(point.expected(10, 11)) <= whole + 1e-6)
