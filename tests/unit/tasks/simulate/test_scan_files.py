"""Simulated scans as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lauedepth.config import load_experiment
from lauedepth.core.errors import InputError, OutputError
from lauedepth.io import open_point
from lauedepth.simulation import TRUTH
from lauedepth.tasks.simulate.config import SimulationConfig
from lauedepth.tasks.simulate.scan_files import (
    read_truth,
    simulated_points,
    write_scan,
    write_truth,
)

EXAMPLES = Path(__file__).parents[4] / "examples"


@pytest.fixture
def experiment_file(tmp_path: Path) -> Path:
    """The example, four frames long."""
    text = (EXAMPLES / "experiment.yml").read_text("utf-8")
    path = tmp_path / "experiment.yml"
    path.write_text(text.replace("stop_frame: 261", "stop_frame: 4"), "utf-8")
    return path


def simulation(**more: object) -> SimulationConfig:
    values = {"sample": {"kind": "membrane"}, "region": {"shape_px": [12, 8]}, **more}
    return SimulationConfig.model_validate(values)


def test_a_dropped_frame_is_missing_from_the_files(experiment_file: Path, tmp_path: Path) -> None:
    config = load_experiment(experiment_file)
    reports: list[tuple[str, int, int]] = []
    points = simulated_points(simulation(flaws={"dropped": [2]}), config.to_core())
    (path,) = write_scan(
        points, tmp_path / "scan", config, progress=lambda *one: reports.append(one)
    )
    assert reports == [("point_0001.h5", done, 4) for done in (1, 2, 3, 4)]
    with open_point(path) as point:
        assert point.shape == (4, 8, 12)
        assert point.usable.tolist() == [True, True, False, True]
    assert load_experiment(tmp_path / "scan" / "experiment.yml") == config


def test_truth_survives_its_file(tmp_path: Path) -> None:
    truth = np.zeros(3, TRUTH)
    truth["depth_um"], truth["hkl"] = [1.0, 2.0, np.nan], [[1, 1, 1], [2, 0, 0], [0, 0, 4]]
    write_truth(tmp_path / "t.h5", truth)
    found = read_truth(tmp_path / "t.h5")
    assert found.dtype == TRUTH
    for name in TRUTH.names or ():
        np.testing.assert_array_equal(found[name], truth[name])


def test_a_file_without_truth_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.h5").write_text("no HDF5")
    with pytest.raises(InputError, match="is not the ground truth of a simulated point"):
        read_truth(tmp_path / "t.h5")


def test_an_image_without_spots_is_refused(experiment_file: Path, tmp_path: Path) -> None:
    import fabio

    fabio.tifimage.TifImage(data=np.full((64, 64), 9, np.uint16)).write(str(tmp_path / "i.tif"))
    points = simulated_points(
        SimulationConfig(),
        load_experiment(experiment_file).to_core(),
        image=tmp_path / "i.tif",
    )
    with pytest.raises(InputError, match=r"contains no spots; lower image\.threshold_sigma"):
        next(points)


def test_a_folder_that_cannot_be_made(experiment_file: Path, tmp_path: Path) -> None:
    config = load_experiment(experiment_file)
    (tmp_path / "file").write_text("")
    points = simulated_points(simulation(), config.to_core())
    with pytest.raises(OutputError, match="cannot be created"):
        write_scan(points, tmp_path / "file" / "scan", config)
