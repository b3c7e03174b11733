"""Results satisfy NeXus' own checks, and what breaks its rules is found."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.unit.io.made_up_results import WHOLE, write_some

from lauedepth.io import nexus_checker, nexus_problems

needs_nexusformat = pytest.mark.skipif(not nexus_checker(), reason="nexusformat is not installed")


def damaged(path: Path, damage: str) -> Path:
    write_some(path, WHOLE)
    with h5py.File(path, "a") as file:
        entry = file["entry1"]
        if damage == "axis of another length":
            del entry["depth_map/row"]
            entry["depth_map/row"] = np.arange(3.0)
        elif damage == "unknown class":
            entry["pixels"].attrs["NX_class"] = np.bytes_("NXpixels")
        else:
            del entry["width_map"].attrs["signal"]
    return path


@needs_nexusformat
@pytest.mark.filterwarnings("default")
def test_results_are_good_nexus(tmp_path: Path) -> None:
    """The beamline's groups without a class, which are copied, are not held against them."""
    path = tmp_path / "r.h5"
    write_some(path, WHOLE)
    assert nexus_problems(path) == []


@needs_nexusformat
@pytest.mark.filterwarnings("default")
def test_what_the_package_stumbles_over_is_a_reason_too(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    write_some(path, WHOLE)
    with h5py.File(path, "a") as file:
        file["entry1/width_map"].attrs["axes"] = 3
    (reason,) = nexus_problems(path)
    assert reason.startswith("cannot be checked: ")


@needs_nexusformat
@pytest.mark.filterwarnings("default")
def test_classes_that_the_beamline_made_up_are_not_looked_up(tmp_path: Path) -> None:
    """The package would open a file of that name."""
    path = tmp_path / "r.h5"
    write_some(path, WHOLE)
    with h5py.File(path, "a") as file:
        file["entry1/sample"].attrs["NX_class"] = np.bytes_("../../somewhere")
    assert nexus_problems(path) == []


@needs_nexusformat
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("damage", "where"),
    [
        ("axis of another length", "entry1/depth_map"),
        ("unknown class", "entry1/pixels"),
        ("no signal", "entry1/width_map"),
    ],
)
def test_what_nexus_forbids_is_told(tmp_path: Path, damage: str, where: str) -> None:
    reasons = nexus_problems(damaged(tmp_path / "r.h5", damage))
    assert len(reasons) >= 1
    assert all(reason.startswith(where) and reason.endswith("(NeXus)") for reason in reasons)


def test_points_are_none_of_nexus_business(tmp_path: Path) -> None:
    path = tmp_path / "point.h5"
    with h5py.File(path, "w") as file:
        file["entry1/data/data"] = np.zeros((3, 4, 5), np.uint16)
        file["entry1/sample/sampleX"] = 1.0
    assert nexus_problems(path) == []
    assert nexus_problems(tmp_path) == []


def test_without_the_package_nothing_is_checked_and_nothing_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lauedepth.io.nexus_checks.find_spec", lambda name: None)
    assert nexus_checker() == ""
    assert nexus_problems(damaged(tmp_path / "r.h5", "unknown class")) == []
