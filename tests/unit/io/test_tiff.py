"""TIFF images hold the numbers, and replace only images of our own."""

from __future__ import annotations

from pathlib import Path

import fabio
import numpy as np
import pytest
from PIL import Image
from tests.unit.io.made_up_results import WHOLE, write_some

from lauedepth.core.errors import OutputError
from lauedepth.io import export_depths, read_result
from lauedepth.io.tiff import DESCRIPTION, is_our_tiff


def test_other_programs_read_the_same_numbers(tmp_path: Path) -> None:
    expected, _ = write_some(tmp_path / "r.h5", WHOLE)
    depth = read_result(tmp_path / "r.h5").depth_um
    stop = float(depth[20])
    written = export_depths(
        tmp_path / "r.h5", tmp_path / "images", stop_um=stop, image_format="tiff"
    )
    assert [path.name for path in written] == [f"r_{index}.tif" for index in range(20)]
    for index, path in enumerate(written):
        with fabio.open(path) as image:
            np.testing.assert_allclose(image.data, expected[index], rtol=1e-6)
        with Image.open(path) as image:
            assert image.getexif()[DESCRIPTION] == f"lauedepth depth_um={depth[index]:g}"
    again = export_depths(tmp_path / "r.h5", tmp_path / "images", stop_um=stop, image_format="tiff")
    assert again == written


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_an_image_of_somebody_else_stays(tmp_path: Path, content: bytes | None) -> None:
    write_some(tmp_path / "r.h5", WHOLE)
    foreign = tmp_path / "r_3.tif"
    if content is None:
        Image.fromarray(np.zeros((4, 4), np.float32)).save(foreign)
    else:
        foreign.write_bytes(content)
    before = foreign.read_bytes()
    assert not is_our_tiff(foreign)
    with pytest.raises(OutputError, match="is there already"):
        export_depths(tmp_path / "r.h5", tmp_path, image_format="tiff")
    assert foreign.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.h5", "r_3.tif"]
