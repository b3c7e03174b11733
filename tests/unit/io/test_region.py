"""The region of an image, however it is stored, stated in the experiment, or in neither."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Detector, Region
from lauedepth.io import open_point

DETECTOR = Detector((64, 48), (12.8, 9.6), (0.1, 0.2, 0.3), (1.0, 2.0, 3.0), "PE 1")
REGION = Region((10, 12), (8, 4), (2, 3))
STACK = np.random.default_rng(1).integers(1, 60000, (3, 10, 12), dtype=np.uint16)
VALUES = {
    "Nx": 64,
    "Ny": 48,
    "startx": 8,
    "endx": 31,
    "groupx": 2,
    "starty": 4,
    "endy": 33,
    "groupy": 3,
}


def write(path: Path, home: str | None = "entry1/detector", **changed: Any) -> Path:
    with h5py.File(path, "w") as file:
        file["entry1/data/data"] = STACK
        for name, value in (VALUES | changed).items():
            if home is not None and value is not None:
                file[f"{home}/{name}"] = value
    return path


def region(path: Path, **more: Any) -> Region:
    with open_point(path, detector=DETECTOR, **more) as point:
        assert {
            name: int(point.metadata[f"entry1/detector/{name}"])
            for name in ("startx", "endx", "starty", "endy", "groupx", "binx", "groupy", "biny")
        } == {
            "startx": 8, "endx": 31, "starty": 4, "endy": 33,
            "groupx": 2, "binx": 2, "groupy": 3, "biny": 3,
        }  # fmt: skip
        return point.region


def _soft(file: h5py.File) -> None:
    file["entry1/detector"] = h5py.SoftLink("/entry1/instrument/detector")


def _soft_chain(file: h5py.File) -> None:
    file["entry1/other"] = h5py.SoftLink("instrument/detector")
    file["entry1/detector"] = h5py.SoftLink("/entry1/other")


def _hard(file: h5py.File) -> None:
    file["entry1/detector"] = file["entry1/instrument/detector"]


def _values(file: h5py.File) -> None:
    for name, item in file["entry1/instrument/detector"].items():
        file[f"entry1/detector/{name}"] = item


def _soft_values(file: h5py.File) -> None:
    for name in file["entry1/instrument/detector"]:
        file[f"entry1/detector/{name}"] = h5py.SoftLink(f"/entry1/instrument/detector/{name}")


@pytest.mark.parametrize("link", [_soft, _soft_chain, _hard, _values, _soft_values])
@pytest.mark.parametrize("earlier", [False, True])
def test_region_is_found_by_any_link(
    tmp_path: Path, link: Callable[[h5py.File], None], earlier: bool
) -> None:
    home = "entry1/instrument/detector"
    path = write(tmp_path / "p.h5", home)
    with h5py.File(path, "a") as file:
        link(file)
        if earlier:  # a name that comes first in the alphabet, and in the file
            file["entry1/a"] = file[home]
    assert region(path) == REGION


def test_region_in_another_file_of_the_folder(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "meta.h5", "w") as file:
        for name, value in VALUES.items():
            file[f"detector/{name}"] = value
    path = write(tmp_path / "p.h5", None)
    with h5py.File(path, "a") as file:
        file["entry1/detector"] = h5py.ExternalLink("meta.h5", "/detector")
    assert region(path) == REGION
    (tmp_path / "meta.h5").rename(tmp_path.parent / "meta.h5")
    with h5py.File(path, "a") as file:
        del file["entry1/detector"]
        file["entry1/detector"] = h5py.ExternalLink("../meta.h5", "/detector")
    with pytest.raises(InputError, match="link to a file of another folder"):
        region(path)


@pytest.mark.parametrize(
    "value",
    ["8", b"8", np.float64(8), np.full(3, 8), np.array([8]), np.array([b"8"]), np.int64(8)],
)
def test_numbers_in_any_form(tmp_path: Path, value: object) -> None:
    assert region(write(tmp_path / "p.h5", startx=value)) == REGION


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.nan, "is not a whole number"),
        (8.5, "is not a whole number"),
        (np.array([8, 8, 9]), "changes within the scan, from 8 to 9"),
        ("eight", "is not a number: 'eight'"),
        (h5py.Empty("i4"), "is there, but empty"),
        (np.zeros(0), "is there, but empty"),
    ],
)
def test_what_is_there_but_unreadable_is_told(tmp_path: Path, value: object, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        open_point(write(tmp_path / "p.h5", startx=value), detector=DETECTOR)
    assert "entry1/detector/startx" in str(caught.value)


def test_a_group_or_a_dangling_link_is_no_number(tmp_path: Path) -> None:
    for kind in ("group", "link"):
        path = write(tmp_path / f"{kind}.h5", startx=None)
        with h5py.File(path, "a") as file:
            if kind == "group":
                file.create_group("entry1/detector/startx")
            else:
                file["entry1/detector/startx"] = h5py.SoftLink("/nowhere")
        with pytest.raises(InputError, match="startx: is not a number"):
            open_point(path, detector=DETECTOR)


def test_start_without_end_and_end_without_start(tmp_path: Path) -> None:
    assert region(write(tmp_path / "p.h5", endx=None, endy=None)) == REGION
    with pytest.raises(InputError, match="endx is given, startx is not"):
        open_point(write(tmp_path / "q.h5", startx=None), detector=DETECTOR)


def test_binning_alone_is_enough_for_the_whole_detector(tmp_path: Path) -> None:
    whole = Detector((24, 30), (1, 1), (0, 0, 0), (0, 0, 1))
    nothing: dict[str, Any] = dict.fromkeys(("startx", "endx", "starty", "endy", "Nx", "Ny"))
    with open_point(write(tmp_path / "p.h5", **nothing), detector=whole) as point:
        assert point.region == Region((10, 12), (0, 0), (2, 3))
    twelve = Detector((12, 10), (1, 1), (0, 0, 0), (0, 0, 1))
    with pytest.raises(InputError, match=r"state data\.region"):
        open_point(write(tmp_path / "q.h5", **nothing), detector=twelve)


def test_the_experiment_speaks_where_the_file_does_not(tmp_path: Path) -> None:
    silent = write(tmp_path / "p.h5", None)
    assert region(silent, region=REGION) == REGION
    other_size = Region((5, 5), (8, 4))
    with pytest.raises(InputError, match=r"state data\.region"):
        region(silent, region=other_size)
    assert region(write(tmp_path / "q.h5"), region=other_size) == REGION


def test_a_file_and_an_experiment_that_disagree_are_told(tmp_path: Path) -> None:
    other = Region((10, 12), (9, 4), (2, 3))
    with open_point(write(tmp_path / "p.h5"), detector=DETECTOR, region=other) as point:
        assert point.region == REGION
        assert [notice.code for notice in point.notices] == ["region-differs"]
    with open_point(write(tmp_path / "p.h5", Nx=65), detector=DETECTOR) as point:
        assert [notice.code for notice in point.notices] == ["detector-size-differs"]
