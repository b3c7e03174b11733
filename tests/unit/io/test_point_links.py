"""No link in an input leads out of it: whatever kind of link, wherever in the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.core.errors import InputError
from lauedepth.io import open_point, validate_file

STACK = np.random.default_rng(1).integers(0, 65536, (4, 10, 12), dtype=np.uint16)


def stack_file(path: Path, data: npt.NDArray[np.uint16] = STACK) -> Path:
    with h5py.File(path, "w") as file:
        file["entry1/data/data"] = data
    return path


def _external(file: h5py.File, other: Path) -> None:
    file["entry1/data/data"] = h5py.ExternalLink(str(other), "entry1/data/data")


def _external_metadata(file: h5py.File, other: Path) -> None:
    file["entry1/data/data"] = STACK
    file["entry1/sample/deep/secret"] = h5py.ExternalLink(str(other), "entry1/data/data")


def _soft_to_external(file: h5py.File, other: Path) -> None:
    file["out"] = h5py.ExternalLink(str(other), "/")
    file["entry1/data/data"] = h5py.SoftLink("/out/entry1/data/data")


def _virtual(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout(STACK.shape, np.uint16)
    layout[...] = h5py.VirtualSource(str(other), "entry1/data/data", STACK.shape)
    file.create_virtual_dataset("entry1/data/data", layout)


def _raw_storage(file: h5py.File, other: Path) -> None:
    file.create_dataset(
        "entry1/data/data", STACK.shape, np.uint16, external=[(str(other), 0, STACK.nbytes)]
    )


@pytest.mark.parametrize(
    "make", [_external, _external_metadata, _soft_to_external, _virtual, _raw_storage]
)
def test_links_that_lead_out_are_refused(
    tmp_path: Path, make: Callable[[h5py.File, Path], None]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "here").mkdir()
    other = stack_file(tmp_path / "elsewhere" / "other.h5")
    path = tmp_path / "here" / "p.h5"
    with h5py.File(path, "w") as file:
        make(file, other)
    with pytest.raises(InputError, match="copy the data into") as caught:
        open_point(path)
    assert str(path) in str(caught.value)
    assert validate_file(path)


@pytest.mark.parametrize("number", [1, 3])
def test_links_in_any_frame_are_refused(tmp_path: Path, number: int) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    for index, frame in enumerate(STACK, 1):
        stack_file(folder / f"Si_{index}.h5", frame)
    other = stack_file(tmp_path / "other.h5", STACK[0])
    with h5py.File(folder / f"Si_{number}.h5", "w") as file:
        _external(file, other)
    with pytest.raises(InputError, match="copy the data into"):
        open_point(folder).read_rows(0, 10)


def test_links_within_the_file_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        file["raw/images"] = STACK
        file["raw/ring"] = file["raw"]
        file["entry1/data/data"] = h5py.SoftLink("/raw/images")
    with open_point(path) as point:
        np.testing.assert_array_equal(point.read_rows(0, 10), STACK)
