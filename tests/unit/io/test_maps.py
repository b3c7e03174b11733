"""What viewers find in a result: maps, axes, the meanings of codes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.unit.io.made_up_results import DEPTHS, SHAPE, WHOLE, write_some

from lauedepth.core.instrument.experiment import Detector, Region
from lauedepth.io import read_result, validate_file, write_result
from lauedepth.io.region import region_metadata


def test_viewers_find_what_to_plot(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    write_some(path, WHOLE)
    with h5py.File(path) as file:
        entry = file[file.attrs["default"]]
        assert entry.attrs["NX_class"] == b"NXentry"
        assert entry[entry.attrs["default"]].name == "/entry1/depth_map"
        group = entry["data"]
        assert group.attrs["NX_class"] == b"NXdata"
        assert group.attrs["signal"] == b"data"
        assert group.attrs["axes"].tolist() == [b"depth", b"row", b"column"]
        assert group["depth"].shape == group["data"].shape[:1]
        assert group["depth"] == file["entry1/depth"]
        assert group["depth"].attrs["units"] == b"micron"
        np.testing.assert_array_equal(group["depth"], np.arange(-20, 30, 2))
        axes = [axis[0] for axis in group["data"].dims]
        assert axes == [group["depth"], group["row"], group["column"]]
        assert group["data"].compression == "gzip"
        assert not group["data"].shuffle
        assert file["entry1/reconstruction"].attrs["NX_class"] == b"NXprocess"
        assert file["entry1/pixels"].attrs["NX_class"] == b"NXcollection"
        assert file["entry1/pixels/energy"].attrs["units"] == b"keV"
        assert (file.attrs["format"], file.attrs["version"]) == (b"lauedepth result", 2)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", ["data", "depth_map", "status_map"])
def test_viewers_read_it_with_its_axes(tmp_path: Path, name: str) -> None:
    path = tmp_path / "r.h5"
    write_some(path, WHOLE)
    axes = ("depth", "row", "column") if name == "data" else ("row", "column")
    readers = {
        "silx": _axes_in_silx,
        "nexusformat": _axes_in_nexusformat,
        "scippnexus": _axes_in_scippnexus,
        "xarray h5netcdf": _axes_in_xarray,
    }
    installed = [one for one in readers if all(find_spec(package) for package in one.split())]
    if not installed:
        pytest.skip("none of these viewers is installed")
    for one in installed:
        assert readers[one](path, name) == axes, one


def _axes_in_silx(path: Path, name: str) -> tuple[str, ...]:
    import silx.io
    from silx.io.nxdata import get_default

    with silx.io.open(str(path)) as file:
        assert get_default(file).group.name == "/entry1/depth_map"
        return tuple(get_default(file[f"entry1/{name}"]).axes_dataset_names)


def _axes_in_nexusformat(path: Path, name: str) -> tuple[str, ...]:
    from nexusformat.nexus import nxload

    file = nxload(path)
    assert file.plottable_data.nxpath == "/entry1/depth_map"
    return tuple(axis.nxname for axis in file[f"entry1/{name}"].nxaxes)


def _axes_in_scippnexus(path: Path, name: str) -> tuple[str, ...]:
    import scippnexus

    with scippnexus.File(path) as file:
        array = file["entry1"][name][()]
        assert set(array.coords) == set(array.dims)
        return tuple(array.dims)


def _axes_in_xarray(path: Path, name: str) -> tuple[str, ...]:
    import xarray

    with xarray.open_dataset(path, group=f"entry1/{name}", engine="h5netcdf") as dataset:
        signal = dataset[dataset.attrs["signal"]]
        assert set(signal.coords) == set(signal.dims)
        return tuple(signal.dims)


def test_texts_say_their_encoding(tmp_path: Path) -> None:
    """Without it scippnexus takes "µ" for two letters, and warns."""
    path = tmp_path / "r.h5"
    write_some(path, WHOLE)
    with h5py.File(path) as file:
        kinds = {
            name: h5py.check_string_dtype(file[f"entry1/reconstruction/{name}"].dtype)
            for name in ("notices", "program")
        }
    assert (kinds["notices"].encoding, kinds["program"].encoding) == ("utf-8", "ascii")
    assert None not in {kind.length for kind in kinds.values()}
    assert "comp.µ" in read_result(path).notices[0].what


def test_codes_say_what_they_mean(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    write_some(path, WHOLE)
    with h5py.File(path) as file:
        for status in (file["entry1/pixels/status"], file["entry1/status_map/status"]):
            meanings = status.attrs["flag_meanings"].decode().split()
            assert dict(zip(status.attrs["flag_values"], meanings, strict=True))[1] == "decoded"
        flags = file["entry1/pixels/flags"].attrs
        names = dict(zip(flags["flag_masks"], flags["flag_meanings"].split(), strict=True))
        assert names[4] == b"second_depth"


@pytest.mark.parametrize("bands", [WHOLE, [(64, 150), (0, 64)]])
def test_maps_hold_the_first_depth_of_each_pixel(
    tmp_path: Path, bands: list[tuple[int, int]]
) -> None:
    path = tmp_path / "r.h5"
    write_some(path, bands, 0.1)
    pixels = read_result(path).pixels
    places = pixels["row"].astype(np.int64) * SHAPE[1] + pixels["column"]
    first = np.unique(places, return_index=True)[1]
    with h5py.File(path) as file:
        for name in ("depth", "depth_error", "width", "intensity", "energy", "residual", "status"):
            group = file[f"entry1/{name}_map"]
            assert group.attrs["signal"] == name.encode()
            assert group.attrs["axes"].tolist() == [b"row", b"column"]
            expected = np.full(SHAPE, 0 if name == "status" else np.nan, np.float32)
            expected.reshape(-1)[places[first]] = pixels[name][first]
            np.testing.assert_array_equal(group[name], expected)
            assert group["row"] == file["entry1/data/row"]


def test_maps_of_nothing_take_no_space(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    write_some(path, WHOLE, 0.0)
    with h5py.File(path) as file:
        assert np.isnan(file["entry1/depth_map/depth"]).all()
        assert file["entry1/depth_map/depth"].id.get_storage_size() == 0
        assert "energy_map" not in file["entry1"]


def test_axes_are_the_detectors_own_pixels(tmp_path: Path) -> None:
    """A binned region: the middle of each pixel, counted over the whole detector."""
    region = Region(SHAPE, (4, 6), (2, 3))
    detector = Detector((2048, 2048), (1.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), "PE")
    metadata = {key: np.array(value) for key, value in region_metadata(region, detector).items()}
    path = tmp_path / "r.h5"
    with write_result(
        path,
        depths=DEPTHS,
        shape=SHAPE,
        configuration="{}",
        backend="cpu",
        metadata=metadata | {"@file_time": np.array(b"2023-02-28 10:11:12")},
    ) as writer:
        writer.finish()
    row, column = region.unbinned(np.arange(130), np.arange(130))
    with h5py.File(path) as file:
        np.testing.assert_allclose(file["entry1/data/row"][:130], row)
        np.testing.assert_allclose(file["entry1/data/column"], column)
        assert file["entry1/start_time"][()] == b"2023-02-28T10:11:12"
        assert file["entry1/instrument/detector"] == file["entry1/detector"]


def test_results_of_version_1_are_still_read(tmp_path: Path) -> None:
    """As they were written: no axes of the image, no maps, no error of the background."""
    path = tmp_path / "r.h5"
    write_some(path, WHOLE, 0.01)
    now = read_result(path).pixels
    with h5py.File(path, "a") as file:
        maps = [f"entry1/{name}" for name in file["entry1"] if name.endswith("_map")]
        for name in (*maps, "entry1/data/row", "entry1/data/column"):
            del file[name]
        del file["entry1/pixels/background_error"], file.attrs["format"], file.attrs["version"]
        file["entry1/data"].attrs["axes"] = np.array([b"depth", b".", b"."])
        file["entry1"].attrs["default"] = np.bytes_("data")
    assert validate_file(path) == []
    old = read_result(path).pixels
    assert np.isnan(old["background_error"]).all()
    np.testing.assert_array_equal(old["depth"], now["depth"])
