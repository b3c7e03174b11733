"""``check``: which combinations of points, results and options make sense."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lauedepth.cli.app import run
from lauedepth.config import load_experiment
from lauedepth.core.instrument.experiment import Region
from lauedepth.io import write_point

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command

EXPERIMENT = Path(__file__).parents[4] / "examples" / "experiment.yml"


def test_an_experiment_alone(command: Command) -> None:
    answer = command("check", "-e", EXPERIMENT)
    assert answer.code == 0
    (event,) = answer.events
    assert (event["event"], event["valid"]) == ("experiment", True)
    assert event["configuration"]["motion"]["step_um"] == 1.0


def test_points_need_an_experiment(command: Command, tmp_path: Path) -> None:
    answer = command("check", tmp_path / "p.h5")
    assert answer.code == 2
    assert "--experiment: no experiment given; give its YAML file" in answer.err


def test_what_was_noticed_of_a_point_is_shown(command: Command, tmp_path: Path) -> None:
    path, region = tmp_path / "p.h5", Region((4, 48), (1000, 900))
    frame = np.full(region.shape, 30, np.uint16)
    detector = load_experiment(EXPERIMENT).to_core().detector
    frames = [None if number == 77 else frame for number in range(261)]
    write_point(path, frames, 261, region=region, detector=detector, sample_xyz=(0.0, 0.0, 0.0))
    answer = command("check", "-e", EXPERIMENT, path, "--backend", "cpu")
    assert answer.code == 0, answer.err
    warned = {event["code"]: event for event in answer.events if event["event"] == "warning"}
    assert set(warned) == {"frames-lost", "no-coded-light"}  # the frames are all alike
    told = warned["frames-lost"]
    assert told["where"] == str(path)
    assert told["what"] == "1 of 261 frames are lost: 77 not stored"
    assert told["remedy"]


def test_the_place_of_a_point_belongs_to_one_result(command: Command, tmp_path: Path) -> None:
    answer = command("check", "-e", EXPERIMENT, "--point", tmp_path / "p.h5")
    assert answer.code == 2
    assert "--point: 0 results given; give exactly one RESULT" in answer.err


def test_rows_come_before_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "e.yml"
    text = EXPERIMENT.read_text("utf-8")
    path.write_text(text.replace("shape_px: [2048, 2048]", "shape_px: [2048, 1024]"), "utf-8")
    assert run(["check", "-e", str(path)]) == 0
    assert "1024 rows × 2048 columns" in capsys.readouterr().out
