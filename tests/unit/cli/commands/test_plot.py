"""``plot`` refuses what it cannot draw before it reads anything."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

from tests.unit.io.made_up_results import WHOLE, write_some

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


def test_resolution_and_kind_reach_the_figure(command: Command, tmp_path: Path) -> None:
    result = tmp_path / "r.h5"
    write_some(result, WHOLE)
    sizes = []
    for dpi in (40, 80):
        figure = tmp_path / f"{dpi}.png"
        assert command("plot", result, "-o", figure, "--kind", "error", "--dpi", dpi).code == 0
        sizes.append(struct.unpack(">I", figure.read_bytes()[16:20])[0])
    assert sizes[1] == 2 * sizes[0]
    assert command("plot", result, "-o", tmp_path / "x.png", "--dpi", 100_000).code == 2
    assert not (tmp_path / "x.png").exists()


def test_an_animation_is_a_gif_and_nothing_else_is(command: Command, tmp_path: Path) -> None:
    result = tmp_path / "r.h5"
    write_some(result, WHOLE)
    wrong = command("plot", result, "-o", tmp_path / "f.png", "--kind", "animation")
    assert wrong.code == 2
    assert "use .gif" in wrong.err
    film = ("plot", result, "-o", tmp_path / "f.gif", "--kind", "animation", "--dpi", 20)
    assert command(*film, "--depth", 3).code == 2
    assert not (tmp_path / "f.gif").exists()
    assert command(*film).code == 0
    assert (tmp_path / "f.gif").read_bytes().startswith(b"GIF89a")
