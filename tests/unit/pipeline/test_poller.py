"""A look serves all who wait, and what it cannot tell it does not invent."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from lauedepth.pipeline.errors import UnreachableError
from lauedepth.pipeline.poller import Poller
from lauedepth.pipeline.protocols import JobReport, JobRequest, JobState


class Fake:
    """A scheduler that says what it is told to say, unless it is away."""

    slots, look_every_s = 300, 5.0

    def __init__(self) -> None:
        self.states: dict[str, JobState] = {}
        self.looks: list[frozenset[str]] = []
        self.forgotten: list[str] = []
        self.away = False
        self.meanwhile: Callable[[], None] = lambda: None

    def _reach(self) -> None:
        if self.away:
            raise UnreachableError("no route", "polaris")

    def submit(self, request: JobRequest) -> None:
        self._reach()
        self.states[request.name] = JobState.RUNNING

    def reports(self, names: Collection[str]) -> dict[str, JobReport]:
        self.looks.append(frozenset(names))
        self._reach()
        seen = {name: JobReport(self.states.get(name, JobState.LOST)) for name in names}
        self.meanwhile()
        return seen

    def cancel(self, name: str) -> None:
        self._reach()
        self.states.pop(name)

    def forget(self, name: str) -> None:
        self._reach()
        self.forgotten.append(name)


class Bench:
    def __init__(self) -> None:
        self.now, self.fake = 0.0, Fake()
        self.poller = Poller(self.fake, lambda: self.now)

    def submit(self, *names: str) -> None:
        for name in names:
            self.poller.submit(JobRequest(name, (), Path("/")))

    def state(self, name: str) -> JobState:
        return self.poller.report(name).state


@pytest.fixture
def at() -> Bench:
    return Bench()


def test_three_hundred_jobs_are_one_question_a_look(at: Bench) -> None:
    names = [f"job-{number}" for number in range(300)]
    at.submit(*names)
    for now in (0.0, 4.9, 5.0):
        at.now = now
        assert {at.state(name) for name in names} == {JobState.RUNNING}
    assert at.fake.looks == [frozenset(names)] * 2


def test_a_look_that_began_before_a_job_was_submitted_does_not_call_it_lost(at: Bench) -> None:
    at.submit("early")
    at.fake.meanwhile = lambda: at.submit("late")
    assert at.state("early") is JobState.RUNNING
    assert at.state("late") is JobState.UNKNOWN
    at.fake.meanwhile, at.now = lambda: None, 5.0
    assert at.state("late") is JobState.RUNNING


def test_a_name_submitted_again_is_unknown_until_the_next_look(at: Bench) -> None:
    at.submit("a")
    at.fake.states.clear()
    assert at.state("a") is JobState.LOST
    at.submit("a")
    assert at.state("a") is JobState.UNKNOWN


def test_a_scheduler_that_is_away_says_nothing_about_jobs(at: Bench) -> None:
    at.submit("a")
    assert at.state("a") is JobState.RUNNING
    at.fake.away, at.now = True, 5.0
    assert at.state("a") is JobState.UNKNOWN
    assert at.poller.trouble == "polaris: no route; waiting for it"
    with pytest.raises(UnreachableError):
        at.poller.cancel("a")
    at.fake.away, at.now = False, 10.0
    assert at.state("a") is JobState.RUNNING
    assert not at.poller.trouble


def test_what_is_to_be_forgotten_is_forgotten_once_the_scheduler_is_back(at: Bench) -> None:
    at.submit("a", "b")
    at.fake.away = True
    at.poller.forget("a")
    assert not at.fake.forgotten
    at.fake.away = False
    at.state("b")
    at.now = 5.0
    at.state("b")
    assert at.fake.forgotten == ["a"]


def test_a_job_that_nobody_waits_for_is_not_asked_for(at: Bench) -> None:
    at.submit("a", "b")
    at.poller.end("a")
    at.state("b")
    assert at.fake.looks == [frozenset({"b"})]
