"""What a point tells of itself: plateaus, wrapped counts, hot pixels, frames, the stage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Detector, Frames, Region
from lauedepth.io import FrameList, open_point, validate_file, write_series
from lauedepth.io.odd_pixels import odd_pixels

Scan = Callable[..., npt.NDArray[Any]]
STACK = np.random.default_rng(1).poisson(30, (20, 24, 32)).astype(np.uint16)


def write(path: Path, images: npt.NDArray[Any], **metadata: Any) -> Path:
    with h5py.File(path, "w") as file:
        file["entry1/data/data"] = images
        for name, value in metadata.items():
            file[f"entry1/{name.replace('__', '/')}"] = value
    return path


def codes(path: Path, **more: Any) -> list[str]:
    with open_point(path, **more) as point:
        point.mean_image()
        assert point.usable.any()
        return [notice.code for notice in point.notices]


def test_plain_points_have_nothing_to_tell(tmp_path: Path, scan: Scan) -> None:
    assert codes(write(tmp_path / "p.h5", STACK)) == []
    assert codes(write(tmp_path / "q.h5", scan(40, 20.0))) == []


@pytest.mark.parametrize(("full", "factor"), [(400, 2), (4095, 20), (16383, 60)])
def test_a_plateau_is_noticed(tmp_path: Path, scan: Scan, full: int, factor: int) -> None:
    bright = scan(40, 20.0).astype(np.uint32) * factor
    assert bright.max() < 60000
    assert codes(write(tmp_path / "p.h5", bright.clip(0, 60000).astype(np.uint16))) == []
    path = write(tmp_path / "q.h5", bright.clip(0, full).astype(np.uint16))
    with open_point(path) as point:
        point.mean_image()
        (notice,) = point.notices
    assert notice.code == "readings-clipped"
    assert f"detector.saturation_counts to {full}" in notice.remedy


def test_wrapped_counts_are_no_measurement(tmp_path: Path, scan: Scan) -> None:
    images = scan(40, 20.0)
    with np.errstate(over="ignore"):
        wrapped = images - np.uint16(25)
    with open_point(write(tmp_path / "p.h5", wrapped)) as point:
        mean = point.mean_image()
        found = [notice.code for notice in point.notices]
        assert found == ["counts-wrapped", "pixels-partly-measured"]
        assert point.usable.all()
    true = images.astype(np.int64) - 25
    expected = np.where(true >= 0, true, np.nan)
    np.testing.assert_allclose(mean, np.nanmean(expected, axis=0), rtol=1e-12)


def test_hot_and_dead_pixels_are_named() -> None:
    mean = np.full((20, 30), 50.0)
    mean[4:8, 5:9] = 400.0  # a spot
    mean[12, 20] = 5000.0
    mean[6, 6] = 0.0
    mean[15, 15] = np.nan
    told = {notice.code: notice.what for notice in odd_pixels(mean, 20.0, "p.h5")}
    assert told.keys() == {"pixels-hot", "pixels-dead"}
    assert "1 pixels" in told["pixels-hot"]
    assert "12,20" in told["pixels-hot"]
    assert "1 pixels" in told["pixels-dead"]
    assert "6,6" in told["pixels-dead"]
    assert list(odd_pixels(np.zeros((20, 30)), 20.0, "p.h5")) == []


@pytest.mark.parametrize(
    ("value", "stage"),
    [
        (np.full(20, 10.0), 10.0),
        (np.linspace(9, 11, 20), 10.0),
        ("10.0", 10.0),
        (np.array([np.nan, 10.0]), 10.0),
        ("ten", np.nan),
        (np.nan, np.nan),
    ],
)
def test_the_stage_in_any_form(tmp_path: Path, value: object, stage: float) -> None:
    path = write(tmp_path / "p.h5", STACK, sample__sampleX=value, detector__ID=np.int32(7))
    with open_point(path) as point:
        np.testing.assert_allclose(point.sample_xyz[0], stage)
    assert validate_file(path) == []


def test_a_raw_point_with_an_empty_depth_is_a_point(tmp_path: Path) -> None:
    path = write(tmp_path / "p.h5", STACK, depth=np.nan)
    with open_point(path) as point:
        assert point.shape == STACK.shape
    assert validate_file(path) == []
    folder = tmp_path / "s"
    folder.mkdir()
    for index, frame in enumerate(STACK):
        write(folder / f"s_{index}.h5", frame, depth=np.array([np.nan]))
    with open_point(folder) as point:
        np.testing.assert_array_equal(point.read_rows(0, 24), STACK)


def test_what_this_program_made_is_no_point(tmp_path: Path) -> None:
    result = write(tmp_path / "r.h5", STACK, reconstruction__program=np.bytes_("lauedepth"))
    with pytest.raises(InputError, match="is a result, not a point"):
        open_point(result)
    write(tmp_path / "d_1.h5", STACK[0], depth=np.array([12.0]))
    with pytest.raises(InputError, match="image of one depth"):
        open_point(tmp_path / "d")


def test_a_bookkeeping_image_is_left_out(tmp_path: Path) -> None:
    images = np.concatenate([np.full((1, 24, 32), 9999, np.uint16), STACK])
    path = write(tmp_path / "p.h5", images)
    with open_point(path, frames=Frames(0, 20), scan=FrameList(leading=1)) as point:
        np.testing.assert_array_equal(point.read_rows(0, 24), STACK)
        np.testing.assert_allclose(point.mean_image(), STACK.mean(axis=0), rtol=1e-14)


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize(
    "lost", [((17, 20),), ((0, 3),), ((4, 5), (9, 11)), ((0, 1), (1, 2), (19, 20))], ids=str
)
def test_frames_that_were_never_stored(
    tmp_path: Path, lost: tuple[tuple[int, int], ...], stride: int
) -> None:
    numbers = np.concatenate([np.arange(*span) for span in lost])
    kept = np.setdiff1d(np.arange(20), numbers)
    path = write(tmp_path / "p.h5", STACK[kept])
    frames = Frames(0, 20, stride)
    with pytest.raises(InputError) as caught:
        open_point(path, frames=frames)
    assert "where were 3 lost? state them: data.lost_frames: [[17, 20]]" in str(caught.value)
    with open_point(path, frames=frames, scan=FrameList(lost=lost)) as point:
        used = frames.indices
        assert point.usable.tolist() == (~np.isin(used, numbers)).tolist()
        band = point.read_rows(3, 20)
        np.testing.assert_array_equal(band[point.usable], STACK[used][point.usable, 3:20])
        left = np.intersect1d(used, kept)
        np.testing.assert_allclose(point.mean_image(), STACK[left].mean(axis=0), rtol=1e-14)


def test_more_frames_lost_than_there_are(tmp_path: Path) -> None:
    path = write(tmp_path / "p.h5", STACK)
    with pytest.raises(InputError, match=r"names frame 30; 20 stored and 1 lost ones make"):
        open_point(path, scan=FrameList(lost=((30, 31),)))
    with pytest.raises(InputError, match=r"has 20 images, data\.leading_images is 20"):
        open_point(path, scan=FrameList(leading=20))


def test_frames_that_the_experiment_ignores(tmp_path: Path) -> None:
    path = write(tmp_path / "p.h5", STACK)
    with open_point(path, scan=FrameList(ignored=((4, 6),))) as point:
        assert np.flatnonzero(~point.usable).tolist() == [4, 5]
        kept = np.setdiff1d(np.arange(20), [4, 5])
        np.testing.assert_allclose(point.mean_image(), STACK[kept].mean(axis=0), rtol=1e-14)
        assert "4...5 left out by data.ignored_frames" in point.notices[0].what


@pytest.mark.parametrize("name", ["startx", "endx", "groupy"])
def test_a_series_whose_files_disagree_is_refused(tmp_path: Path, name: str) -> None:
    detector = Detector((64, 64), (1.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    folder = tmp_path / "s"
    region = Region((24, 32), (8, 4))
    write_series(
        folder, "s", iter(STACK), 20, region=region, detector=detector, sample_xyz=(0.0, 0.0, 0.0)
    )
    with h5py.File(folder / "s_9.h5", "a") as file:
        file[f"entry1/detector/{name}"][()] += 1
    with (
        open_point(folder, detector=detector) as point,
        pytest.raises(InputError, match=rf"s_9\.h5: has another {name} than s_1\.h5"),
    ):
        point.mean_image()
    assert any("s_9.h5" in reason for reason in validate_file(folder))
