"""Single images of any format."""

from __future__ import annotations

from pathlib import Path

import fabio.tifimage
import h5py
import numpy as np
import pytest

from lauedepth.core.errors import InputError
from lauedepth.io import read_image

IMAGE = np.random.default_rng(0).integers(0, 65536, (12, 20), dtype=np.uint16)


def test_real_spe_frame(shared: Path) -> None:
    path = shared / "data/34ide-frame-2007.SPE"
    image = read_image(path)
    raw = np.frombuffer(path.read_bytes(), "<u2", offset=4100).reshape(1042, 1042)
    np.testing.assert_array_equal(image, raw)
    assert image.dtype == np.float64


def test_tiff(tmp_path: Path) -> None:
    fabio.tifimage.TifImage(data=IMAGE).write(str(tmp_path / "a.tif"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), IMAGE)


def test_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry1/data/data"] = IMAGE
        file["stack"] = IMAGE[None]
    np.testing.assert_array_equal(read_image(tmp_path / "a.h5"), IMAGE)
    with pytest.raises(InputError, match=r"not \(rows, columns\)"):
        read_image(tmp_path / "a.h5", "stack")


@pytest.mark.parametrize("name", ["a.spe", "a.tif", "a.h5", "a.txt"])
def test_what_is_no_image(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no image" * 10)
    with pytest.raises(InputError, match=name) as caught:
        read_image(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_image(tmp_path / "a.tif")
