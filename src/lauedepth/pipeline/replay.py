"""A detector that is not there: copies a scan file by file, as slowly as it was written."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lauedepth.pipeline.errors import InputError, OutputError
from lauedepth.pipeline.paths import open_inside, printable
from lauedepth.pipeline.protocols import Sighting
from lauedepth.pipeline.sources import FolderSource, Layout
from lauedepth.pipeline.transfers import write_all

PIECES: Final = 20
"""Pieces in which a point is written."""


@dataclass(frozen=True)
class Rate:
    """How fast to replay.

    Attributes
    ----------
    cadence_s : float or None
        Time from point to point; None for the times at which the files were recorded.
    writing : float
        Part of that time that a point takes to be written.
    speed : float
        How many times faster than that.
    """

    cadence_s: float | None = None
    writing: float = 0.8
    speed: float = 1.0


def replay(
    scan: Path,
    destination: Path,
    rate: Rate,
    *,
    layout: Layout = Layout.FILE,
    marker: str = "",
    limit: int | None = None,
    stop: threading.Event | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> int:
    """Copy a scan into a folder as a detector would write it, and return the points written.

    Each file grows under its final name. The next point starts on time even if the one before
    was late. Files that this program wrote beside the points stay behind.

    Parameters
    ----------
    scan, destination : Path
        Where points are, and where to write them.
    marker : str
        Ending of the empty file that says that a point is complete; none if empty.
    limit : int, optional
        Points to write at most.
    stop : threading.Event, optional
        Ends the replay after the piece being written.
    tell : callable
        Told of each point written.

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
    stop = stop or threading.Event()
    due = time.monotonic()
    for number, (sighting, gap) in enumerate(_timed(points, rate), start=1):
        if not _write_point(source.root, into, sighting, gap * rate.writing, stop):
            return number - 1
        if marker:
            (into / (sighting.key + marker)).touch()
        tell(f"{number} of {len(points)}: {printable(sighting.key)}")
        due += gap
        if stop.wait(max(0.0, due - time.monotonic())):
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


def _write_point(
    root: Path, into: Path, point: Sighting, seconds: float, stop: threading.Event
) -> bool:
    """Write a point's files in pieces over some time; return False if stopped meanwhile."""
    begin, written = time.monotonic(), 0
    piece = max(1, point.size // PIECES)
    for member in point.members:
        path = into / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            target = path.open("xb", buffering=0)
        except FileExistsError as error:
            raise OutputError(
                "is already there", printable(str(path)), "replay into an empty folder"
            ) from error
        with target, os.fdopen(open_inside(root, member.name), "rb") as source:
            while block := source.read(piece):
                write_all(target, block)
                written += len(block)
                due = begin + seconds * written / max(1, point.size)
                if stop.wait(max(0.0, due - time.monotonic())):
                    return False
    return True
