"""When a point is complete: it is marked as such, or has not changed for long enough."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from lauedepth.pipeline.catalog import Catalog, PointRow, PointState, Priority, SourceRow
from lauedepth.pipeline.errors import InputError, NotAPointError, UnfinishedError
from lauedepth.pipeline.paths import printable
from lauedepth.pipeline.protocols import Sighting, Source
from lauedepth.pipeline.settings import Settings

LOG: Final = logging.getLogger("lauedepth.live")

REST_PER_CPU_SECOND: Final = 133.0
"""Rest after a look for news, per CPU second that it took: below 0.75 % of a core."""

FULL_PER_CPU_SECOND: Final = 400.0
"""Rest after a look at every file before the next, per CPU second: below 0.25 % of a core."""

FULL_PER_SECOND: Final = 10.0
"""The same per second that it took, to spare a slow mount."""


@dataclass
class _Watched:
    """What is known about a point's newest version; its first look does not count.

    So does the first one after an absence: a file that comes back may still be being written.
    """

    point_id: int
    version: int
    signature: str
    still: int = -1
    unreadable_since: float | None = None


class Watcher:
    """Compares a source with the catalog and records what is new.

    A file's rest is counted in looks, and durations are measured with a clock that never jumps:
    the wall clock and file times may.

    Parameters
    ----------
    catalog, row, source : Catalog, SourceRow, Source
        Where to record, and what to look at.
    settings : Settings
        How long to wait.
    clock : callable
        Seconds from a clock that never jumps.
    cpu_clock : callable
        CPU seconds that the thread has used.
    """

    def __init__(
        self,
        catalog: Catalog,
        row: SourceRow,
        source: Source,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._catalog, self._row, self._source = catalog, row, source
        self._settings, self._clock, self._cpu_clock = settings, clock, cpu_clock
        # Points present at the very first look are backlog: later ones go first.
        self._first = not row.scanned
        self._next_full: float | None = None
        self._known: dict[str, _Watched] = {}
        self._keys: dict[int, str] = {}
        self._arriving: set[str] = set()
        self._ignored_kinds: set[str] = set()
        self._absent: list[str] = []
        self._unfinished: dict[str, str] = {}
        for point in catalog.latest(row.id):
            self._learn(point)

    def poll(self, glance: bool = False) -> float:
        """Look once: add new points, and queue complete ones.

        Every file is looked at now and then, and those that are new or arriving each time. A
        glance is an extra look: it does not count as one in which a file was unchanged.

        Returns
        -------
        float
            Seconds to wait before the next look: as long as the look took, to spare a slow
            mount, and long enough to spare this machine's processor.
        """
        began, cpu = self._clock(), self._cpu_clock()
        full = self._next_full is None or (not glance and began >= self._next_full)
        seen = self._source.scan() if full else self._source.news(self._arriving)
        sightings = {sighting.key: sighting for sighting in seen}
        fresh = [s for s in sightings.values() if self._is_new(s)]
        took, used = self._clock() - began, self._cpu_clock() - cpu
        if full:
            self._next_full = began + max(FULL_PER_SECOND * took, FULL_PER_CPU_SECOND * used)
        if fresh:
            self._add(fresh)
        self._unfinished.clear()
        for sighting in seen:
            if _kept(sighting) in self._arriving:
                self._settle(self._known[_kept(sighting)], sighting, glance)
        self._note_absent(sightings)
        if self._first:
            self._catalog.mark_scanned(self._row.id)
            self._first = False
        return took if full else max(took, REST_PER_CPU_SECOND * used)

    def look_at_everything(self) -> None:
        """Look at every file at the next look."""
        self._next_full = None

    def refresh(self) -> None:
        """Update which points are arriving: a user may have retried or skipped some."""
        numbers = self._catalog.arriving(self._row.id)
        arriving = {self._keys[number] for number in numbers if number in self._keys}
        for key in arriving ^ self._arriving:
            self._known[key].still, self._known[key].unreadable_since = 0, None
        self._arriving = arriving

    @property
    def notice(self) -> str:
        """What the points wait for that were seen but cannot be taken; empty if there are none."""
        if not self._absent:
            return self._unfinished_notice()
        first, more = self._absent[0], len(self._absent) - 1
        others = f" and {more} more" if more else ""
        why = self._source.absence(first)
        return f"waiting for {printable(first)}{others} to come back: {why}"

    def _unfinished_notice(self) -> str:
        if not self._unfinished:
            return ""
        first, what = next(iter(self._unfinished.items()))
        more = len(self._unfinished) - 1
        others = f" (and {more} more)" if more else ""
        return f"waiting for the end of {printable(first)}{others}: {what}"

    def _note_absent(self, sightings: Iterable[str]) -> None:
        self._absent = sorted(self._arriving.difference(sightings))
        for key in self._absent:
            self._known[key].still, self._known[key].unreadable_since = -1, None

    def _learn(self, point: PointRow) -> None:
        earlier = self._known.get(point.key)
        if earlier is not None:
            self._keys.pop(earlier.point_id, None)
        self._known[point.key] = _Watched(point.id, point.version, point.signature)
        self._keys[point.id] = point.key
        if point.state is PointState.ARRIVING:
            self._arriving.add(point.key)
        else:
            self._arriving.discard(point.key)

    def _is_new(self, sighting: Sighting) -> bool:
        watched = self._known.get(_kept(sighting))
        if watched is None:
            return True
        changed = not sighting.refusal and sighting.signature != watched.signature
        return changed and sighting.key not in self._arriving

    def _add(self, fresh: list[Sighting]) -> None:
        rows = []
        for sighting in fresh:
            watched = self._known.get(_kept(sighting))
            version = 1 if watched is None else watched.version + 1
            if watched is not None:
                text = f"changed after it was complete: superseded by version {version}"
                waiting = (PointState.ARRIVING, PointState.WAITING)
                self._catalog.finish(watched.point_id, PointState.SUPERSEDED, text, only=waiting)
                LOG.warning("%s: %s", printable(sighting.key), text)
            if sighting.refusal:
                LOG.error("%s: %s", printable(sighting.key), sighting.refusal)
            rows.append((sighting, version))
        self._catalog.add_points(self._row.id, rows, self._priority())
        for point in self._catalog.latest(self._row.id, {_kept(sighting) for sighting in fresh}):
            self._learn(point)

    def _priority(self) -> int:
        return max(self._row.priority, Priority.BACKLOG if self._first else Priority.LIVE)

    def _settle(self, watched: _Watched, sighting: Sighting, glance: bool) -> None:
        if sighting.refusal:
            self._fail(watched, sighting, sighting.refusal)
            return
        if sighting.signature != watched.signature:
            watched.signature, watched.still, watched.unreadable_since = sighting.signature, 0, None
        elif not glance:
            watched.still += 1
        quiet = watched.still >= self._settings.still_polls and not self._row.marker_needed
        if sighting.marked or quiet:
            self._take(watched, sighting)

    def _take(self, watched: _Watched, sighting: Sighting) -> None:
        try:
            frames = self._source.check(sighting)
        except NotAPointError as error:
            self._ignore(watched, sighting, error.what)
            return
        except UnfinishedError as error:
            if not self._is_given_up(watched, sighting, error):
                self._unfinished[sighting.key] = error.what
                return
            frames = error.frames
            LOG.warning("%s: %s; taken as it is", printable(sighting.key), error.what)
        except InputError as error:
            if self._waited(watched) >= self._settings.unreadable_s:
                self._fail(watched, sighting, str(error))
            return
        self._catalog.complete(watched.point_id, sighting, frames)
        self._arriving.discard(sighting.key)
        LOG.info("%s: complete", printable(sighting.key))

    def _is_given_up(self, watched: _Watched, seen: Sighting, error: UnfinishedError) -> bool:
        """Return whether to take a point as it is; one that is open is waited for."""
        if seen.marked and error.frames:
            return True
        return not error.is_open and self._waited(watched) >= self._settings.unwritten_s

    def _waited(self, watched: _Watched) -> float:
        """Return for how long a point that no longer changes could not be taken (s)."""
        now = self._clock()
        if watched.unreadable_since is None:
            watched.unreadable_since = now
        return now - watched.unreadable_since

    def _ignore(self, watched: _Watched, sighting: Sighting, kind: str) -> None:
        self._catalog.change(watched.point_id, signature=sighting.signature)
        self._catalog.finish(watched.point_id, PointState.IGNORED, kind)
        self._arriving.discard(sighting.key)
        if kind not in self._ignored_kinds:
            self._ignored_kinds.add(kind)
            LOG.info("%s: %s; ignored, like all such files", printable(sighting.key), kind)

    def _fail(self, watched: _Watched, sighting: Sighting, reason: str) -> None:
        if not sighting.refusal:
            self._catalog.change(watched.point_id, signature=sighting.signature)
        self._catalog.finish(watched.point_id, PointState.FAILED, reason)
        self._arriving.discard(_kept(sighting))
        LOG.error("%s: failed: %s", printable(sighting.key), reason)


def _kept(sighting: Sighting) -> str:
    """Return the key under which the catalog knows a point."""
    return printable(sighting.key) if sighting.refusal else sighting.key
