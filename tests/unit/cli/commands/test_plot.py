"""``plot`` refuses what it cannot draw before it reads anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command


def test_an_unknown_format(command: Command, tmp_path: Path) -> None:
    answer = command("plot", tmp_path / "none.h5", "-o", tmp_path / "figure.gif")
    assert answer.code == 2
    assert "the format '.gif' is not supported; use .png, .pdf or .svg" in answer.err


def test_a_result_that_is_not_there(command: Command, tmp_path: Path) -> None:
    answer = command("plot", tmp_path / "none.h5", "-o", tmp_path / "figure.png")
    assert answer.code == 1
    assert "none.h5" in answer.err
    assert not (tmp_path / "figure.png").exists()
