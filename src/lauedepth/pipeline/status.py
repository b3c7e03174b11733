"""The state of a pipeline: a one-line verdict, counts, and what failed and why."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from lauedepth.pipeline.catalog import (
    ACTIVE,
    JOBS,
    POINTS,
    UNFINISHED,
    Catalog,
    PointRow,
    PointState,
    Priority,
    holder,
)
from lauedepth.pipeline.planner import HOUR_S, Demand, duration, forecast

RECENT: Final = 20
"""Number of recent points from which the pace is measured."""

PAUSED: Final = "paused:"
"""In a driver's notice: nothing comes from a folder, or nothing may be staged."""

OVERDUE: Final = 5.0
"""Number of cadences without a new point after which the detector counts as stopped."""


@dataclass(frozen=True)
class Pace:
    """The measured pace: medians in seconds, 0 where nothing is known yet.

    Attributes
    ----------
    cadence_s : float
        Interval between two complete points from the detector.
    job_s : float
        Duration of a successful job.
    overhead_s : float
        From a point's completion to its result, less waiting and the job.
    last_arrival : float
        Unix time of the newest complete point from the detector.
    """

    cadence_s: float
    job_s: float
    overhead_s: float
    last_arrival: float


@dataclass(frozen=True)
class Status:
    """The state of a catalog.

    Attributes
    ----------
    verdict : str
        One line.
    counts : dict
        Number of points in each state.
    oldest_s : dict
        Age of the oldest point in each state that is not final.
    failures : tuple of (str, str)
        Each failed point and its cause.
    driver : str
        The running driver; empty if there is none.
    notice : str
        What the driver waits for beside its work, unless the verdict says it.
    """

    verdict: str
    counts: dict[PointState, int]
    oldest_s: dict[PointState, float]
    failures: tuple[tuple[str, str], ...]
    driver: str
    notice: str

    def text(self) -> str:
        """Return the status as text."""
        lines = [self.verdict, ""]
        for state in PointState:
            if state in self.counts:
                age = self.oldest_s.get(state)
                oldest = f"   oldest {duration(age)}" if age is not None else ""
                lines.append(f"{state.value:<15}{self.counts[state]:>6}{oldest}")
        lines.append(f"{'driver':<15}{self.driver or 'none'}")
        if self.notice:
            lines.append(f"{'notice':<15}{self.notice}")
        if self.failures:
            lines += ["", "failed:"]
            lines += [f"  {label}: {cause}" for label, cause in self.failures]
        return "\n".join(lines)


def measure(catalog: Catalog) -> Pace:
    """Measure the current pace from the newest points and jobs."""
    with catalog.begin() as connection:
        live = (POINTS.c.complete.is_not(None), POINTS.c.priority == Priority.LIVE)
        newest = sa.select(POINTS.c.complete).where(*live).order_by(POINTS.c.complete.desc())
        arrivals = list(connection.scalars(newest.limit(RECENT + 1)))
        good = sa.select(JOBS.c.point_id, JOBS.c.seconds, JOBS.c.submitted, JOBS.c.started).where(
            JOBS.c.exit_code == 0
        )
        jobs = connection.execute(good.order_by(JOBS.c.finished.desc()).limit(RECENT)).all()
        spans = sa.select(POINTS.c.id, POINTS.c.started, POINTS.c.finished).where(
            POINTS.c.state == PointState.DONE, POINTS.c.id.in_([job.point_id for job in jobs])
        )
        whole = {row.id: row.finished - row.started for row in connection.execute(spans)}
    rest = [
        max(0.0, whole[job.point_id] - job.seconds - max(0.0, job.started - job.submitted))
        for job in jobs
        if job.point_id in whole
    ]
    gaps = [max(0.0, late - early) for late, early in itertools.pairwise(arrivals)]
    return Pace(
        cadence_s=_median(gaps),
        job_s=_median([job.seconds for job in jobs]),
        overhead_s=_median(rest),
        last_arrival=arrivals[0] if arrivals else 0.0,
    )


def status(catalog: Catalog, now: float | None = None) -> Status:
    """Return the state of a catalog at some time (Unix), by default now."""
    now = time.time() if now is None else now
    unfinished = catalog.points(POINTS.c.state.in_(UNFINISHED))
    failed = catalog.points(POINTS.c.state == PointState.FAILED)
    oldest: dict[PointState, float] = {}
    for point in unfinished:
        age = max(0.0, now - _since(point))
        oldest[point.state] = max(age, oldest.get(point.state, 0.0))
    who, row = holder(catalog), catalog.driver()
    notice = row["notice"] if who is not None and row is not None else ""
    if who is None and unfinished:
        verdict = (
            f"stopped: {_points(len(unfinished))} not done and no driver running; start it again"
        )
    elif PAUSED in notice:
        verdict, notice = notice, ""
    else:
        verdict = _verdict(catalog, unfinished, row["slots"] if row is not None else 1, now)
    return Status(
        verdict + (f"; {len(failed)} failed" if failed else ""),
        catalog.counts(),
        oldest,
        tuple((point.label, point.failure) for point in failed),
        str(who or ""),
        notice,
    )


def _verdict(catalog: Catalog, unfinished: Sequence[PointRow], slots: int, now: float) -> str:
    """Return a line that says whether the computing keeps up."""
    pace, coming = measure(catalog), catalog.coming()
    live = coming != 0 and pace.cadence_s > 0 and now < pace.last_arrival + OVERDUE * pace.cadence_s
    wait = pace.last_arrival + pace.cadence_s - now
    tail = f", next point {'expected in ' + duration(wait) if wait > 0 else 'due'}" if live else ""
    backlog = [p for p in unfinished if p.state in (PointState.WAITING, *ACTIVE)]
    if not backlog:
        done = catalog.counts().get(PointState.DONE, 0)
        word = "keeping up" if live else "finished" if coming == 0 else "idle"
        return f"{word}: {'all ' if done != 1 else ''}{_points(done)} done{tail}"
    behind = duration(now - min(_since(point) for point in backlog))
    if pace.job_s == 0:
        return f"starting: {_points(len(backlog))} to do, none done yet, {behind} behind{tail}"
    word = "keeping up" if live else "catching up"
    if live and pace.job_s / slots > pace.cadence_s:
        word = "falling behind"
    demand = Demand(
        points=(coming or 0) if live else 0,
        cadence_s=pace.cadence_s,
        nodes=slots,
        nodes_per_job=1,
        node_hours_per_point=max(pace.job_s, 1e-3) / HOUR_S,
        overhead_s=pace.overhead_s,
        queued=len(backlog),
    )
    return f"{word}: {behind} behind{tail}, done about {_clock(now, forecast(demand).finish_s)}"


def _points(number: int) -> str:
    return "1 point" if number == 1 else f"{number} points"


def _clock(now: float, after_s: float) -> str:
    form = "%H:%M" if after_s < 20 * HOUR_S else "%a %H:%M"
    return time.strftime(form, time.localtime(now + after_s))


def _since(point: PointRow) -> float:
    return point.complete if point.complete is not None else point.seen


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0
