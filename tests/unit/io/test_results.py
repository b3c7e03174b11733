"""Results: the dense images are the sum of the footprints, and silx and h5web can plot them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.io.made_up_results import (
    DEPTHS,
    FLOATS,
    METADATA,
    NOTICES,
    SHAPE,
    WHOLE,
    some_pixels,
    write_some,
)

from lauedepth.core.decoding.pixels import PixelStatus
from lauedepth.core.errors import InputError, OutputError
from lauedepth.core.instrument.experiment import Detector, Region
from lauedepth.io import (
    BAND_ROWS,
    export_depths,
    open_point,
    read_image,
    read_result,
    validate_file,
    write_point,
    write_result,
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cuts=st.sets(st.sampled_from([64, 128])),
    order=st.randoms(use_true_random=False),
    written=st.tuples(st.sampled_from([0.0, 0.001, 0.1]), st.integers(0, 99), st.booleans()),
)
def test_images_are_the_sum_of_footprints_in_any_order_of_bands(
    tmp_path: Path, cuts: set[int], order: object, written: tuple[float, int, bool]
) -> None:
    bands = list(pairwise([0, *sorted(cuts), SHAPE[0]]))
    order.shuffle(bands)  # type: ignore[attr-defined]
    path = tmp_path / "r.h5"
    expected, pixels = write_some(path, bands, *written)
    result = read_result(path)
    np.testing.assert_allclose(result.read(), expected, rtol=1e-6)
    image, profile = result.sums()
    np.testing.assert_allclose(image, expected.sum(axis=0, dtype=float), rtol=1e-5)
    np.testing.assert_allclose(profile, expected.sum(axis=(1, 2), dtype=float), rtol=1e-5)
    part = (slice(3, 70), slice(20, 90))
    image, profile = result.sums(*part)
    np.testing.assert_allclose(image, expected[:, *part].sum(axis=0, dtype=float), rtol=1e-5)
    summed = expected[:, *part].sum(axis=(1, 2), dtype=float)
    np.testing.assert_allclose(profile, summed, rtol=1e-5)
    np.testing.assert_array_equal(
        result.pixels["depth"], np.concatenate([p.depth_um for p in pixels]).astype(np.float32)
    )
    assert validate_file(path) == []


def test_only_chunks_that_hold_something_are_stored(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    decoded = some_pixels(np.random.default_rng(0), 1)
    one = replace(
        decoded,
        **{name: getattr(decoded, name)[:1] for name in (*FLOATS, "trace", "status", "flags")},
        footprint_offset=np.array([0, 2]),
        footprint_start=np.array([7], np.int32),
        footprint=np.array([3.0, 4.0], np.float32),
    )
    zero = replace(one, footprint=np.zeros(2, np.float32))
    with write_result(
        path, depths=DEPTHS, shape=SHAPE, configuration="{}", backend="cpu", metadata={}
    ) as writer:
        writer.add(0, 64, np.array([3]), np.array([100]), one)
        writer.add(64, 128, np.array([70]), np.array([100]), zero)
        writer.finish()
    with h5py.File(path) as file:
        assert file["entry1/data/data"].id.get_num_chunks() == 2
        assert file["entry1/pixels/row"][()].tolist() == [3, 70]
    result = read_result(path)
    assert result.read(rows=slice(3, 4), columns=slice(100, 101)).sum() == 7.0
    assert result.sums()[1][[7, 8]].tolist() == [3.0, 4.0]


def test_a_notebook_shows_it_in_a_few_words(tmp_path: Path) -> None:
    path = tmp_path / "r<b>.h5"
    _, pixels = write_some(path, WHOLE)
    found = sum(int(np.isfinite(one.depth_um).sum()) for one in pixels)
    result = read_result(path)
    assert len(repr(result)) < 300
    assert f"{found} depths found; 1 warning)" in repr(result)
    shown = result._repr_html_()
    assert f"<td>{found} depths found</td>" in shown
    assert "r&lt;b&gt;.h5" in shown
    decoded = sum(status == PixelStatus.DECODED for status in pixels[0].status.tolist())
    assert repr(pixels[0]) == f"DecodedPixels({len(pixels[0])} rows, {decoded} with a depth)"


def test_nothing_in_it_breaks_c_readers(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    write_some(path, WHOLE)

    def look(name: str, item: h5py.Group | h5py.Dataset) -> None:
        for key in item.attrs:
            kind = item.attrs.get_id(key).dtype
            if key in {"DIMENSION_LIST", "REFERENCE_LIST"}:  # HDF5's own, for axes
                continue
            assert kind.kind in "Sif", (name, key, kind)
            assert kind.kind != "i" or kind == np.int32, (name, key)
        if isinstance(item, h5py.Dataset):
            assert item.dtype.kind in "Suif", name
            assert item.shape != () or item.dtype.kind not in "ui" or item.dtype == np.int32

    with h5py.File(path) as file:
        look("/", file)
        file.visititems(look)
        assert file.attrs["file_time"] == b"2023-04-06T03:07:11"


def test_provenance_and_metadata_come_back(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    write_some(path, WHOLE)
    result = read_result(path)
    assert json.loads(result.provenance.configuration) == {"a": 1}
    assert result.provenance.backend == "cpu"
    assert result.provenance.program == "lauedepth"
    assert result.provenance.timings_s == {"read": 1.5}
    assert result.metadata["entry1/scanNum"] == 276990
    assert result.metadata["entry1/user/name"].item() == b"somebody"
    assert result.depth_um.tolist() == DEPTHS.values_um.tolist()


def test_notices_come_back_from_lines_of_json_of_fixed_length(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    write_some(path, WHOLE)
    assert read_result(path).notices == NOTICES
    with h5py.File(path) as file:
        stored = file["entry1/reconstruction/notices"]
        assert stored.dtype.kind == "S"
        lines = stored[()].decode().split("\n")
    assert [json.loads(line)["code"] for line in lines] == ["keys-ignored", "frames-lost"]


def test_a_result_of_an_earlier_version_has_no_notices(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    write_some(path, WHOLE)
    with h5py.File(path, "a") as file:
        del file["entry1/reconstruction/notices"]
    assert validate_file(path) == []
    assert read_result(path).notices == ()


def test_result_of_a_real_point_keeps_its_metadata(tmp_path: Path) -> None:
    point_path, path = tmp_path / "p.h5", tmp_path / "r.h5"
    frame = np.ones((20, 30), np.uint16)
    write_point(
        point_path,
        iter([frame] * 3),
        3,
        region=Region((20, 30), (4, 6), (2, 2)),
        detector=Detector((100, 90), (1.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), "PE"),
        sample_xyz=(1.0, 2.0, 3.0),
    )
    with (
        open_point(point_path) as point,
        write_result(
            path,
            depths=DEPTHS,
            shape=point.region.shape,
            configuration="{}",
            backend="cpu",
            metadata=point.metadata,
        ) as writer,
    ):
        writer.finish()
    with h5py.File(path) as result, h5py.File(point_path) as source:
        for name in source["entry1/detector"]:
            assert result[f"entry1/detector/{name}"][()] == source[f"entry1/detector/{name}"][()]
    assert validate_file(path) == []


def test_bands_that_cut_chunks_or_leave_the_image_are_refused(tmp_path: Path) -> None:
    decoded = some_pixels(np.random.default_rng(0), 1)
    at = np.array([0])
    for low, high in [(0, 65), (1, 64), (128, 151), (64, 64), (0, 64)]:
        rows = at if (low, high) != (0, 64) else at + 64
        with (
            pytest.raises(ValueError, match=r"band|outside"),
            write_result(
                tmp_path / "r.h5",
                depths=DEPTHS,
                shape=SHAPE,
                configuration="{}",
                backend="cpu",
                metadata={},
            ) as writer,
        ):
            writer.add(low, high, rows, at, decoded)
    assert list(tmp_path.iterdir()) == []
    assert BAND_ROWS == 64


def test_unfinished_or_invalid_results_are_not_published(tmp_path: Path) -> None:
    def write(configuration: str, finish: bool) -> None:
        with write_result(
            tmp_path / "r.h5",
            depths=DEPTHS,
            shape=SHAPE,
            configuration=configuration,
            backend="cpu",
            metadata={},
        ) as writer:
            if finish:
                writer.finish()

    with pytest.raises(OutputError, match="configuration is not JSON"):
        write("{", True)
    with pytest.raises(RuntimeError, match="finish"):
        write("{}", False)
    assert list(tmp_path.iterdir()) == []


def test_export_writes_one_image_per_depth(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    expected, _ = write_some(path, WHOLE)
    told: list[tuple[int, int]] = []
    files = export_depths(
        path,
        tmp_path / "out",
        start_um=-10,
        stop_um=10,
        progress=lambda done, total: told.append((done, total)),
    )
    assert [file.name for file in files] == [f"r_{index}.h5" for index in range(5, 15)]
    assert told[-1] == (10, 10)
    for index, file in zip(range(5, 15), files, strict=True):
        np.testing.assert_allclose(read_image(file), expected[index], rtol=1e-6)
        assert validate_file(file) == []
        with h5py.File(file) as opened:
            assert opened["entry1/depth"].shape == (1,)
            assert opened["entry1/depth"].dtype == np.float64
            assert opened["entry1/depth"][0] == -20 + 2 * index
            assert opened["entry1/data/data"].dtype == np.float32
            assert opened["entry1/scanNum"][()] == 276990
            assert opened["entry1/scanNum"].dtype == np.int32
            assert "wire" not in opened["entry1"]
            assert "pixels" not in opened["entry1"]
            assert opened.attrs["file_time"] == b"2023-04-06T03:07:11"


def test_export_of_depths_that_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    write_some(path, WHOLE)
    with pytest.raises(InputError, match=r"its depths are -20\.\.\.28"):
        export_depths(path, tmp_path / "out", start_um=500)


def test_reading_what_is_no_result(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        file["entry1/data/data"] = np.ones((3, 4, 5), np.uint16)
    with pytest.raises(InputError, match="is not a result"):
        read_result(path)


def _drop_column(file: h5py.File) -> None:
    del file["entry1/pixels/energy"]


def _short_column(file: h5py.File) -> None:
    file["entry1/pixels/row"].resize((1,))


def _other_depth(file: h5py.File) -> None:
    values = file["entry1/depth"][()]
    del file["entry1/data/depth"]
    file["entry1/data/depth"] = values
    file["entry1/data/depth"].attrs["units"] = np.bytes_(b"micron")


def _variable_text(file: h5py.File) -> None:
    file["entry1/note"] = "text of any length"


def _variable_attribute(file: h5py.File) -> None:
    file["entry1"].attrs["note"] = "text of any length"


def _long_number(file: h5py.File) -> None:
    file["entry1/number"] = np.int64(4)


def _lzf(file: h5py.File) -> None:
    file.create_dataset("entry1/more", data=np.ones(100), compression="lzf")


def _units(file: h5py.File) -> None:
    file["entry1/depth"].attrs["units"] = np.bytes_(b"mm")


def _signal(file: h5py.File) -> None:
    del file["entry1/data"].attrs["signal"]


def _no_notice(file: h5py.File) -> None:
    del file["entry1/reconstruction/notices"]
    file["entry1/reconstruction/notices"] = np.bytes_(b"{}")


def _axes(file: h5py.File) -> None:
    del file["entry1/data"].attrs["axes"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_drop_column, "entry1/pixels/energy is missing"),
        (_short_column, "pixel_rows"),
        (_other_depth, "not a hard link"),
        (_variable_text, "entry1/note is a variable-length string"),
        (_variable_attribute, "entry1@note is a variable-length string"),
        (_long_number, "int64, not int32"),
        (_lzf, "not plain gzip"),
        (_units, "units='mm', not 'micron'"),
        (_signal, "lacks the attribute signal='data'"),
        (_axes, "axes=['depth', 'row', 'column']"),
        (_no_notice, "entry1/reconstruction/notices holds what is not a notice: {}"),
    ],
)
def test_validator_finds_each_fault(tmp_path: Path, change: object, said: str) -> None:
    path = tmp_path / "r.h5"
    write_some(path, WHOLE)
    with h5py.File(path, "a") as file:
        change(file)  # type: ignore[operator]
    assert any(said in reason for reason in validate_file(path)), validate_file(path)


def test_what_is_copied_cannot_make_a_result_invalid(tmp_path: Path) -> None:
    odd = {
        "entry1/sample/sampleX": np.linspace(0, 1, 261),
        "entry1/sample/sampleY": np.array(b"10.0"),
        "entry1/sample/sampleZ": np.array([], np.float32),
        "entry1/detector/ID": np.array(7, np.int64),
        "entry1/depth": np.array(np.nan),
        "entry1/data": np.array(1),
        "entry1/pixels/row": np.array(1),
        "entry1@default": np.array(b"other"),
        "entry1/title@units": np.array(b""),
        "entry1/title": np.array(b"\xff\xfe"),
    }
    path = tmp_path / "r.h5"
    with write_result(
        path, depths=DEPTHS, shape=SHAPE, configuration="{}", backend="cpu", metadata=odd
    ) as writer:
        writer.finish()
    assert validate_file(path) == []
    found = read_result(path).metadata
    np.testing.assert_array_equal(found["entry1/sample/sampleX"], odd["entry1/sample/sampleX"])
    written = export_depths(path, tmp_path / "out")
    assert validate_file(written[0]) == []


def test_an_export_replaces_no_measured_frame(tmp_path: Path) -> None:
    write_some(tmp_path / "r.h5", [(0, 150)])
    with h5py.File(tmp_path / "p_3.h5", "w") as file:
        file["entry1/data/data"] = np.ones((4, 5), np.uint16)
        file["entry1/depth"] = np.nan
    content = (tmp_path / "p_3.h5").read_bytes()
    with pytest.raises(OutputError, match=r"p_3\.h5: is there already"):
        export_depths(tmp_path / "r.h5", tmp_path, name="p")
    assert (tmp_path / "p_3.h5").read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p_3.h5", "r.h5"]
    first = export_depths(tmp_path / "r.h5", tmp_path / "out", name="p")
    assert export_depths(tmp_path / "r.h5", tmp_path / "out", name="p") == first


def test_a_result_of_one_pixel_can_be_published(tmp_path: Path) -> None:
    path = tmp_path / "one.h5"
    with write_result(
        path, depths=DEPTHS, shape=SHAPE, configuration="{}", backend="cpu", metadata=METADATA
    ) as writer:
        decoded = some_pixels(np.random.default_rng(0), 1)
        writer.add(0, SHAPE[0], np.array([3]), np.array([4]), decoded)
        writer.finish()
    assert read_result(path).pixels.size == decoded.trace.size
