"""Readings become counts: gain, offset, dark image, flat field, saturation, masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Detector, Region
from lauedepth.io import Readings, open_point

DETECTOR = Detector((40, 30), (1.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0))
REGION = Region((10, 12), (8, 4))
PHOTONS = np.random.default_rng(1).poisson(60, (20, 10, 12))
RNG = np.random.default_rng(2)
DARK = RNG.uniform(0, 20, (10, 12)).astype(np.float32)
FLAT = RNG.uniform(0.8, 1.2, (10, 12)).astype(np.float32)


def counts(path: Path, readings: npt.NDArray[Any], settings: Readings) -> npt.NDArray[Any]:
    with h5py.File(path, "w") as file:
        file["entry1/data/data"] = readings
    with open_point(path, detector=DETECTOR, region=REGION, readings=settings) as point:
        band = point.read_rows(2, 7)
        assert band.dtype == point.dtype
        return band


@pytest.mark.parametrize("dtype", ["u2", "i4", "f4"])
def test_photons_come_back(tmp_path: Path, dtype: str) -> None:
    readings = PHOTONS * 5.0 * FLAT + DARK + 100
    settings = Readings(counts_per_photon=5.0, offset=100.0, dark=DARK, flat=FLAT)
    found = counts(tmp_path / "p.h5", readings.round().astype(dtype), settings)
    np.testing.assert_allclose(found, PHOTONS[:, 2:7], atol=0.5 / 5 / 0.8 + 1e-3)


def test_images_of_the_whole_detector_are_cut(tmp_path: Path) -> None:
    place = np.s_[4:14, 8:20]
    dark, flat = np.full((30, 40), 1e4, np.float32), np.full((30, 40), 7, np.float32)
    dark[place], flat[place] = DARK, FLAT
    readings = PHOTONS * FLAT + DARK
    found = counts(tmp_path / "p.h5", readings.astype("f4"), Readings(dark=dark, flat=flat))
    np.testing.assert_allclose(found, PHOTONS[:, 2:7], rtol=1e-4, atol=1e-3)
    with pytest.raises(InputError, match=r"detector\.dark: is an image of \(5, 5\)"):
        counts(tmp_path / "q.h5", readings, Readings(dark=np.zeros((5, 5), np.float32)))


def test_noise_below_the_offset_is_no_light_but_measured(tmp_path: Path) -> None:
    readings = np.full((3, 10, 12), 98, np.uint16)
    assert (counts(tmp_path / "p.h5", readings, Readings(offset=100.0)) == 0).all()


@pytest.mark.parametrize(
    ("dtype", "full"),
    [("u1", 255), ("u2", 65535), ("i2", 32767), ("u4", 2**32 - 1), ("i4", 2**31 - 1)],
)
@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_a_full_counter_is_no_measurement(
    tmp_path: Path, dtype: str, full: int, offset: float
) -> None:
    readings = PHOTONS.astype(dtype)
    readings[5, 3, 4] = full
    found = counts(tmp_path / "p.h5", readings, Readings(offset=offset))
    nothing = np.isnan(found) if found.dtype == np.float32 else found == 65535
    assert np.argwhere(nothing).tolist() == [[5, 1, 4]]


@pytest.mark.parametrize("dtype", ["u2", "i4", "f8"])
def test_saturation_as_the_experiment_says(tmp_path: Path, dtype: str) -> None:
    found = counts(tmp_path / "p.h5", PHOTONS.astype(dtype), Readings(saturation=75.0))
    nothing = np.isnan(found) if found.dtype == np.float32 else found == 65535
    np.testing.assert_array_equal(nothing, PHOTONS[:, 2:7] >= 75)
    np.testing.assert_array_equal(found[~nothing], PHOTONS[:, 2:7][~nothing])


@pytest.mark.parametrize("dtype", ["i2", "i4", "f4"])
def test_readings_below_zero_are_no_measurement(tmp_path: Path, dtype: str) -> None:
    readings = PHOTONS.astype(dtype)
    readings[4, 2] = -2
    found = counts(tmp_path / "p.h5", readings, Readings())
    assert np.argwhere(~(found >= 0))[:, :2].tolist() == [[4, 0]] * 12


def test_a_mask_is_cut_and_binned(tmp_path: Path) -> None:
    bad = np.zeros((30, 40), bool)
    bad[7, 11] = True
    with h5py.File(tmp_path / "p.h5", "w") as file:
        file["entry1/data/data"] = PHOTONS.astype(np.uint16)
    for region, place in ((REGION, [3, 3]), (Region((10, 12), (8, 4), (2, 2)), [1, 1])):
        with open_point(
            tmp_path / "p.h5", detector=DETECTOR, region=region, readings=Readings(bad=bad)
        ) as point:
            assert point.bad is not None
            assert np.argwhere(point.bad).tolist() == [place]
            assert point.dtype == np.uint16
