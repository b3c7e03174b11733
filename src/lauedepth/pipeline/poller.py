"""One look at a scheduler for all jobs in progress, however many threads wait for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from lauedepth.pipeline.errors import UnreachableError
from lauedepth.pipeline.protocols import JobReport, JobRequest, JobState, Scheduler

UNKNOWN: Final = JobReport(JobState.UNKNOWN)


class Poller:
    """Asks a scheduler for all its jobs at once, and no more often than it allows.

    Parameters
    ----------
    clock : callable
        Seconds from a clock that never jumps.

    Attributes
    ----------
    trouble : str
        Why the scheduler cannot be reached now; empty if it can.
    """

    def __init__(self, scheduler: Scheduler, clock: Callable[[], float] = time.monotonic) -> None:
        self._scheduler, self._clock = scheduler, clock
        self._guard, self._looking = threading.Lock(), threading.Lock()
        self._names: set[str] = set()
        self._unwanted: set[str] = set()
        self._reports: dict[str, JobReport] = {}
        self._due = 0.0
        self.trouble = ""

    @property
    def slots(self) -> int:
        """How many jobs run side by side."""
        return self._scheduler.slots

    def submit(self, request: JobRequest) -> None:
        """Submit a job; until the next look its state is unknown.

        Raises
        ------
        UnreachableError
            If the scheduler cannot be reached; `trouble` then says so.
        """
        self._reach(partial(self._scheduler.submit, request))
        with self._guard:
            self._names.add(request.name)
            self._reports.pop(request.name, None)

    def report(self, name: str) -> JobReport:
        """Return where a job stood at the last look, after looking again if that is due."""
        if self._looking.acquire(blocking=False):
            try:
                if self._clock() >= self._due:
                    self._look()
            finally:
                self._looking.release()
        with self._guard:
            return self._reports.get(name, UNKNOWN)

    def end(self, name: str) -> None:
        """Look at a job no more."""
        with self._guard:
            self._names.discard(name)
            self._reports.pop(name, None)

    def cancel(self, name: str) -> None:
        """Make sure that nothing of a job runs any more.

        Raises
        ------
        UnreachableError
            If the scheduler cannot be reached.
        """
        self._reach(partial(self._scheduler.cancel, name))

    def forget(self, name: str) -> None:
        """Delete what is kept about a finished job, or do so once the scheduler can be reached."""
        with self._guard:
            self._unwanted.add(name)
        self._tidy()

    def _look(self) -> None:
        """Ask for all jobs; what was submitted meanwhile stays unknown until the next look."""
        with self._guard:
            names = frozenset(self._names)
        try:
            self._reach(partial(self._take, names))
        except UnreachableError:
            with self._guard:
                self._reports.clear()
        self._due = self._clock() + self._scheduler.look_every_s

    def _take(self, names: frozenset[str]) -> None:
        found = self._scheduler.reports(names)
        with self._guard:
            self._reports = {n: report for n, report in found.items() if n in self._names}
        self._tidy()

    def _tidy(self) -> None:
        with self._guard:
            unwanted = tuple(self._unwanted)
        for name in unwanted:
            try:
                self._reach(partial(self._scheduler.forget, name))
            except UnreachableError:
                return
            with self._guard:
                self._unwanted.discard(name)

    def _reach(self, action: Callable[[], None]) -> None:
        try:
            action()
        except UnreachableError as error:
            self.trouble = f"{error}; waiting for it"
            raise
        self.trouble = ""
