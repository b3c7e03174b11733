"""A stand-in for the detector: copies a scan file by file, at the pace it was recorded."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import IO, Final, Protocol

from lauedepth.pipeline.errors import InputError, OutputError
from lauedepth.pipeline.paths import open_inside, printable
from lauedepth.pipeline.protocols import Sighting
from lauedepth.pipeline.sources import FolderSource, PointKind
from lauedepth.pipeline.transfers import write_all

PIECES: Final = 20
"""Number of pieces in which a point is written."""


class Clock(Protocol):
    """Where a replay gets its time from."""

    def now(self) -> float:
        """Return seconds on a clock that never jumps."""
        ...

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Wait, or less if stopped; return whether stopped."""
        ...


class ComputerClock:
    """The computer's own clock."""

    def now(self) -> float:
        """Return seconds on a clock that never jumps."""
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Wait, or less if stopped; return whether stopped."""
        return stop.wait(max(0.0, seconds))


@dataclass(frozen=True)
class Rate:
    """How fast to replay.

    Attributes
    ----------
    cadence_s : float or None
        Time between points; None to keep the recorded times.
    writing : float
        Fraction of that time during which a point is being written.
    speed : float
        Factor by which the replay is faster than that.
    """

    cadence_s: float | None = None
    writing: float = 0.8
    speed: float = 1.0


def replay(
    scan: Path,
    destination: Path,
    rate: Rate,
    *,
    layout: PointKind = PointKind.FILE,
    marker: str = "",
    limit: int | None = None,
    stop: threading.Event | None = None,
    report: Callable[[str], None] = lambda _: None,
    clock: Clock | None = None,
) -> int:
    """Copy a scan into a folder as a detector would write it, and return the points written.

    Each file grows under its final name. Points are due at fixed times: those after a late one
    catch up. Files that this program wrote beside the points are not copied.

    Parameters
    ----------
    scan, destination : Path
        Where the points are, and where to write them.
    marker : str
        Ending of the empty file that marks a point as complete; empty for no marker.
    limit : int, optional
        Maximum number of points to write.
    stop : threading.Event, optional
        Ends the replay after the piece being written.
    report : callable
        Called with one line for each point written.
    clock : Clock, optional
        The computer's own by default.

    Raises
    ------
    InputError
        If there is nothing to replay, or one folder lies within the other.
    OutputError
        If a file already stands in the way.
    """
    source = FolderSource(scan, layout)
    into = destination.resolve()
    if into.is_relative_to(source.root) or source.root.is_relative_to(into):
        raise InputError("one folder lies within the other", printable(str(destination)))
    points = [s for s in source.scan() if s.members and not source.is_own(s)][:limit]
    if not points:
        raise InputError("no points to replay", printable(str(scan)))
    stop, clock = stop or threading.Event(), clock or ComputerClock()
    writer = _Writer(source.root, into, clock, stop)
    due = clock.now()
    for number, (sighting, gap) in enumerate(_timed(points, rate), start=1):
        if not writer.write(sighting, gap * rate.writing):
            return number - 1
        if marker:
            (into / (sighting.key + marker)).touch()
        report(f"{number} of {len(points)}: {printable(sighting.key)}")
        due += gap
        if clock.wait(due - clock.now(), stop):
            return number
    return len(points)


def _timed(points: Sequence[Sighting], rate: Rate) -> Iterator[tuple[Sighting, float]]:
    """Yield each point with the seconds until the next, in the order they were recorded."""
    if rate.cadence_s is not None:
        yield from ((point, rate.cadence_s / rate.speed) for point in points)
        return
    ordered = sorted(points, key=_recorded)
    times = [_recorded(point) for point in ordered]
    gaps = [(late - early) / 1e9 for early, late in itertools.pairwise(times)]
    typical = sorted(gaps)[len(gaps) // 2] if gaps else 0.0
    yield from ((p, gap / rate.speed) for p, gap in zip(ordered, [typical, *gaps], strict=True))


def _recorded(point: Sighting) -> int:
    return max(member.mtime_ns for member in point.members)


@dataclass(frozen=True)
class _Writer:
    """Writes points in pieces, as a detector does."""

    root: Path
    into: Path
    clock: Clock
    stop: threading.Event

    def write(self, point: Sighting, seconds: float) -> bool:
        """Write a point's files over some time; return False if stopped meanwhile."""
        begin, written = self.clock.now(), 0
        piece = max(1, point.size // PIECES)
        for member in point.members:
            with self._created(member.name) as target, self._opened(member.name) as source:
                while block := source.read(piece):
                    write_all(target, block)
                    written += len(block)
                    due = begin + seconds * written / max(1, point.size)
                    if self.clock.wait(due - self.clock.now(), self.stop):
                        return False
        return True

    def _opened(self, name: str) -> IO[bytes]:
        return os.fdopen(open_inside(self.root, name), "rb")

    def _created(self, name: str) -> FileIO:
        path = self.into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return path.open("xb", buffering=0)
        except FileExistsError as error:
            raise OutputError(
                "is already there", printable(str(path)), "replay into an empty folder"
            ) from error
