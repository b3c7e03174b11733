"""A simulation replaces its own files, and no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from lauedepth.config import load_experiment
from lauedepth.core.errors import OutputError
from lauedepth.core.instrument.experiment import Region
from lauedepth.simulation import LightSources, ScanPoint, SimulatedPoint
from lauedepth.tasks.simulate.scan_files import Storage, write_scan

EXPERIMENT = load_experiment(Path(__file__).parents[4] / "examples" / "experiment.yml")


def simulate(
    folder: Path, frames: int = 12, layout: Storage = "stack", name: str = "point"
) -> None:
    data = EXPERIMENT.data.model_copy(update={"stop_frame": frames})
    config = EXPERIMENT.model_copy(update={"data": data})
    light = LightSources.of(np.array([3]), np.array([4]), 10.0, 12.0, 500.0)
    point = SimulatedPoint(config.to_core(), light, Region((6, 8), (1000, 900)), 5.0)
    write_scan(
        iter([ScanPoint(0, (0.0, 0.0), point)]),
        folder,
        config,
        name=name,
        storage=layout,
    )


def measured(path: Path) -> Callable[[], None]:
    """Write a file of a user's, and return what sees that it is as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["entry1/data/data"] = np.ones((3, 4, 5), np.uint16)
    else:
        path.write_text("data: {stop_frame: 261}\n")
    content = path.read_bytes()

    def see() -> None:
        assert path.read_bytes() == content

    return see


@pytest.mark.parametrize("layout", ["stack", "series"])
@pytest.mark.parametrize(
    "name",
    [
        "experiment.yml",
        "point_0001.h5",
        "point_0007.h5",
        "point_0001/point_0001_3.h5",
        "truth/point_0001.h5",
    ],
)
def test_nothing_of_the_users_is_replaced(tmp_path: Path, name: str, layout: Storage) -> None:
    see = measured(tmp_path / name)
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    with pytest.raises(OutputError, match="was not simulated") as caught:
        simulate(tmp_path, layout=layout)
    assert str(tmp_path / name) in str(caught.value)
    see()
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == before


@pytest.mark.parametrize(
    "name", ["experiment.yml", "point_0001.h5", "truth/point_0001.h5", "truth", "point_0001"]
)
@pytest.mark.parametrize("partial", [False, True])
def test_links_are_not_followed(tmp_path: Path, name: str, partial: bool) -> None:
    see = measured(tmp_path / "user" / "kept.h5")
    folder = tmp_path / "scan"
    link = folder / (f"{name}.partial" if partial else name)
    link.parent.mkdir(parents=True)
    target = "user" if name in ("truth", "point_0001") and not partial else "user/kept.h5"
    link.symlink_to(tmp_path / target)
    if partial and name == "truth":
        simulate(folder)  # nothing is ever written under that name
    else:
        with pytest.raises(OutputError, match=r"was not simulated|is a link"):
            simulate(folder)
    see()
    assert list((tmp_path / "user").iterdir()) == [tmp_path / "user" / "kept.h5"]


@pytest.mark.parametrize("layout", ["stack", "series"])
def test_its_own_files_are_replaced(tmp_path: Path, layout: Storage) -> None:
    simulate(tmp_path, 12, layout)
    simulate(tmp_path, 9, layout)
    if layout == "series":
        numbers = sorted(
            int(path.stem.split("_")[-1]) for path in (tmp_path / "point_0001").iterdir()
        )
        assert numbers == list(range(1, 10))
    else:
        with h5py.File(tmp_path / "point_0001.h5") as file:
            assert file["entry1/data/data"].shape[0] == 9
    assert load_experiment(tmp_path / "experiment.yml").data.stop_frame == 9


def test_other_files_stay_beside_it(tmp_path: Path) -> None:
    sees = [measured(tmp_path / name) for name in ("points.h5", "other_0001.h5", "truth/a.h5")]
    simulate(tmp_path)
    for see in sees:
        see()
