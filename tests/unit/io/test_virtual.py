"""Virtual datasets and masters over other files: read where these lie near, else refused."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Frames
from lauedepth.io import open_point, validate_file

STACK = np.random.default_rng(1).poisson(30, (6, 20, 30)).astype(np.uint16)
KEY = "entry1/data/data"


def part(path: Path, frames: np.ndarray[Any, Any], key: str = "entry/data/data") -> Path:
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        file[key] = frames
    return path


def virtual(path: Path, names: list[str], frames: int = 2) -> Path:
    layout = h5py.VirtualLayout((frames * len(names), 20, 30), np.uint16)
    for index, name in enumerate(names):
        source = h5py.VirtualSource(name, "entry/data/data", (frames, 20, 30))
        layout[index * frames : (index + 1) * frames] = source
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset(KEY, layout)
    return path


@pytest.mark.parametrize("folder", [".", "parts"])
def test_parts_in_the_folder_or_below(tmp_path: Path, folder: str) -> None:
    names = [f"{folder}/part_{index}.h5" for index in range(3)]
    for index, name in enumerate(names):
        part(tmp_path / name, STACK[2 * index : 2 * index + 2])
    path = virtual(tmp_path / "p.h5", names)
    with open_point(path, frames=Frames(1, 6, 2)) as point:
        assert point.usable.all()
        np.testing.assert_array_equal(point.read_rows(3, 9), STACK[1::2, 3:9])
    assert validate_file(path) == []


def test_parts_elsewhere_are_refused(tmp_path: Path) -> None:
    part(tmp_path / "elsewhere" / "part.h5", STACK)
    (tmp_path / "here").mkdir()
    for name in ("../elsewhere/part.h5", str(tmp_path / "elsewhere" / "part.h5")):
        path = virtual(tmp_path / "here" / "p.h5", [name], 6)
        with pytest.raises(InputError, match="files of another folder"):
            open_point(path)
    (tmp_path / "here" / "part.h5").symlink_to(tmp_path / "elsewhere" / "part.h5")
    with pytest.raises(InputError, match="files of another folder"):
        open_point(virtual(tmp_path / "here" / "p.h5", ["part.h5"], 6))


def test_frames_of_a_part_that_is_not_there_are_lost(tmp_path: Path) -> None:
    for index in (0, 2):
        part(tmp_path / f"part_{index}.h5", STACK[2 * index : 2 * index + 2])
    path = virtual(tmp_path / "p.h5", [f"part_{index}.h5" for index in range(3)])
    with open_point(path) as point:
        assert point.usable.tolist() == [True, True, False, False, True, True]
        np.testing.assert_allclose(point.mean_image(), STACK[[0, 1, 4, 5]].mean(axis=0))
        (notice,) = point.notices
        assert notice.code == "frames-lost"
        assert "2...3 not stored" in notice.what


def test_a_virtual_dataset_over_itself(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout(STACK.shape, np.uint16)
    layout[...] = h5py.VirtualSource(".", KEY, STACK.shape)
    with h5py.File(tmp_path / "p.h5", "w") as file:
        file.create_virtual_dataset(KEY, layout)
    with pytest.raises(InputError, match="maps onto itself"):
        open_point(tmp_path / "p.h5")
    assert validate_file(tmp_path / "p.h5")


def test_files_that_map_onto_each_other(tmp_path: Path) -> None:
    for own, other in (("a.h5", "b.h5"), ("b.h5", "a.h5")):
        layout = h5py.VirtualLayout(STACK.shape, np.uint16)
        layout[...] = h5py.VirtualSource(other, KEY, STACK.shape)
        with h5py.File(tmp_path / own, "w") as file:
            file.create_virtual_dataset(KEY, layout)
    with pytest.raises(InputError, match="maps onto itself"):
        open_point(tmp_path / "a.h5")


def test_a_long_chain_of_virtual_datasets(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "p.h5", "w") as file:
        for index in range(1000):
            layout = h5py.VirtualLayout((2, 3, 4), np.uint16)
            layout[...] = h5py.VirtualSource(".", f"v{index + 1}", (2, 3, 4))
            file.create_virtual_dataset(f"v{index}", layout)
        file["v1000"] = np.ones((2, 3, 4), np.uint16)
    begin = time.process_time()
    with pytest.raises(InputError, match="maps onto itself"):
        open_point(tmp_path / "p.h5", "v0")
    assert time.process_time() - begin < 10


def eiger(folder: Path, parts: int = 3) -> Path:
    master = folder / "x_master.h5"
    with h5py.File(master, "w") as file:
        group = file.create_group("entry/data")
        for index in range(parts):
            name = f"x_data_{index + 1:06d}.h5"
            part(folder / name, STACK[2 * index : 2 * index + 2].astype(np.uint32))
            group[f"data_{index + 1:06d}"] = h5py.ExternalLink(name, "/entry/data/data")
    return master


def test_an_eiger_master_is_read_as_one_stack(tmp_path: Path) -> None:
    master = eiger(tmp_path)
    with pytest.raises(InputError, match=r"set data\.key to entry/data"):
        open_point(master)
    with open_point(master, "entry/data", Frames(1, 6, 2)) as point:
        assert point.shape == STACK.shape
        np.testing.assert_array_equal(point.read_rows(2, 7), STACK[1::2, 2:7])
        np.testing.assert_array_equal(point.read_rows(2, 7, Frames(0, 6)), STACK[:, 2:7])
    (tmp_path / "x_data_000002.h5").unlink()
    with pytest.raises(InputError, match=r"data_000002: leads to x_data_000002\.h5, which is not"):
        open_point(master, "entry/data")


def test_a_dead_module_of_an_eiger_is_no_measurement(tmp_path: Path) -> None:
    frames = STACK.astype(np.uint32)
    frames[:, 4:6] = 2**32 - 1
    frames[2, 0, 0] = 100_000  # more than 16 bits hold, but counted
    with open_point(part(tmp_path / "p.h5", frames, KEY)) as point:
        rows = point.read_rows(0, 20)
        assert np.isnan(rows[:, 4:6]).all()
        assert rows[2, 0, 0] == 100_000
        assert np.argwhere(np.isnan(point.mean_image()))[:, 0].tolist() == [4] * 30 + [5] * 30
