"""Which pixels are decoded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.config import ExperimentConfig
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Region
from lauedepth.io import Point, open_point
from lauedepth.tasks.reconstruct.selection import read_mask, select_pixels, with_threshold

if TYPE_CHECKING:
    from .conftest import SmallPoint


def opened(small: SmallPoint, path: Path | None = None) -> Point:
    return open_point(path or small.path, small.config.data.key, small.config.to_core().frames)


def test_pixels_are_chosen_by_their_mean_over_the_frames(small_point: SmallPoint) -> None:
    with opened(small_point) as point, h5py.File(small_point.path, locking=False) as file:
        mean = file["entry1/data/data"][:261].mean(axis=0)
        for threshold in (0.0, 5.0, 30.0, 1e6):
            config = with_threshold(small_point.config, threshold)
            np.testing.assert_array_equal(select_pixels(point, config), mean >= threshold)


def test_the_window_of_the_experiment_holds_with_a_mask_too(small_point: SmallPoint) -> None:
    data = small_point.config.model_dump()
    data["selection"] = {"rows_px": (910, 920), "columns_px": (1000, 1003)}
    config = ExperimentConfig.model_validate(data)
    expected = np.zeros((200, 48), np.bool_)
    expected[10:20, :3] = True
    with opened(small_point) as point:
        everything = np.ones((2048, 2048), np.bool_)
        np.testing.assert_array_equal(select_pixels(point, config, everything), expected)


def test_what_is_no_measurement_does_not_choose_a_pixel(
    small_point: SmallPoint, tmp_path: Path
) -> None:
    path = tmp_path / "nan.h5"
    with h5py.File(small_point.path) as source, h5py.File(path, "w") as file:
        counts = source["entry1/data/data"][:].astype(np.float32)
        counts[:, 3, 4] = np.nan
        counts[:, 6, 7] = np.where(np.arange(len(counts)) < 5, np.nan, 2e4)
        file["entry1/data/data"] = counts
        source.copy("entry1/detector", file["entry1"])
    config = with_threshold(small_point.config, 1e4)
    with opened(small_point, path) as point:
        assert np.argwhere(select_pixels(point, config)).tolist() == [[6, 7]]


def test_a_frame_without_measurements_chooses_nothing(
    small_point: SmallPoint, tmp_path: Path
) -> None:
    path = tmp_path / "full.h5"
    with h5py.File(small_point.path) as source, h5py.File(path, "w") as file:
        counts = source["entry1/data/data"][:]
        counts[6] = 65535
        file["entry1/data/data"] = counts
        source.copy("entry1/detector", file["entry1"])
    with opened(small_point, path) as point, opened(small_point) as plain:
        chosen = select_pixels(point, small_point.config)
        np.testing.assert_array_equal(chosen, select_pixels(plain, small_point.config))
        assert np.flatnonzero(~point.usable).tolist() == [6]


@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_a_mask_is_cut_and_binned_as_the_image_is(
    seed: int, start: tuple[int, int], binning: tuple[int, int]
) -> None:
    from lauedepth.tasks.reconstruct.selection import _image_mask

    mask = np.random.default_rng(seed).random((20, 24)) < 0.8
    region = Region((4, 5), start, binning)
    seen = _image_mask(mask, region)
    for row in range(4):
        for column in range(5):
            top, left = start[1] + row * binning[1], start[0] + column * binning[0]
            part = mask[top : top + binning[1], left : left + binning[0]]
            assert seen[row, column] == part.all()


@pytest.mark.parametrize(
    "content",
    [np.ones((4, 5)), np.ones((5, 4), np.bool_), np.array([{}], dtype=object), None],
)
def test_what_is_no_mask_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "mask.npy"
    if content is not None:
        np.save(path, np.asarray(content))
    with pytest.raises(InputError, match=r"mask\.npy: mask"):
        read_mask(path, (5, 4))
