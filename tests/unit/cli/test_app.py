"""The program as a whole: version, help, and failures told in its own words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from lauedepth.cli import app
from lauedepth.cli.exit_codes import TerminatedError
from lauedepth.core.version import __version__

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command


def test_the_version(command: Command) -> None:
    answer = command("--version")
    assert (answer.code, answer.out) == (0, f"lauedepth {__version__}\n")


def test_without_words_it_shows_its_help(command: Command) -> None:
    answer = command()
    assert answer.code == 0
    for name in ("simulate", "check", "reconstruct", "watch", "status", "plan"):
        assert name in answer.out


@pytest.mark.parametrize("words", [["reconstruct", "-h"], ["reconstruct", "--help"]])
def test_help_shows_flags_as_flags(command: Command, words: list[str]) -> None:
    answer = command(*words)
    assert answer.code == 0
    (line,) = (one for one in answer.out.splitlines() if "--resume" in one)
    assert "<bool>" not in line


@pytest.mark.parametrize("name", ["", *sorted(app.built_command().commands)])
def test_help_names_what_is_given_and_no_types_of_python(command: Command, name: str) -> None:
    answer = command(*([name] if name else []), "--help")
    assert answer.code == 0
    assert "--help" in answer.out
    assert re.findall(r"<(?:list|str|int|float|bool|path|Path)\b", answer.out) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["reconstrct"], "No such command 'reconstrct'"),
        (["plot", "r.h5"], "Missing option '--output' / '-o'; see 'lauedepth plot --help'"),
        (["plan", "--points", "0"], "see 'lauedepth plan --help'"),
    ],
)
def test_wrong_usage_is_one_line(command: Command, words: list[str], says: str) -> None:
    answer = command(*words)
    assert answer.code == 2
    assert says in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("stop", "code", "cause"),
    [(KeyboardInterrupt(), 130, "Ctrl-C"), (TerminatedError(), 143, "SIGTERM")],
)
def test_being_stopped_points_to_resume(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    stop: BaseException,
    code: int,
    cause: str,
) -> None:
    def stopped(*_: object) -> None:
        raise stop

    monkeypatch.setattr("lauedepth.cli.commands.files.reporter_for", stopped)
    answer = command("validate", "p.h5")
    assert answer.code == code
    assert f"stopped by {cause}; reconstruct continues with --resume" in answer.err


def test_a_missing_package_names_its_extra(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'mpi4py'", name="mpi4py")

    monkeypatch.setattr("lauedepth.cli.commands.files.reporter_for", missing)
    answer = command("validate", "p.h5")
    assert answer.code == 1
    assert "package mpi4py is not installed; pip install 'lauedepth[mpi]'" in answer.err


def test_every_extra_is_declared() -> None:
    from importlib.metadata import metadata

    assert set(app.EXTRAS.values()) <= set(metadata("lauedepth").get_all("Provides-Extra") or [])
