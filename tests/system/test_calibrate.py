"""The command ``calibrate``: from points to a calibrated experiment, and what it refuses."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from tests.geometries import TWIN
from tests.json_lines import asking_for_json

from lauedepth.cli.app import run
from lauedepth.config import ExperimentConfig, dump_experiment, load_experiment
from lauedepth.core.instrument.experiment import Experiment, Pose, Region
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.crystals import crystal_by_name
from lauedepth.io import write_point
from lauedepth.simulation import (
    Exposure,
    LightSources,
    SimulatedPoint,
    membrane,
    sources_from_grains,
)

START = TWIN
TRUTH = replace(START, pose=Pose(0.53, 1.5, 0.85, 0.7, -1.5, 44.1))
REGION = Region((256, 256), (0, 0), (8, 8))
SHIFTS = (0.0, -0.15)


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    events: list[dict[str, Any]]
    err: str

    def last(self, event: str) -> dict[str, Any]:
        return [one for one in self.events if one["event"] == event][-1]


Command = Callable[..., Answer]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    handler = signal.getsignal(signal.SIGTERM)

    def call(*words: object) -> Answer:
        capsys.readouterr()
        try:
            code = run(asking_for_json(words))
        finally:
            signal.signal(signal.SIGTERM, handler)
        said = capsys.readouterr()
        return Answer(code, [json.loads(line) for line in said.out.splitlines()], said.err)

    return call


def displaced(shift_mm: float) -> Experiment:
    """The true experiment with the aperture displaced along its scan."""
    motion = replace(TRUTH.motion, shift_mm=TRUTH.motion.shift_mm + shift_mm)
    return replace(TRUTH, motion=motion)


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scans of a silicon membrane, as files, with the pose that was thought right."""
    folder = tmp_path_factory.mktemp("calibration")
    crystal = membrane(crystal_by_name("Si"), depth_um=0.0, thickness_um=2.0)
    for number, shift in enumerate(SHIFTS):
        light = sources_from_grains(
            crystal.grains, TRUTH, REGION, exposure=Exposure(4000.0, spot_sigma_px=6.0)
        )
        point = SimulatedPoint(displaced(shift), light, REGION, background=60.0, seed=number)
        write_point(
            folder / f"scan{number}.h5",
            point.frames(),
            point.shape[0],
            region=REGION,
            detector=START.detector,
            sample_xyz=(0.0, 0.0, 0.0),
        )
    text = dump_experiment(ExperimentConfig.from_core(START))
    (folder / "start.yml").write_text(text, encoding="utf-8")
    return folder


def test_a_calibrated_experiment_is_written(scans: Path, tmp_path: Path, command: Command) -> None:
    output, figure = tmp_path / "found.yml", tmp_path / "found.png"
    words = ["--shift-mm", SHIFTS[0], "--shift-mm", SHIFTS[1], "--figure", figure]
    points = [scans / "scan0.h5", scans / "scan1.h5"]
    answer = command("calibrate", *points, "-e", scans / "start.yml", "-o", output, *words)
    assert answer.code == 0, answer.err
    told = answer.last("result")
    assert [one["name"] for one in told["held"]] == ["sliding along the bars"]
    assert all(one["used"] >= 15 for one in told["scans"])
    assert told["depth_error_um"] < 0.05
    assert figure.stat().st_size > 20_000
    found = load_experiment(output)
    assert found.pose.anglez_deg == pytest.approx(44.1, abs=0.02)
    assert told["parameters"]["anglez_deg"]["value"] == found.pose.anglez_deg
    assert abs(found.pose.anglez_deg - 44.1) < 5 * told["parameters"]["anglez_deg"]["error"]
    comments = [line for line in output.read_text("utf-8").splitlines() if line.startswith("#")]
    assert any("anglez_deg" in line and "±" in line for line in comments)
    assert any("sliding along the bars" in line for line in comments)
    row, column = np.random.default_rng(0).uniform(0, 2047, (2, 50))
    depth = np.linspace(-80, 280, 50)
    place = RayMap.of(TRUTH, row, column).position_um(depth, 130.0)
    back = RayMap.of(found.to_core(), row, column).depth_um(place, 130.0)
    assert np.sqrt(np.mean((back - depth) ** 2)) < 0.1


def test_check_warns_of_a_pose_that_does_not_hold(
    scans: Path, tmp_path: Path, command: Command
) -> None:
    right = tmp_path / "right.yml"
    right.write_text(dump_experiment(ExperimentConfig.from_core(TRUTH)), encoding="utf-8")
    point = scans / "scan0.h5"
    holds = command("check", point, "-e", right, "--pose", "--backend", "reference")
    assert holds.code == 0, holds.err
    assert holds.last("pose")["warnings"] == []
    drifted = command("check", point, "-e", scans / "start.yml", "--pose", "--backend", "reference")
    assert any("turned by" in text for text in drifted.last("pose")["warnings"])
    assert drifted.last("warning")["where"] == str(point)


@pytest.fixture(scope="session")
def results(scans: Path) -> Path:
    """Results of one scan: made with its true pose, and with one turned by 0.5° since."""
    handler = signal.getsignal(signal.SIGTERM)
    for name, angle in (("right", 0.0), ("drifted", 0.5)):
        pose = replace(TRUTH.pose, anglez_deg=TRUTH.pose.anglez_deg + angle)
        text = dump_experiment(ExperimentConfig.from_core(replace(TRUTH, pose=pose)))
        for learn in ("auto", "off"):
            chosen = text.replace("learn: auto", f"learn: {learn}")
            (scans / f"{name}.yml").write_text(chosen, encoding="utf-8")
            output = scans / (f"{name}.h5" if learn == "off" else f"{name}-learnt.h5")
            words = ["-e", str(scans / f"{name}.yml"), "-o", str(output)]
            assert run(["reconstruct", str(scans / "scan0.h5"), *words, "--pixels", "100"]) == 0
    signal.signal(signal.SIGTERM, handler)
    return scans


def test_check_sees_in_a_result_that_its_pose_does_not_hold(
    results: Path, command: Command
) -> None:
    for name in ("right", "drifted"):
        with h5py.File(results / f"{name}.h5", "r+") as file:  # as where the point is gone
            file["entry1"].attrs["lauedepth_point"] = np.bytes_(str(results / "gone.h5"))
    holds = command("check", results / "right.h5")
    assert holds.code == 0, holds.err
    assert holds.last("agreement")["warnings"] == []
    assert not [one for one in holds.events if one["event"] == "warning"]
    drifted = command("check", results / "drifted.h5")
    assert drifted.code == 0
    (warning,) = [one for one in drifted.events if one["event"] == "warning"]
    assert warning["where"] == str(results / "drifted.h5")
    assert "residuals grow over the detector" in warning["message"]
    assert "lauedepth calibrate" in warning["message"]
    told = drifted.last("agreement")
    assert told["point"] is None
    assert told["traces"] is None
    assert told["residuals"]["turn_deg"] == pytest.approx(0.5, abs=0.2)


def test_a_turned_pose_that_is_learnt_as_another_step_is_named(
    results: Path, command: Command
) -> None:
    learnt = command("check", results / "drifted-learnt.h5")
    said = [one["message"] for one in learnt.events if one["event"] == "warning"]
    assert any("through a pose that is turned" in one for one in said)
    holds = command("check", results / "right-learnt.h5")
    assert not [one for one in holds.events if one["event"] == "warning"]


def test_the_traces_of_a_result_s_point_decide(results: Path, command: Command) -> None:
    point = results / "scan0.h5"
    told = command("check", results / "drifted.h5", "--point", point).last("agreement")
    assert told["point"] == str(point)
    assert told["traces"]["turn_deg"] == pytest.approx(-0.5, abs=0.05)
    assert "turned by -0." in told["warnings"][0]
    again = results / "again.h5"
    command("reconstruct", point, "-e", results / "right.yml", "-o", again, "--pixels", 100)
    named = command("check", again).last("agreement")
    assert named["point"] == str(point)
    assert named["warnings"] == []
    assert abs(named["traces"]["turn_deg"]) < 5 * named["traces"]["turn_error_deg"]


def test_wrong_usage_of_check_is_told_in_a_line(results: Path, command: Command) -> None:
    for words, told in (
        ([], "--experiment: no experiment given"),
        ([results / "scan0.h5"], "--experiment: no experiment given"),
        ([results / "right.h5", results / "drifted.h5", "--point", "x"], "2 results given"),
        ([results / "right.h5", "--point", results / "away.h5"], "away.h5"),
    ):
        answer = command("check", *words)
        assert answer.code in {1, 2}
        assert told in answer.err
        assert len(answer.err.splitlines()) == 1


def test_a_dry_run_needs_no_point(scans: Path, command: Command) -> None:
    words = ["-e", scans / "start.yml", "--dry-run"]
    one = command("calibrate", *words)
    two = command("calibrate", *words, "--shift-mm", 0, "--shift-mm", -0.2)
    assert one.code == two.code == 0
    assert len(two.last("plan")["pixels"]) == 2
    assert two.last("plan")["depth_error_um"] < one.last("plan")["depth_error_um"] < 0.1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["scan0.h5", "scan1.h5"], "2 POINT and no --shift-mm"),
        (["scan0.h5"], "needs at least one POINT and --output"),
        (["scan0.h5", "--fit", "poze", "-o", "new.yml"], "did you mean pose?"),
        (["scan0.h5", "-o", "scan0.h5"], "would be overwritten"),
        (["scan0.h5", "--figure", "a.gif", "-o", "new.yml"], "format '.gif' is not supported"),
        (["scan0.h5", "--pixels", "1e6", "-o", "new.yml"], "no pixel to calibrate with"),
    ],
)
def test_wrong_usage_is_told_in_a_line(
    scans: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Command,
    words: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(scans)
    if len(words) == 2 and words[1].endswith(".h5"):
        words = [*words, "-o", "new.yml"]
    answer = command("calibrate", *words, "-e", "start.yml")
    assert answer.code in {1, 2}
    assert told in answer.err
    assert len(answer.err.splitlines()) == 1
    assert not (scans / "new.yml").exists()


def test_a_point_without_code_in_it_is_refused(
    scans: Path, tmp_path: Path, command: Command
) -> None:
    rows, columns = np.meshgrid(np.arange(10, 250, 40), np.arange(10, 250, 40))
    light = LightSources.of(rows.ravel(), columns.ravel(), -1.0, 1.0, 500.0)
    away = replace(TRUTH, motion=replace(TRUTH.motion, shift_mm=9.0))
    point = SimulatedPoint(away, light, REGION, background=60.0)
    write_point(
        tmp_path / "away.h5",
        point.frames(),
        point.shape[0],
        region=REGION,
        detector=START.detector,
        sample_xyz=(0.0, 0.0, 0.0),
    )
    words = ["-e", scans / "start.yml", "-o", tmp_path / "new.yml"]
    answer = command("calibrate", tmp_path / "away.h5", *words)
    assert answer.code == 1
    assert "only 0 of 36 bright pixels vary as behind a code" in answer.err
    assert not (tmp_path / "new.yml").exists()
