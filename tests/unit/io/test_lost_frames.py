"""Frames that hold no measurement are found among those that do, and named; no others are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.core.instrument.experiment import Frames
from lauedepth.io import open_point

FRAMES = 261
Images = npt.NDArray[Any]
Scan = Callable[..., Images]


def write(path: Path, images: Images, **options: Any) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("entry1/data/data", data=images, **options)
    return path


CASES = {
    "none": [],
    "one": [100],
    "first": [0],
    "three": [100, 101, 102],
    "last 13": list(range(248, 261)),
    "30 in the middle": list(range(100, 130)),
    "scattered": list(range(3, 261, 17)),
    "aborted half way": list(range(135, 261)),
    "beam back at the end": list(range(250)),
}


@pytest.mark.parametrize("lost", [pytest.param(value, id=key) for key, value in CASES.items()])
@pytest.mark.parametrize("fill", [0, 1e-3, 3e-2, "constant", "full"], ids=str)
@pytest.mark.parametrize("image", ["spots", "no background", "one spot"])
def test_lost_frames_are_found_and_no_others(
    tmp_path: Path, scan: Scan, lost: list[int], fill: Any, image: str
) -> None:
    spots, background = {"spots": (40, 5.0), "no background": (40, 0.0), "one spot": (1, 2.0)}[
        image
    ]
    images = scan(spots, background)
    rng = np.random.default_rng(7)
    if fill == "full":
        images[lost] = 65535
    elif fill == "constant":
        images[lost] = 42
    else:
        images[lost] = rng.poisson(fill * images[lost])
    if lost == CASES["beam back at the end"] and fill not in ("full",):
        pytest.skip("which of the two is the measurement, only its owner knows")
    with open_point(write(tmp_path / "p.h5", images, chunks=(1, 64, 96))) as point:
        assert np.flatnonzero(~point.usable).tolist() == lost
        kept = np.setdiff1d(np.arange(FRAMES), lost)
        np.testing.assert_allclose(point.mean_image(), images[kept].mean(axis=0), rtol=1e-12)
        assert [notice.code for notice in point.notices if notice.code == "frames-lost"] == (
            ["frames-lost"] if lost else []
        )


@pytest.mark.parametrize("smear_um", [1.0, 4.0, 8.0])
@pytest.mark.parametrize("rows", [12, 40])
def test_bars_take_no_frames(tmp_path: Path, scan: Scan, smear_um: float, rows: int) -> None:
    """A small region without any background, all of it dark behind bars at times."""
    images = scan(6, 0.0, rows=rows, columns=12, smear_um=smear_um)
    assert (images.sum(axis=(1, 2)) == 0).sum() > 5
    with open_point(write(tmp_path / "p.h5", images)) as point:
        assert point.usable.all()


def test_a_dark_scan_loses_no_frames(tmp_path: Path) -> None:
    for name, mean in (("zero", 0.0), ("dim", 1e-3)):
        images = np.random.default_rng(1).poisson(mean, (60, 64, 96)).astype(np.uint16)
        with open_point(write(tmp_path / f"{name}.h5", images)) as point:
            assert point.usable.all()
            assert point.notices == ()


def test_a_beam_that_falls_takes_no_frames(tmp_path: Path) -> None:
    mean = np.full((FRAMES, 64, 96), 20.0) * np.linspace(1.0, 0.3, FRAMES)[:, None, None]
    images = np.random.default_rng(1).poisson(mean).astype(np.uint16)
    images[50:55] = np.random.default_rng(2).poisson(10.0, (5, 64, 96))
    with open_point(write(tmp_path / "p.h5", images)) as point:
        assert point.usable.all()


def test_what_is_known_of_frames_comes_by_any_way(tmp_path: Path, scan: Scan) -> None:
    images = scan(40, 5.0)
    images[[3, 100, 101]] = 0
    path = write(tmp_path / "p.h5", images, chunks=(7, 32, 96), compression=1)
    kept = np.setdiff1d(np.arange(FRAMES), [3, 100, 101])
    with open_point(path) as point:
        total = point.total_image()
        mean = point.without_lost(total).mean()
        np.testing.assert_array_equal(mean, images[kept].mean(axis=0))
    with open_point(path) as one, open_point(path) as two:
        parts = Frames(0, 130), Frames(130, FRAMES)
        sums = [one.total_image(parts[0]), two.total_image(parts[1])]
        levels = [one.levels_of(parts[0]), two.levels_of(parts[1])]
        one.learn_levels(parts[1], levels[1])
        two.learn_levels(parts[0], levels[0])
        halves = [
            point.without_lost(half, part, among=point.frames)
            for point, half, part in zip((one, two), sums, parts, strict=True)
        ]
        np.testing.assert_array_equal(
            (halves[0].total + halves[1].total) / (halves[0].frames + halves[1].frames), mean
        )


def test_frames_lost_from_float_and_from_series(tmp_path: Path, scan: Scan) -> None:
    images = scan(40, 5.0)[:60].astype(np.float32)
    images[20] = np.nan
    images[30] = 0
    with open_point(write(tmp_path / "p.h5", images)) as point:
        assert np.flatnonzero(~point.usable).tolist() == [20, 30]
        (notice,) = point.notices
        assert "30 empty" in notice.what
        assert "20 without measurements" in notice.what
        kept = np.setdiff1d(np.arange(60), [20, 30])
        np.testing.assert_allclose(point.mean_image(), images[kept].mean(axis=0), rtol=1e-6)
    folder = tmp_path / "s"
    folder.mkdir()
    for index, image in enumerate(scan(40, 5.0)[:40]):
        write(folder / f"s_{index}.h5", image * (index not in (7, 39)))
    with open_point(folder) as point:
        assert np.flatnonzero(~point.usable).tolist() == [7, 39]


def test_frames_that_repeat_the_one_before_are_lost(tmp_path: Path, scan: Scan) -> None:
    images = scan(40, 5.0)
    images[101:160] = images[100]
    images[20] = images[19]
    with open_point(write(tmp_path / "p.h5", images, chunks=(1, 64, 96))) as point:
        assert np.flatnonzero(~point.usable).tolist() == [20, *range(101, 160)]
        assert "the frame before once more" in point.notices[0].what


def test_images_without_noise_repeat_nothing(tmp_path: Path) -> None:
    images = np.full((FRAMES, 64, 96), 40, np.uint16) + np.arange(96, dtype=np.uint16)
    images[::3, 5, 5] += 7
    with open_point(write(tmp_path / "p.h5", images)) as point:
        assert point.usable.all()
