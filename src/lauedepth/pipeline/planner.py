"""Will the computing keep up with the detector? A queue, simulated point by point."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from lauedepth.pipeline.errors import ConfigurationError

HOUR_S = 3600.0


@dataclass(frozen=True)
class Demand:
    """The points expected and the computers available to process them.

    Attributes
    ----------
    points : int
        Points still to come.
    cadence_s : float
        Time between two points.
    nodes, nodes_per_job : int
        Computers available, and how many each point uses.
    node_hours_per_point : float
        Computing needed for one point.
    overhead_s : float
        Time a point spends outside its job: moving and checking files.
    queued : int
        Points already waiting at the start.
    """

    points: int
    cadence_s: float
    nodes: int
    nodes_per_job: int
    node_hours_per_point: float
    overhead_s: float = 0.0
    queued: int = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            minimum = 0 if name in ("points", "cadence_s", "overhead_s", "queued") else 1e-9
            if not value >= minimum:
                raise ConfigurationError(f"{value} is too small", name)
        if self.nodes_per_job > self.nodes:
            raise ConfigurationError(
                f"a job needs {self.nodes_per_job} nodes, but there are only {self.nodes}",
                "nodes_per_job",
            )

    @property
    def jobs_at_once(self) -> int:
        """Jobs that run at the same time."""
        return self.nodes // self.nodes_per_job

    @property
    def job_s(self) -> float:
        """Duration of one job."""
        return self.node_hours_per_point / self.nodes_per_job * HOUR_S


@dataclass(frozen=True)
class Forecast:
    """What to expect.

    Attributes
    ----------
    keeps_up : bool
        Whether points are processed as fast as they arrive.
    last_arrival_s, finish_s, lag_s : float
        When the last point arrives, when the last result is ready, and the time between them.
    peak_waiting : int
        Largest number of points waiting for a free slot at any time.
    busy_nodes : float
        Average number of nodes in use while points arrive.
    """

    keeps_up: bool
    last_arrival_s: float
    finish_s: float
    lag_s: float
    peak_waiting: int
    busy_nodes: float


def forecast(demand: Demand) -> Forecast:
    """Simulate the queue: first come, first served; the first point arrives after one cadence."""
    arrivals = [0.0] * demand.queued
    arrivals += [(i + 1) * demand.cadence_s for i in range(demand.points)]
    if not arrivals:
        return Forecast(True, 0.0, 0.0, 0.0, 0, 0.0)
    starts = start_times(arrivals, demand.jobs_at_once, demand.job_s)
    finish = max(starts) + demand.job_s + demand.overhead_s
    rate_s = demand.job_s / demand.jobs_at_once
    usable = float(demand.jobs_at_once * demand.nodes_per_job)
    needed = demand.node_hours_per_point * HOUR_S / demand.cadence_s if demand.cadence_s else usable
    return Forecast(
        keeps_up=rate_s <= demand.cadence_s or demand.points == 0,
        last_arrival_s=arrivals[-1],
        finish_s=finish,
        lag_s=finish - arrivals[-1],
        peak_waiting=most_waiting(arrivals, starts),
        busy_nodes=min(usable, needed),
    )


def start_times(arrivals: Sequence[float], places: int, job_s: float) -> list[float]:
    """Return when each point's job starts, given when points arrive (ascending, seconds)."""
    free = [0.0] * places
    starts = []
    for arrival in arrivals:
        start = max(arrival, heapq.heappop(free))
        heapq.heappush(free, start + job_s)
        starts.append(start)
    return starts


def most_waiting(arrivals: Sequence[float], starts: Sequence[float]) -> int:
    """Return the largest number of points that have arrived and not started."""
    largest = started = 0
    for number, arrival in enumerate(arrivals, start=1):
        while started < len(starts) and starts[started] <= arrival:
            started += 1
        largest = max(largest, number - started)
    return largest


def describe(demand: Demand, outcome: Forecast) -> str:
    """Return a forecast as text, the verdict first."""
    verdict = "keeps up" if outcome.keeps_up else "falls behind"
    return "\n".join(
        [
            f"{verdict}: finishes {duration(outcome.lag_s)} after the last point, "
            f"which arrives after {duration(outcome.last_arrival_s)}",
            f"finish after           {duration(outcome.finish_s)}",
            f"most points waiting    {outcome.peak_waiting}",
            f"jobs at once           {demand.jobs_at_once}, each {duration(demand.job_s)}",
            f"nodes busy             {outcome.busy_nodes:.0f} of {demand.nodes}",
            f"slowest cadence needed {demand.job_s / demand.jobs_at_once:.0f} s to keep up "
            f"(given {demand.cadence_s:.0f} s)",
        ]
    )


def duration(seconds: float) -> str:
    """Return a duration for people: ``41 s``, ``3 min``, ``8.4 h``."""
    seconds = max(0.0, seconds)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / HOUR_S:.1f} h"
