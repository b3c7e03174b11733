"""``validate``, ``export`` and ``schema``: what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
from tests.unit.io.made_up_results import WHOLE, write_some

from lauedepth.io import nexus_checker

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command


def test_one_invalid_file_makes_the_whole_invalid(command: Command, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.h5", tmp_path / "bad.h5"
    with h5py.File(good, "w") as file:
        file["entry1/data/data"] = np.zeros((3, 4, 5), np.uint16)
    bad.write_text("no HDF5")
    assert command("validate", good).code == 0
    answer = command("validate", good, bad)
    assert answer.code == 1
    assert [event["valid"] for event in answer.events] == [True, False]
    assert answer.events[1]["reasons"]


def test_validate_says_whether_nexus_was_asked(command: Command, tmp_path: Path) -> None:
    result = tmp_path / "r.h5"
    write_some(result, WHOLE)
    (event,) = command("validate", result).events
    assert (event["valid"], event["nexus"]) == (True, nexus_checker())
    with h5py.File(result, "a") as file:
        del file["entry1/depth_map/row"]
        file["entry1/depth_map/row"] = np.arange(3.0)
    assert command("validate", result).code == (1 if nexus_checker() else 0)


def test_export_refuses_names_with_folders(command: Command, tmp_path: Path) -> None:
    answer = command("export", "r.h5", "-o", tmp_path / "out", "--name", "../up")
    assert answer.code == 2
    assert "'../up' is not a plain name" in answer.err
    assert not (tmp_path / "out").exists()


def test_schemas_are_json(command: Command) -> None:
    assert "detector" in json.loads(command("schema").out)["properties"]
    assert "flaws" in json.loads(command("schema", "--simulation").out)["properties"]
