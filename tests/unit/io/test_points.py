"""Points in both forms: what is written is read, band by band, and damage is refused."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lauedepth.core.errors import InputError, OutputError
from lauedepth.core.instrument.experiment import Detector, Frames, Region
from lauedepth.io import open_point, validate_file, write_point, write_series

DETECTOR = Detector((64, 48), (12.8, 9.6), (0.1, 0.2, 0.3), (1.0, 2.0, 3.0), "PE 1")
REGION = Region((10, 12), (8, 4), (2, 3))
SAMPLE = (7411.5, -492.25, -917.0)
STACK = np.random.default_rng(1).integers(0, 65536, (9, 10, 12), dtype=np.uint16)
METADATA = {
    "@file_time": "2023-04-06T03:07:11-0500",
    "entry1/scanNum": 276990,
    "entry1/user/name": "Ångström",
    "entry1/wire/wireX": 1.25,
    "entry1/wire/wireX@units": "micron",
}
SLOW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def stack_file(path: Path, data: npt.NDArray[np.generic] = STACK, **options: object) -> Path:
    """Write a bare stack of any type."""
    with h5py.File(path, "w") as file:
        file.create_dataset("entry1/data/data", data=data, **options)
    return path


def full_point(path: Path, frames: Iterator[npt.NDArray[np.uint16] | None] | None = None) -> Path:
    write_point(
        path,
        iter(STACK) if frames is None else frames,
        len(STACK),
        region=REGION,
        detector=DETECTOR,
        sample_xyz=SAMPLE,
        metadata=METADATA,
        compression=1,
    )
    return path


def full_series(folder: Path, lost: tuple[int, ...] = (), first_number: int = 1) -> Path:
    write_series(
        folder,
        "Si",
        (None if index in lost else frame for index, frame in enumerate(STACK)),
        len(STACK),
        region=REGION,
        detector=DETECTOR,
        sample_xyz=SAMPLE,
        metadata=METADATA,
        first_number=first_number,
    )
    return folder


def refusal(path: Path, frames: Frames | None = None, detector: Detector | None = None) -> str:
    with pytest.raises(InputError) as caught:
        open_point(path, frames=frames, detector=detector).close()
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


@pytest.mark.parametrize("form", ["stack", "series"])
def test_point_comes_back_with_all_that_was_given(tmp_path: Path, form: str) -> None:
    path = full_point(tmp_path / "p.h5") if form == "stack" else full_series(tmp_path / "p")
    with open_point(path, detector=DETECTOR) as point:
        assert point.shape == STACK.shape
        assert point.region == REGION
        assert point.sample_xyz == SAMPLE
        assert point.usable.all()
        assert point.dtype == np.uint16
        np.testing.assert_array_equal(point.read_rows(0, 10), STACK)
        np.testing.assert_array_equal(point.read_rows(3, 7, Frames(1, 8, 3)), STACK[1:8:3, 3:7])
        np.testing.assert_allclose(point.mean_image(), STACK.mean(axis=0), rtol=1e-14)
        assert point.metadata["@file_time"].item() == METADATA["@file_time"].encode()  # type: ignore[attr-defined]
        assert point.metadata["entry1/user/name"].item().decode() == "Ångström"
        assert point.metadata["entry1/wire/wireX"] == 1.25
        assert point.metadata["entry1/wire/wireX@units"].item() == b"micron"
    assert validate_file(path) == []


def test_metadata_is_what_c_readers_can_read(tmp_path: Path) -> None:
    with h5py.File(full_point(tmp_path / "p.h5")) as file:
        for name in ("Nx", "startx", "endx", "binx", "groupx"):
            assert file[f"entry1/detector/{name}"].dtype == np.int32
        assert file["entry1/detector/endx"][()] == 8 + 12 * 2 - 1
        assert file["entry1/detector/endy"][()] == 4 + 10 * 3 - 1
        assert file["entry1/scanNum"].dtype == np.int32
        assert file["entry1/user/name"].dtype.kind == "S"
        assert file.attrs.get_id("file_time").dtype.kind == "S"
        assert file["entry1"].attrs.get_id("NX_class").dtype.kind == "S"
        assert file["entry1/sample/sampleX"].attrs["units"] == b"micron"


@SLOW
@given(
    bands=st.lists(st.integers(0, 10), min_size=2, max_size=6, unique=True).map(sorted),
    frames=st.builds(Frames, st.integers(0, 4), st.integers(5, 9), st.integers(1, 4)),
    chunk=st.sampled_from([None, (1, 10, 12), (2, 3, 5), (9, 1, 12)]),
)
def test_any_band_of_any_frames_is_the_slice(
    tmp_path: Path,
    bands: list[int],
    frames: Frames,
    chunk: tuple[int, int, int] | None,
) -> None:
    used = STACK[frames.first : frames.stop : frames.stride]
    path = stack_file(tmp_path / "p.h5", chunks=chunk)
    with open_point(path, frames=frames) as point:
        for low, high in pairwise(bands):
            np.testing.assert_array_equal(point.read_rows(low, high), used[:, low:high])
        np.testing.assert_allclose(point.mean_image(), used.mean(axis=0), rtol=1e-14)


@pytest.mark.parametrize("form", ["stack", "series"])
def test_no_more_is_read_than_the_rows_that_are_wanted(tmp_path: Path, form: str) -> None:
    frames = np.random.default_rng(2).integers(0, 65536, (4, 512, 512), dtype=np.uint16)
    detector = Detector((512, 512), (100.0, 100.0), (0.1, 0.2, 0.3), (1.0, 2.0, 3.0), "PE 1")
    more: dict[str, Any] = {
        "region": Region((512, 512), (0, 0)),
        "detector": detector,
        "sample_xyz": SAMPLE,
    }
    path = tmp_path / ("p.h5" if form == "stack" else "p")
    if form == "stack":
        write_point(path, iter(frames), 4, **more)
    else:
        write_series(path, "p", iter(frames), 4, **more)
    process = psutil.Process()
    with open_point(path) as point:
        point.read_rows(0, 1)
        before = process.io_counters().read_chars
        band = point.read_rows(100, 108)
        read = process.io_counters().read_chars - before
    np.testing.assert_array_equal(band, frames[:, 100:108])
    assert band.nbytes <= read < 3 * band.nbytes + 4 * 2**14  # a file of a series has a head


@SLOW
@given(
    memory=st.integers(1, 40_000),
    multiple=st.integers(1, 12),
    chunk=st.sampled_from([None, (1, 10, 12), (1, 4, 12)]),
)
def test_bands_cover_each_row_once_and_fit(
    tmp_path: Path, memory: int, multiple: int, chunk: tuple[int, int, int] | None
) -> None:
    with open_point(stack_file(tmp_path / "p.h5", chunks=chunk)) as point:
        bands = point.bands(memory, multiple)
    assert [low for low, _ in bands] == [0, *(high for _, high in bands[:-1])]
    assert bands[-1][1] == 10
    row_bytes = STACK.shape[0] * STACK.shape[2] * 2
    for low, high in bands:
        assert low % multiple == 0
        assert high - low <= max(multiple, memory // row_bytes)


def test_bands_are_no_more_than_memory_needs(tmp_path: Path) -> None:
    with open_point(stack_file(tmp_path / "p.h5", chunks=(1, 10, 12))) as point:
        row_bytes = STACK.shape[0] * STACK.shape[2] * 2
        assert point.bands(10 * row_bytes) == [(0, 10)]
        assert point.bands(6 * row_bytes) == [(0, 5), (5, 10)]


@pytest.mark.parametrize(
    ("dtype", "read"),
    [
        ("u1", "u2"),
        ("u2", "u2"),
        (">u2", "u2"),
        ("i4", "f4"),
        ("u4", "f4"),
        ("f4", "f4"),
        ("f8", "f4"),
        ("i1", "f4"),
        ("i2", "f4"),
        (">i2", "f4"),
        ("i8", "f4"),
        ("u8", "f4"),
        ("f2", "f4"),
    ],
)
def test_number_types(tmp_path: Path, dtype: str, read: str) -> None:
    data = (STACK % 100).astype(dtype)
    with open_point(stack_file(tmp_path / "p.h5", data)) as point:
        rows = point.read_rows(2, 5)
        assert rows.dtype == np.dtype(read)
        np.testing.assert_array_equal(rows, data[:, 2:5])


@pytest.mark.parametrize("dtype", ["f4", "u2"])
def test_the_mean_is_over_what_was_measured(tmp_path: Path, dtype: str) -> None:
    data = np.minimum(STACK, 60000).astype(dtype)
    nothing = np.nan if dtype == "f4" else 65535
    data[4, 3, 2] = nothing
    data[:, 5, 6] = nothing
    with open_point(stack_file(tmp_path / "p.h5", data)) as point:
        np.testing.assert_array_equal(point.read_rows(3, 4)[4, 0, 2], nothing)
        mean = point.mean_image()
    expected = np.nanmean(np.where(data < 65535, data, np.nan)[:, 3, 2])
    assert mean[3, 2] == pytest.approx(expected, rel=1e-12)
    assert np.argwhere(np.isnan(mean)).tolist() == [[5, 6]]


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with open_point(stack_file(tmp_path / "p.h5")) as point:
        point.mean_image(progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (9, 9)


def test_frames_never_written_to_a_stack_are_lost(tmp_path: Path) -> None:
    frames = (None if index in (0, 3) else frame for index, frame in enumerate(STACK))
    with open_point(full_point(tmp_path / "p.h5", frames)) as point:
        assert np.flatnonzero(~point.usable).tolist() == [0, 3]
        kept = [1, 2, 4, 5, 6, 7, 8]
        np.testing.assert_allclose(point.mean_image(), STACK[kept].mean(axis=0), rtol=1e-14)
        np.testing.assert_array_equal(point.read_rows(0, 10)[kept], STACK[kept])


def test_missing_files_of_a_series_are_lost_frames(tmp_path: Path) -> None:
    folder = full_series(tmp_path / "p", lost=(2, 5))
    with open_point(folder, frames=Frames(1, 9, 2)) as point:
        assert point.usable.tolist() == [True, True, False, True]
        np.testing.assert_array_equal(point.read_rows(0, 10)[[0, 1, 3]], STACK[[1, 3, 7]])
        np.testing.assert_allclose(point.mean_image(), STACK[[1, 3, 7]].mean(axis=0))


def test_series_is_in_order_of_numbers_not_of_names(tmp_path: Path) -> None:
    folder = full_series(tmp_path / "p", first_number=7)
    assert sorted(file.name for file in folder.iterdir())[0] == "Si_10.h5"
    with open_point(folder) as point:
        np.testing.assert_array_equal(point.read_rows(0, 10), STACK)


def test_frames_lost_at_an_end_need_the_first_number(tmp_path: Path) -> None:
    folder = full_series(tmp_path / "p", lost=(0, 8))
    assert "set data.first_number" in refusal(folder, Frames(0, 9))
    with open_point(folder, frames=Frames(0, 9), first_number=1) as point:
        assert np.flatnonzero(~point.usable).tolist() == [0, 8]
        np.testing.assert_array_equal(point.read_rows(0, 10)[1:8], STACK[1:8])


def test_one_of_several_series_in_a_folder(tmp_path: Path) -> None:
    folder = full_series(tmp_path)
    stack_file(tmp_path / "Ge_1.h5", STACK[0])
    stack_file(tmp_path / "Si_0.5um_1.h5", STACK[3])
    assert "several series: Ge, Si" in refusal(folder)
    with open_point(folder / "Si_0.5um") as point:
        np.testing.assert_array_equal(point.read_rows(0, 10)[0], STACK[3])
    with open_point(folder / "Si") as point:
        assert point.shape == STACK.shape


def test_a_frame_of_another_shape_is_named(tmp_path: Path) -> None:
    folder = full_series(tmp_path / "p")
    stack_file(folder / "Si_4.h5", STACK[0, :5])
    with open_point(folder) as point, pytest.raises(InputError, match=r"Si_4\.h5"):
        point.read_rows(0, 10)
    assert any("differ in shape" in reason for reason in validate_file(folder))


def test_region_without_metadata(tmp_path: Path) -> None:
    path = stack_file(tmp_path / "p.h5")
    with open_point(path) as point:
        assert point.region == Region((10, 12))
        assert np.isnan(point.sample_xyz).all()
    whole = Detector((12, 10), (1, 1), (0, 0, 0), (0, 0, 1))
    with open_point(path, detector=whole) as point:
        assert point.region == Region((10, 12))
    # Twice the size could be a binned detector as well as a part of one.
    larger = Detector((24, 20), (1, 1), (0, 0, 0), (0, 0, 1))
    assert "no ROI along x" in refusal(path, detector=larger)
    assert "state data.region" in refusal(path, detector=larger)
    for stated in (Region((10, 12), (3, 4)), Region((10, 12), (0, 0), (2, 2))):
        with open_point(path, detector=larger, region=stated) as point:
            assert point.region == stated
            assert point.metadata["entry1/detector/startx"] == stated.start[0]
    with pytest.raises(InputError, match="outside"):
        open_point(path, detector=larger, region=Region((10, 12), (13, 0)))


def _edit(**values: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        for name, value in values.items():
            del file[f"entry1/detector/{name}"]
            file[f"entry1/detector/{name}"] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_edit(endx=99), "do not give the image's 12 pixels"),
        (_edit(groupx=5, binx=5), "do not give the image's 12 pixels"),
        (_edit(starty=40, endy=69), "outside the detector's 48 pixels"),
        (_edit(startx=-2, endx=21), "outside the detector's 64 pixels"),
    ],
)
def test_roi_that_cannot_be_is_refused(
    tmp_path: Path, change: Callable[[h5py.File], None], said: str
) -> None:
    path = full_point(tmp_path / "p.h5")
    with h5py.File(path, "a") as file:
        change(file)
    assert said in refusal(path, detector=DETECTOR)
    assert any(said in reason for reason in validate_file(path))


def test_roi_as_arrays_of_one_and_one_name_of_binning(tmp_path: Path) -> None:
    path = full_point(tmp_path / "p.h5")
    with h5py.File(path, "a") as file:
        for name in ("startx", "endx", "starty", "endy", "groupy"):
            value = file[f"entry1/detector/{name}"][()]
            _edit(**{name: np.array([value], np.int64)})(file)
        del file["entry1/detector/binx"]
        del file["entry1/detector/biny"]
    with open_point(path, detector=DETECTOR) as point:
        assert point.region == REGION


def test_fewer_frames_than_configured(tmp_path: Path) -> None:
    text = refusal(stack_file(tmp_path / "p.h5"), Frames(0, 20))
    assert "has 9 frames, the experiment needs 20" in text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (STACK[0], "not (frames, rows, columns); give the folder of a series"),
        (STACK[None], "not (frames, rows, columns)"),
        (STACK.astype(np.complex64), "complex64, not counts"),
        (np.full((3, 4, 5), b"x"), "not counts"),
        (STACK.astype(bool), "bool, not counts"),
        (STACK[:0], "is empty"),
    ],
)
def test_wrong_rank_or_type(tmp_path: Path, data: npt.NDArray[np.generic], said: str) -> None:
    assert said in refusal(stack_file(tmp_path / "p.h5", data))


def test_missing_dataset_names_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        file["entry/images"] = STACK
    assert "entry1/data/data: there is no such dataset; set data.key to entry/images" in (
        refusal(path)
    )
    with open_point(path, "/entry/images") as point:
        assert point.shape == STACK.shape


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.95])
def test_truncated_file(tmp_path: Path, keep: float) -> None:
    path = full_point(tmp_path / "p.h5")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    assert re.search("truncated|damaged", refusal(path))
    assert len(validate_file(path)) == 1


def test_damaged_chunk_is_told_when_read(tmp_path: Path) -> None:
    path = full_point(tmp_path / "p.h5")
    with h5py.File(path) as file:
        chunk = file["entry1/data/data"].id.get_chunk_info(4)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = b"\x00" * chunk.size
    path.write_bytes(content)
    said = r"image data are damaged: the chunk at \(4, 0, 0\) cannot be unpacked"
    with open_point(path) as point, pytest.raises(InputError, match=rf"p\.h5.*: {said}"):
        point.read_rows(0, 10)
    (reason,) = validate_file(path)
    assert re.search(said, reason)


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "is empty"), (b"hello" * 1000, "not an HDF5 file")]
)
def test_what_is_no_hdf5(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "p.h5"
    path.write_bytes(content)
    assert said in refusal(path)


def test_file_still_open_for_writing(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w", locking=True) as file:
        file["entry1/data/data"] = STACK
        file.flush()
        assert "still open for writing" in refusal(path)


def test_writer_that_was_killed(tmp_path: Path) -> None:
    path, copy = tmp_path / "p.h5", tmp_path / "copy.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file["entry1/data/data"] = STACK
        file.flush()
        copy.write_bytes(path.read_bytes())
    assert re.search("still open|truncated", refusal(copy))


def test_nothing_there(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.h5")
    assert "no such file" in refusal(tmp_path / "none/none")
    assert "no frames NAME_N.h5" in refusal(tmp_path)


def test_too_few_frames_to_write_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="got 3 frames"):
        full_point(tmp_path / "p.h5", iter(STACK[:3]))
    assert list(tmp_path.iterdir()) == []


def test_mean_image_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "entry1/data/data", (400, 512, 512), np.uint16, chunks=(5, 512, 512), compression=1
        )
        for first in range(0, 400, 5):
            data[first : first + 5] = 7
    with open_point(path) as point:
        tracemalloc.start()
        mean = point.mean_image()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (mean == 7).all()
    assert peak < 80e6 < point.shape[0] * 512 * 512 * 2
