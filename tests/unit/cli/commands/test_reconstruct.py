"""Where results go, and what is reported of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from lauedepth.cli.commands.reconstruct import _report_all, _report_result, outputs_for
from lauedepth.cli.ranks import SilentReporter
from lauedepth.core.errors import ConfigurationError, OutputError
from lauedepth.core.notices import Notice, note, warning
from lauedepth.tasks.reconstruct import Summary

if TYPE_CHECKING:
    from collections.abc import Mapping


class Notes(SilentReporter):
    """Writes down what it is shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, dict[str, Any], str]] = []
        self.notices: list[Notice] = []

    def show(self, event: str, values: Mapping[str, Any], text: object) -> None:
        self.shown.append((event, dict(values), str(text)))

    def notice(self, notice: Notice) -> None:
        self.notices.append(notice)


def test_one_point_has_the_output_s_own_name_and_several_a_folder(tmp_path: Path) -> None:
    (tmp_path / "p.1.h5").touch()
    (tmp_path / "series").mkdir()
    one, two = tmp_path / "p.1.h5", tmp_path / "series"
    assert outputs_for([one], tmp_path / "r.h5") == [tmp_path / "r.h5"]
    assert outputs_for([one], tmp_path) == [tmp_path / "p.1.h5"]
    out = tmp_path / "new" / "out"
    assert outputs_for([one, two], out) == [out / "p.1.h5", out / "series.h5"]
    assert out.is_dir()


def test_two_points_never_get_one_result(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="two points are called p"):
        outputs_for([tmp_path / "a" / "p", tmp_path / "b" / "p"], tmp_path / "out")


def test_a_folder_that_cannot_be_made_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be created"):
        outputs_for([Path("a"), Path("b")], tmp_path / "file" / "out")


def test_a_result_says_what_became_of_its_pixels_and_blocks() -> None:
    notes = Notes()
    ignored, lost = note("keys-ignored", "one key"), warning("frames-lost", "3 lost", "p.h5")
    summary = Summary(
        point=Path("p.h5"),
        output=Path("r.h5"),
        backend="cpu",
        pixels=12,
        statuses={"decoded": 10, "dark": 2},
        depths_found=11,
        resumed_blocks=3,
        blocks=4,
        seconds={"decode": 1.25},
        notices=(ignored, lost),
    )
    _report_result(notes, summary, [ignored])
    ((event, values, text),) = notes.shown
    assert event == "result"
    assert values["statuses"] == {"decoded": 10, "dark": 2}
    assert "12 pixels: 10 decoded, 2 dark; 11 depths" in text
    assert "3 of 4 blocks" in text
    assert values["notices"] == (ignored, lost)
    assert notes.notices == [lost]


def test_failed_points_end_the_command_with_1() -> None:
    notes = Notes()
    _report_all(notes, 1, 0)
    assert notes.shown == []
    _report_all(notes, 3, 0)
    with pytest.raises(typer.Exit) as ended:
        _report_all(notes, 3, 1)
    assert ended.value.exit_code == 1
    assert [values for _, values, _ in notes.shown] == [
        {"points": 3, "done": 3, "failed": 0},
        {"points": 3, "done": 2, "failed": 1},
    ]
