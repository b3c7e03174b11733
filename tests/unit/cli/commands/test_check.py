"""``check``: which combinations of points, results and options make sense."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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


def test_the_place_of_a_point_belongs_to_one_result(command: Command, tmp_path: Path) -> None:
    answer = command("check", "-e", EXPERIMENT, "--point", tmp_path / "p.h5")
    assert answer.code == 2
    assert "--point: 0 results given; give exactly one RESULT" in answer.err
