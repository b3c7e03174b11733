"""Commands that several ranks run: one of them speaks, all end with the same code."""

from __future__ import annotations

import os
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
import typer

from lauedepth.cli import ranks
from lauedepth.cli.ranks import SilentReporter, ranks_of_launcher, reporter_of
from lauedepth.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lauedepth.tasks.parallel.team import Team


class Seen:
    """Stands in for a team: notes the code it is left with."""

    def __init__(self, rank: int) -> None:
        self.is_first = rank == 0
        self.code: int | None = None

    @contextmanager
    def signals_noticed(self) -> Iterator[None]:
        yield

    def leave(self, code: int) -> None:
        self.code = code


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each test with an environment of its own and no launcher in it."""
    for name in list(os.environ):
        if name.startswith(("OMPI_", "MV2_", "PALS_", "PMI", "SLURM_")):
            monkeypatch.delenv(name)
    for name in ranks.MATHS_THREADS:
        monkeypatch.setenv(name, "1")


def launched(monkeypatch: pytest.MonkeyPatch, team: Seen | None) -> None:
    monkeypatch.setenv("PMI_RANK", "0")
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setattr(ranks, "join_team", lambda launch, environment: team)


def test_a_process_by_itself_is_no_rank() -> None:
    with ranks_of_launcher() as team:
        assert team is None


def test_a_launcher_of_one_rank_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    launched(monkeypatch, None)
    with ranks_of_launcher() as team:
        assert team is None


def test_a_failure_ends_all_ranks_and_the_first_alone_raises_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, other = Seen(0), Seen(1)
    launched(monkeypatch, first)
    with pytest.raises(InputError), ranks_of_launcher():
        raise InputError("is damaged")
    launched(monkeypatch, other)
    with pytest.raises(typer.Exit) as ended, ranks_of_launcher():
        raise InputError("is damaged")
    assert first.code == other.code == ended.value.exit_code == 1


def test_only_the_first_rank_says_anything(capsys: pytest.CaptureFixture[str]) -> None:
    def reporter(rank: int) -> object:
        return reporter_of(
            cast("Team", SimpleNamespace(is_first=rank == 0)), as_json=True, quiet=False
        )

    assert not isinstance(reporter(0), SilentReporter)
    assert not isinstance(reporter_of(None, as_json=True, quiet=False), SilentReporter)
    silent = reporter(1)
    assert isinstance(silent, SilentReporter)
    silent.show("result", {}, "text")
    silent.warn("careful")
    with silent.progress("point") as progress:
        progress("decode", 1, 2)
    assert capsys.readouterr() == ("", "")
