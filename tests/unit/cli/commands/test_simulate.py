"""``simulate``: what it writes, and which calls make no sense."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command

EXPERIMENT = Path(__file__).parents[4] / "examples" / "experiment.yml"
SAMPLE = "{sample: {kind: membrane}, region: {shape_px: [8, 8]}, seed: 1}"


@pytest.fixture
def words(tmp_path: Path) -> list[object]:
    short = EXPERIMENT.read_text("utf-8").replace("stop_frame: 261", "stop_frame: 3")
    (tmp_path / "e.yml").write_text(short, "utf-8")
    (tmp_path / "s.yml").write_text(SAMPLE, "utf-8")
    return ["simulate", "-e", tmp_path / "e.yml", "-o", tmp_path / "out"]


def test_points_truth_and_experiment(command: Command, words: list[object], tmp_path: Path) -> None:
    answer = command(*words, "-s", tmp_path / "s.yml", "--seed", 7, "--name", "Ni")
    assert answer.code == 0
    last = answer.events[-1]
    assert (last["seed"], last["points"]) == (7, [str(tmp_path / "out" / "Ni_0001.h5")])
    files = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    assert files == {"Ni_0001.h5", "truth/Ni_0001.h5", "experiment.yml"}


def test_one_file_per_frame(command: Command, words: list[object], tmp_path: Path) -> None:
    assert command(*words, "-s", tmp_path / "s.yml", "--layout", "series").code == 0
    frames = sorted(path.name for path in (tmp_path / "out" / "point_0001").iterdir())
    assert frames == [f"point_0001_{number}.h5" for number in (1, 2, 3)]


def test_an_image_is_one_point(command: Command, words: list[object], tmp_path: Path) -> None:
    (tmp_path / "s.yml").write_text("{scan: {n_x: 2}}", "utf-8")
    answer = command(*words, "-s", tmp_path / "s.yml", "--image", tmp_path / "none.tif")
    assert answer.code == 2
    assert "an image gives one point, but the scan has more; remove scan" in answer.err
