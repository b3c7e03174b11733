"""The loop that keeps points moving: look, start, sweep, rest."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lauedepth.pipeline import memory
from lauedepth.pipeline.catalog import (
    ACTIVE,
    FINAL,
    POINTS,
    Catalog,
    Holder,
    PointRow,
    PointState,
    SourceRow,
)
from lauedepth.pipeline.disk import GB, DiskGuard
from lauedepth.pipeline.engine import Engine, StepRunner
from lauedepth.pipeline.errors import CatalogError, InputError
from lauedepth.pipeline.flow import Flow, Means
from lauedepth.pipeline.protocols import Source
from lauedepth.pipeline.settings import Settings
from lauedepth.pipeline.settling import Watcher

LOG: Final = logging.getLogger("lauedepth.live")

BEAT_S: Final = 5.0
"""How often the driver says that it lives."""

DISK: Final = "disk"

AHEAD: Final = 2
"""Points staged ahead, so that a free slot never waits for a copy."""


BREAKDOWNS: Final = 5
"""How often work on one point may break down inside the pipeline before the point has failed."""

STALLED_S: Final = 60.0
"""A run that the engine has not begun by then is begun anew."""


class Driver:
    """Moves the points of a catalog. Whoever makes one must `hold` the catalog.

    Parameters
    ----------
    open_source : callable
        Makes the source that a row of the catalog describes.
    """

    def __init__(
        self,
        catalog: Catalog,
        means: Means,
        settings: Settings,
        open_source: Callable[[SourceRow], Source],
    ) -> None:
        self._catalog, self._settings, self._open_source = catalog, settings, open_source
        self._scheduler, self._folders = means.scheduler, means.folders
        places = (self._folders.work, self._folders.results)
        self._guard = DiskGuard(places, settings.keep_free_gb * GB)
        self._flow = Flow(
            catalog,
            means,
            full=lambda: bool(self._guard.objection()),
            stopped=lambda point_id: point_id in self._stopped,
        )
        self._engine = Engine(catalog, self._process)
        self._watchers: dict[int, Watcher] = {}
        self._wake = threading.Event()
        self._in_flight: dict[int, float] = {}
        self._begun: set[int] = set()
        self._stopped: set[int] = set()
        self._breakdowns: dict[int, int] = {}
        self._draining = False
        self._most = settings.in_flight or means.scheduler.slots + AHEAD
        self._stirred = self._worked = self._ended = False
        self._hold_until = self._next_look = self._next_glance = self._next_beat = 0.0
        self._notices: dict[str, str] = {}

    def wake(self) -> None:
        """Look at the sources soon: something happened there."""
        self._stirred = True
        self._wake.set()

    def drain(self) -> None:
        """Start nothing more, and return from `run` when nothing is in flight."""
        self._draining = True
        self._wake.set()

    def run(self, me: Holder, until_done: bool = False) -> None:
        """Drive until drained, or until every point has ended."""
        memory.share_one_heap()
        now = time.monotonic()
        for point_id, run in self._engine.launch():
            point = self._catalog.point(point_id)
            if point.run == run and point.state in ACTIVE:
                self._in_flight[point_id] = now
        try:
            while not self._turn(me, until_done):
                self._tidy_memory()
                self._wake.wait(max(0.01, self._next_look - time.monotonic()))
                self._wake.clear()
            self._sweep()
            self._beat(me)
        finally:
            self._engine.close()

    def _turn(self, me: Holder, until_done: bool) -> bool:
        """Do what is due, and return whether that was all."""
        now = time.monotonic()
        try:
            if now >= self._next_look:
                rest = self._look()
                self._next_look = now + max(self._settings.poll_s, rest)
                self._next_glance = now + rest
                self._ended = True  # a person may have ended points beside this driver
            elif self._stirred and now >= self._next_glance:
                self._next_glance = now + self._look(glance=True)
            self._advance(now)
            if self._ended:
                self._ended = False
                self._sweep()
            if now >= self._next_beat:
                self._beat(me)
                self._next_beat = now + BEAT_S
            return self._is_over(until_done)
        except CatalogError as error:
            LOG.error("%s; another try in %.0f s", error, BEAT_S)
            self._next_look = now + BEAT_S
            return False

    def _tidy_memory(self) -> None:
        """Give memory back each time that work has run out."""
        if self._in_flight:
            self._worked = True
        elif self._worked:
            self._worked = False
            memory.give_back()

    def _is_over(self, until_done: bool) -> bool:
        if self._in_flight:
            return False
        if self._draining:
            return True
        if not until_done or self._catalog.points(POINTS.c.state.not_in(FINAL), limit=1):
            return False
        return not self._catalog.coming()

    def _look(self, glance: bool = False) -> float:
        """Look at every source, also those added beside this driver; return how long to rest."""
        rest = 0.0
        self._stirred = False
        for row in self._catalog.sources():
            try:
                if row.id not in self._watchers:
                    source = self._open_source(row)
                    watcher = Watcher(self._catalog, row, source, self._settings)
                    self._watchers[row.id] = watcher
                watcher = self._watchers[row.id]
                watcher.refresh()
                rest += watcher.poll(glance)
                self._say(row.folder, "")
            except InputError as error:
                self._say(row.folder, f"paused: {error}")
        return rest

    def _advance(self, now: float) -> None:
        active = self._catalog.points(POINTS.c.state.in_(ACTIVE))
        self._take_back_lost(active, now)
        self._stopped = {
            i for i in set(self._in_flight) if i not in {p.id for p in active}
        } & self._begun
        self._dispatch(active, now)

    def _take_back_lost(self, active: list[PointRow], now: float) -> None:
        """Put points back whose run broke down or never began."""
        for point_id, since in list(self._in_flight.items()):
            if point_id not in self._begun and now - since > STALLED_S:
                del self._in_flight[point_id]
        for point in active:
            if point.id in self._in_flight:
                continue
            broken = self._breakdowns.get(point.id, 0)
            if broken >= BREAKDOWNS:
                text = f"the pipeline broke down on it {broken} times; see its log"
                self._catalog.finish(point.id, PointState.FAILED, text, only=ACTIVE)
            else:
                self._catalog.requeue(point.id, "taken up again")

    def _dispatch(self, active: list[PointRow], now: float) -> None:
        coming = [p.size for p in active if p.state is PointState.STAGING]
        while not self._draining and now >= self._hold_until:
            if len(self._in_flight) >= self._most:
                return
            point = self._catalog.next_waiting()
            if point is None:
                self._say(DISK, "")
                return
            coming.append(point.size)
            objection = self._guard.objection(coming)
            self._say(DISK, objection)
            if objection or point.id in self._in_flight:
                return
            self._start(point, now)

    def _start(self, point: PointRow, now: float) -> None:
        run = self._catalog.dispatch(point)
        self._in_flight[point.id] = now
        try:
            self._engine.start(point.id, run)
        except CatalogError:
            del self._in_flight[point.id]
            raise

    def _say(self, about: str, notice: str) -> None:
        """Tell once what work waits for; an empty notice says that it no longer does."""
        if notice and about not in self._notices:
            LOG.warning("%s", notice)
        if notice:
            self._notices[about] = notice
        else:
            self._notices.pop(about, None)

    def _process(self, point_id: int, run: int, step: StepRunner) -> None:
        """Work on a point in a thread of the engine; what breaks here is taken back by the loop."""
        self._begun.add(point_id)
        try:
            self._flow.process(point_id, run, step)
        except Exception as error:
            if not isinstance(error, CatalogError):
                self._breakdowns[point_id] = self._breakdowns.get(point_id, 0) + 1
            self._hold_until = time.monotonic() + BEAT_S
            LOG.exception("point %d: the pipeline broke down", point_id)
            raise
        finally:
            self._begun.discard(point_id)
            self._in_flight.pop(point_id, None)
            self._ended = True
            self._wake.set()

    def _sweep(self) -> None:
        """Delete staged files of ended points, but for the last few."""
        ended = self._catalog.points(POINTS.c.staged, POINTS.c.state.in_(FINAL))
        ended = [point for point in ended if point.id not in self._in_flight]
        ended.sort(key=lambda point: point.finished or 0.0, reverse=True)
        swept = ended[self._settings.keep_staged :]
        for point in swept:
            shutil.rmtree(self._folders.point(point.id), ignore_errors=True)
        for name in self._catalog.unstage(swept) if swept else ():
            self._scheduler.forget(name)

    def _beat(self, me: Holder) -> None:
        self._catalog.beat(
            pid=me.pid,
            host=me.host,
            since=me.since,
            slots=self._scheduler.slots,
            notice="; ".join(self._notices.values()),
        )


def watch_events(folder: Path, wake: Callable[[], None], stop: threading.Event) -> None:
    """Call `wake` when the system reports a change below a folder, until stopped.

    Only a help: what network mounts do not report is found by looking again.
    """
    from watchfiles import watch  # noqa: PLC0415 (an accelerator, absent in a plain install)

    for _ in watch(folder, stop_event=stop, rust_timeout=5000, yield_on_timeout=False):
        wake()
