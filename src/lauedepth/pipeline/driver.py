"""The main loop of the pipeline: look for points, start work, clean up, wait."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from lauedepth.pipeline import memory
from lauedepth.pipeline.breakdowns import Breakdowns
from lauedepth.pipeline.catalog import (
    ACTIVE,
    FINAL,
    POINTS,
    UNFINISHED,
    Catalog,
    Holder,
    PointRow,
    PointState,
    SourceRow,
)
from lauedepth.pipeline.engine import Engine, StepRunner
from lauedepth.pipeline.errors import CatalogError, HeldError, InputError
from lauedepth.pipeline.flow import Flow, Means
from lauedepth.pipeline.overtime import time_limit
from lauedepth.pipeline.protocols import Source
from lauedepth.pipeline.settings import Settings
from lauedepth.pipeline.settling import Watcher

LOG: Final = logging.getLogger("lauedepth.live")

BEAT_S: Final = 5.0
"""Interval of the driver's heartbeat."""

DISK: Final = "disk"
TROUBLE: Final = "trouble"
SITE: Final = "site"

AHEAD: Final = 2
"""Points staged in advance, so that a free slot never waits for a copy."""

STALLED_S: Final = 60.0
"""Time after which a run that the engine has not started is started again."""


class Driver:
    """Moves the points of a catalog through the pipeline. Its owner must `hold` the catalog.

    Parameters
    ----------
    open_source : callable
        Opens the source that a row of the catalog describes.
    """

    def __init__(
        self,
        catalog: Catalog,
        means: Means,
        settings: Settings,
        open_source: Callable[[SourceRow], Source],
    ) -> None:
        self._catalog, self._settings, self._open_source = catalog, settings, open_source
        self._poller, self._folders = means.poller, means.folders
        self._guard = means.guard
        self._flow = Flow(
            catalog,
            means,
            limit_s=lambda: time_limit(catalog, settings.job_limit_s),
            stopped=self._is_stopped,
        )
        self._engine = Engine(catalog, self._process)
        self._watchers: dict[int, Watcher] = {}
        self._wake = threading.Event()
        self._in_flight: dict[int, float] = {}
        self._begun: set[int] = set()
        self._stopped: set[int] = set()
        self._replaced: HeldError | None = None
        self._breakdowns = Breakdowns(self._folders.work)
        self._draining = self._closing = False
        self._maximum = settings.in_flight or means.poller.slots + AHEAD
        self._changed = self._worked = self._ended = self._looked_last = False
        self._hold_until = self._next_look = self._next_glance = self._next_beat = 0.0
        self._notices: dict[str, str] = {}

    def wake(self) -> None:
        """Look at the sources soon: something has changed there."""
        self._changed = True
        self._wake.set()

    def drain(self) -> None:
        """Start nothing more, and return from `run` when nothing is in progress."""
        self._draining = True
        self._wake.set()

    def run(self, me: Holder, until_done: bool = False) -> None:
        """Run until drained, or until every point is in a final state.

        Raises
        ------
        HeldError
            If another driver has taken over. The jobs are left to it.
        """
        memory.share_one_heap()
        try:
            self._resume()
            while not self._turn(me, until_done):
                self._tidy_memory()
                self._wake.wait(max(0.01, self._next_look - time.monotonic()))
                self._wake.clear()
            with suppress(CatalogError):  # nothing is left to do; the next driver tidies up
                self._sweep()
                self._beat(me)
        except HeldError as error:
            self._replaced = error  # ends the threads that wait for jobs
            raise
        finally:
            self._closing = True
            self._engine.close()

    def _resume(self) -> None:
        now = time.monotonic()
        for point_id, run in self._engine.launch():
            point = self._catalog.point(point_id)
            if point.run == run and point.state in ACTIVE:
                self._in_flight[point_id] = now

    def _turn(self, me: Holder, until_done: bool) -> bool:
        """Do what is due, and return whether the driver is finished."""
        now = time.monotonic()
        if self._replaced is not None:
            raise self._replaced
        try:
            if now >= self._next_look:
                rest = self._look()
                self._next_look = now + max(self._settings.poll_s, rest)
                self._next_glance = now + rest
                self._ended = True  # a user may have skipped points meanwhile
            elif self._changed and now >= self._next_glance:
                self._next_glance = now + self._look(glance=True)
            self._advance(now)
            self._notify(SITE, self._poller.trouble)
            if self._ended:
                self._ended = False
                self._sweep()
            if now >= self._next_beat:
                self._beat(me)
                self._next_beat = now + BEAT_S
                self._notify(TROUBLE, "")
            return self._is_over(until_done)
        except (CatalogError, OSError) as error:
            self._notify(TROUBLE, f"{error}; trying again every {BEAT_S:.0f} s")
            self._next_look = now + BEAT_S
            return self._draining and not self._in_flight

    def _is_stopped(self, point_id: int) -> bool:
        """Return whether work on a point has been cancelled; raise if another driver has it."""
        if self._replaced is not None:
            raise HeldError(self._replaced.what, self._replaced.where)
        return point_id in self._stopped

    def _tidy_memory(self) -> None:
        """Return memory to the system whenever the work is done."""
        if self._in_flight:
            self._worked = True
        elif self._worked:
            self._worked = False
            memory.release_unused()

    def _is_over(self, until_done: bool) -> bool:
        if self._in_flight:
            return False
        if self._draining:
            return True
        if not until_done or self._catalog.points(POINTS.c.state.in_(UNFINISHED), limit=1):
            self._looked_last = False
            return False
        if self._catalog.coming():
            return False
        looked, self._looked_last = self._looked_last, True
        if not looked:  # a file may have changed since it was complete
            for watcher in self._watchers.values():
                watcher.look_at_everything()
            self._next_look = 0.0
        return looked

    def _look(self, glance: bool = False) -> float:
        """Look at every source, including newly added ones; return how long to rest (s)."""
        rest = 0.0
        self._changed = False
        for row in self._catalog.sources():
            try:
                if row.id not in self._watchers:
                    source = self._open_source(row)
                    watcher = Watcher(self._catalog, row, source, self._settings)
                    self._watchers[row.id] = watcher
                watcher = self._watchers[row.id]
                watcher.refresh()
                rest += watcher.poll(glance)
                self._notify(row.folder, watcher.notice)
            except InputError as error:
                self._notify(row.folder, f"paused: {error}")
        return rest

    def _advance(self, now: float) -> None:
        active = self._catalog.points(POINTS.c.state.in_(ACTIVE))
        self._requeue_lost(active, now)
        self._stopped = {
            i for i in set(self._in_flight) if i not in {p.id for p in active}
        } & self._begun
        self._dispatch(active, now)

    def _requeue_lost(self, active: list[PointRow], now: float) -> None:
        """Requeue points whose run broke down, never started, or was ended by another driver."""
        runs = {point.id: point.run for point in active}
        for point_id, since in list(self._in_flight.items()):
            if point_id in self._begun:
                continue
            ended = point_id in runs and self._engine.has_ended(point_id, runs[point_id])
            if ended or now - since > STALLED_S:
                self._in_flight.pop(point_id, None)
        for point in active:
            if point.id in self._in_flight:
                continue
            verdict = self._breakdowns.verdict(point.id)
            if verdict:
                self._catalog.finish(point.id, PointState.FAILED, verdict, only=ACTIVE)
            else:
                self._catalog.requeue(point.id, "restarted")

    def _dispatch(self, active: list[PointRow], now: float) -> None:
        coming = [p.size for p in active if p.state is PointState.STAGING]
        while not self._draining and now >= self._hold_until:
            if len(self._in_flight) >= self._maximum:
                return
            point = self._catalog.next_waiting()
            if point is None:
                self._notify(DISK, "")
                return
            coming.append(point.size)
            objection = self._guard.objection(coming)
            self._notify(DISK, objection)
            if objection or point.id in self._in_flight:
                return
            self._start(point, now)

    def _start(self, point: PointRow, now: float) -> None:
        run = self._catalog.dispatch(point)
        self._in_flight[point.id] = now
        self._stopped.discard(point.id)  # its earlier run may have ended in this very turn
        try:
            self._engine.start(point.id, run)
        except CatalogError:
            del self._in_flight[point.id]
            raise

    def _notify(self, about: str, notice: str) -> None:
        """Log once what the work waits for; an empty notice ends the wait."""
        if notice and about not in self._notices:
            LOG.warning("%s", notice)
        if notice:
            self._notices[about] = notice
        else:
            self._notices.pop(about, None)

    def _process(self, point_id: int, run: int, step: StepRunner) -> None:
        """Process a point in a thread of the engine; the main loop requeues it if this fails."""
        self._begun.add(point_id)
        try:
            self._flow.process(point_id, run, step)
        except HeldError as error:
            self._replaced = error
            raise
        except Exception as error:
            self._hold_until = time.monotonic() + BEAT_S
            self._tell(point_id, error)
            raise
        finally:
            self._begun.discard(point_id)
            self._in_flight.pop(point_id, None)
            self._ended = True
            self._wake.set()

    def _tell(self, point_id: int, error: Exception) -> None:
        """Tell why work on a point broke down, except where the driver itself ends.

        The engine is closed then, and cannot record how the steps of its threads ended.
        """
        if self._closing or self._replaced is not None:
            return
        if isinstance(error, CatalogError):
            LOG.error("point %d: %s; trying again", point_id, error)
        else:
            self._breakdowns.add(point_id, error)

    def _sweep(self) -> None:
        """Delete the staged files of finished points, except the most recent."""
        ended = self._catalog.points(POINTS.c.staged, POINTS.c.state.in_(FINAL))
        ended = [point for point in ended if point.id not in self._in_flight]
        ended.sort(key=lambda point: point.finished or 0.0, reverse=True)
        swept = ended[self._settings.keep_staged :]
        for point in swept:
            shutil.rmtree(self._folders.point(point.id), ignore_errors=True)
        for name in self._catalog.unstage(swept) if swept else ():
            self._poller.forget(name)

    def _beat(self, me: Holder) -> None:
        self._catalog.beat(
            pid=me.pid,
            host=me.host,
            since=me.since,
            slots=self._poller.slots,
            notice="; ".join(self._notices.values()),
        )


def watch_events(folder: Path, wake: Callable[[], None], stop: threading.Event) -> None:
    """Call `wake` when the system reports a change below a folder, until stopped.

    Only an accelerator: changes that network mounts do not report are found by polling.
    """
    from watchfiles import watch  # noqa: PLC0415 (optional: absent in a plain install)

    for _ in watch(folder, stop_event=stop, rust_timeout=5000, yield_on_timeout=False):
        wake()
