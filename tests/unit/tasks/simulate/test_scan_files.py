"""Simulated scans as files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from lauedepth.config import load_experiment
from lauedepth.core.errors import InputError, OutputError
from lauedepth.io import open_point
from lauedepth.simulation import TRUTH, Records, monitor_of, positions_of
from lauedepth.tasks.simulate.config import SimulationConfig
from lauedepth.tasks.simulate.scan_files import (
    MONITOR,
    POSITIONS,
    Storage,
    read_truth,
    simulated_points,
    write_scan,
    write_truth,
)

EXAMPLES = Path(__file__).parents[4] / "examples"
EXPERIMENT = EXAMPLES / "experiment.yml"


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
    with pytest.raises(InputError, match="is not an HDF5 file"):
        read_truth(tmp_path / "t.h5")
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["truth/row"] = np.zeros(3)
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


@pytest.mark.parametrize("storage", ["stack", "series"])
def test_what_is_recorded_of_each_frame_is_read_back(
    experiment_file: Path, tmp_path: Path, storage: Storage
) -> None:
    config = load_experiment(experiment_file)
    asked = simulation(
        flaws={"drift": -0.3, "smear": 0.5},
        records={
            "monitor": True,
            "monitor_offset": 0.1,
            "positions": True,
            "position_at": "start",
            "position_offset_um": 7.0,
        },
    )
    points = simulated_points(asked, config.to_core())
    folder = tmp_path / "scan"
    (path,) = write_scan(points, folder, config, storage=storage, records=asked.to_records())
    with open_point(path) as point:
        monitor, place = point.values(MONITOR), point.values(POSITIONS)
    beam = np.array([1.0, 0.9, 0.8, 0.7])
    assert monitor / monitor[0] == pytest.approx((beam + 0.1) / 1.1)
    step_um = config.motion.step_um
    assert place == pytest.approx(7.0 + step_um * (np.arange(4) - 0.25))


def test_errors_of_records_are_as_large_as_asked() -> None:
    point = next(simulated_points(simulation(), load_experiment(EXPERIMENT).to_core())).point
    records = Records(monitor=True, monitor_noise=0.01, positions=True, position_noise_um=0.3)
    monitor, place = monitor_of(point, records), positions_of(point, records)
    assert monitor is not None and place is not None
    assert np.std(monitor / monitor.mean()) == pytest.approx(0.01, rel=0.2)
    step_um = point.experiment.motion.step_um
    assert np.std(place - step_um * np.arange(place.size)) == pytest.approx(0.3, rel=0.2)
    assert monitor_of(point, Records()) is None and positions_of(point, Records()) is None


def test_an_encoder_read_where_the_experiment_says_reads_its_even_steps() -> None:
    core = load_experiment(EXPERIMENT).to_core()
    motion = replace(core.motion, exposure_steps=0.6, position_at="start")
    asked = simulation(flaws={"smear": 0.6})
    point = next(simulated_points(asked, replace(core, motion=motion))).point
    place = positions_of(point, Records(positions=True, position_at="start"))
    assert place == pytest.approx(motion.step_um * np.arange(point.shape[0]))
