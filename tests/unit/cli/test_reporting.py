"""What people see and what programs read, of the same things."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lauedepth.cli.reporting import (
    JsonReporter,
    TerminalReporter,
    one_line,
    report_error,
    reporter_for,
)
from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.core.notices import note, warning

Said = pytest.CaptureFixture[str]


@dataclass(frozen=True)
class Found:
    """Something with fields, one of them unknown."""

    depth_um: float
    energy_kev: float


def test_values_become_plain_json(capsys: Said) -> None:
    values = {"path": Path("a/b.h5"), "shape": (2, 3), "found": [Found(1.5, np.nan)]}
    JsonReporter().show("result", values | {"counts": np.arange(3)}, "for people")
    assert json.loads(capsys.readouterr().out) == {
        "event": "result",
        "path": "a/b.h5",
        "shape": [2, 3],
        "found": [{"depth_um": 1.5, "energy_kev": None}],
        "counts": [0, 1, 2],
    }


def test_progress_is_printed_once_a_second_and_at_the_end(capsys: Said) -> None:
    times = iter([0.0, 0.3, 1.1, 1.2, 1.3])
    with JsonReporter(clock=lambda: next(times)).progress("p.h5") as progress:
        for done in range(1, 6):
            progress("decode", done, 5)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["done"] for event in events] == [1, 3, 5]
    assert events[0] == {
        "event": "progress",
        "of": "p.h5",
        "stage": "decode",
        "done": 1,
        "total": 5,
    }


def test_people_see_text_on_stdout_and_warnings_on_stderr(capsys: Said) -> None:
    reporter = TerminalReporter()
    reporter.show("result", {"a": 1}, "3 images in out")
    reporter.warn("the pose does not hold", "p.h5")
    said = capsys.readouterr()
    assert said.out == "3 images in out\n"
    assert said.err == "warning: p.h5: the pose does not hold\n"


def test_a_notice_is_a_line_for_people_and_its_parts_for_programs(capsys: Said) -> None:
    told = note("range-cut", "has 3 frames", "p.h5", "give fewer")
    TerminalReporter().notice(told)
    JsonReporter().notice(told)
    said = capsys.readouterr()
    assert said.err == "note: p.h5: has 3 frames; give fewer\n"
    event = json.loads(said.out)
    assert event == told.as_dict() | {"event": "note", "message": "has 3 frames; give fewer"}


def test_a_pipe_gets_text_and_a_program_that_asks_json(capsys: Said) -> None:
    for as_json, wanted in ((False, "all well\n"), (True, '{"event": "result", "n": 1}\n')):
        reporter_for(as_json).show("result", {"n": 1}, "all well")  # pytest's stdout is a pipe
        assert capsys.readouterr().out == wanted


def test_a_log_has_no_bars(capsys: Said) -> None:
    with reporter_for(as_json=False).progress("scan") as report:
        for done in range(5):
            report("decode", done, 4)
    assert "\x1b" not in capsys.readouterr().err


def test_an_error_is_one_line_and_one_event(capsys: Said) -> None:
    report_error(InputError("is\ntruncated", "p.h5", "wait"), as_json=True)
    said = capsys.readouterr()
    assert said.err == "lauedepth: p.h5: is truncated; wait\n"
    event = json.loads(said.out)
    assert (event["kind"], event["where"], event["remedy"]) == ("InputError", "p.h5", "wait")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileNotFoundError(2, "No such file or directory", "x.h5"), "x.h5: no such file or dir"),
        (MemoryError(), "out of memory; lower --memory"),
        (ZeroDivisionError("division"), "unexpected ZeroDivisionError: division; report it"),
    ],
)
def test_other_failures_are_one_line_too(error: Exception, line: str) -> None:
    assert one_line(error).startswith(line)


def test_the_quiet_hear_of_trouble_only(capsys: Said) -> None:
    reporter = reporter_for(as_json=False, quiet=True)
    reporter.show("result", {"n": 1}, "all well")
    reporter.notice(note("range-cut", "has 3 frames"))
    with reporter.progress("scan") as report:
        report("decode", 1, 2)
    assert capsys.readouterr() == ("", "")
    reporter.warn("the pose does not hold", "p.h5")
    reporter.notice(warning("frames-lost", "3 are lost", "p.h5"))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "warning: p.h5: the pose does not hold\nwarning: p.h5: 3 are lost\n"


def test_silence_and_json_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="--json and --quiet: exclude each other"):
        reporter_for(as_json=True, quiet=True)
