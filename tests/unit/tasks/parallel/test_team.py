"""A team of one: work in a thread, messages to itself, failures raised once."""

from __future__ import annotations

import signal
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from lauedepth.core.errors import InputError, LaueDepthError
from lauedepth.tasks.parallel.failures import StoppedError
from lauedepth.tasks.parallel.launch import Seat
from lauedepth.tasks.parallel.team import Team

if TYPE_CHECKING:
    from collections.abc import Iterator


class NoMail:
    """Stands in for MPI: nobody else is there."""

    def pause(self) -> float:
        return 0.001

    def received(self) -> Iterator[tuple[int, Any]]:
        return iter(())

    def expect_more(self) -> None:
        """Nothing comes."""


@pytest.fixture
def team() -> Team:
    done = SimpleNamespace(Test=lambda: True)
    comm = SimpleNamespace(Get_rank=lambda: 0, Get_size=lambda: 1, Ibcast=lambda buffer, root: done)
    alone = Team(cast("Any", comm))
    alone.seats = [Seat("here", frozenset({0}), None)]
    alone._mail = cast("Any", NoMail())
    return alone


def test_work_posts_to_the_main_thread_and_returns(team: Team) -> None:
    heard: list[tuple[int, object]] = []

    def work() -> str:
        team.post("news", 7)
        return "done"

    handlers = {"news": lambda rank, content: heard.append((rank, content))}
    assert team.together(lambda: team.work(work, handlers)) == "done"
    assert heard == [(0, 7)]


def test_values_are_exchanged_and_shared(team: Team) -> None:
    assert team.together(lambda: team.exchange("mine")) == ["mine"]
    assert team.together(lambda: team.share({"large": [1]})) == {"large": [1]}
    assert team.together(lambda: team.share(None)) is None


@pytest.mark.parametrize("error", [InputError("is damaged", "p.h5"), ValueError("odd")])
def test_a_failure_in_the_working_thread_is_raised_as_one_of_ours(
    team: Team, error: Exception
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(LaueDepthError, match=r"is damaged|ValueError: odd"):
        team.together(lambda: team.work(fail))
    assert not team.broken
    assert team.together(lambda: team.work(lambda: 3)) == 3


def test_a_signal_stops_the_work_and_is_raised_again(team: Team) -> None:
    raised: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: raised.append(number))

    def wait() -> None:
        signal.raise_signal(signal.SIGTERM)
        while True:
            team.raise_if_stopping()

    try:
        with team.signals_noticed(), suppress(StoppedError):
            team.together(lambda: team.work(wait))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert raised == [signal.SIGTERM]
    assert team.stopping.is_set()


def test_a_rank_is_named_with_its_host(team: Team) -> None:
    assert team.name_of(0) == "rank 0 on here"
    assert team.name_of(5) == "rank 5"
    assert team.local_ranks() == [0]
