"""Will the computing keep up with the detector? A queue, played through point by point."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from lauedepth.pipeline.errors import ConfigurationError

HOUR_S = 3600.0


@dataclass(frozen=True)
class Demand:
    """What comes, and with what it is met.

    Attributes
    ----------
    points : int
        Points still to come.
    cadence_s : float
        Time between two points.
    nodes, nodes_per_job : int
        Computers there are, and how many one point takes.
    node_hours_per_point : float
        Work of one point.
    overhead_s : float
        Time a point spends outside its job: moving and checking files.
    queued : int
        Points that already wait at the start.
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
            least = 0 if name in ("points", "cadence_s", "overhead_s", "queued") else 1e-9
            if not value >= least:
                raise ConfigurationError(f"{value} is too small", name)
        if self.nodes_per_job > self.nodes:
            raise ConfigurationError(
                f"a job takes {self.nodes_per_job} nodes, of {self.nodes}", "nodes_per_job"
            )

    @property
    def jobs_at_once(self) -> int:
        """Jobs that run side by side."""
        return self.nodes // self.nodes_per_job

    @property
    def job_s(self) -> float:
        """Duration of one job."""
        return self.node_hours_per_point / self.nodes_per_job * HOUR_S


@dataclass(frozen=True)
class Plan:
    """What will happen.

    Attributes
    ----------
    keeps_up : bool
        Whether points are worked off as fast as they come.
    last_arrival_s, finish_s, lag_s : float
        When the last point comes, when the last result is there, and the time between.
    peak_waiting : int
        Most points that wait for a free place at any time.
    busy_nodes : float
        Nodes at work on average while points come.
    """

    keeps_up: bool
    last_arrival_s: float
    finish_s: float
    lag_s: float
    peak_waiting: int
    busy_nodes: float


def plan(demand: Demand) -> Plan:
    """Play a demand through: first come, first served; the first point comes after one cadence."""
    arrivals = [0.0] * demand.queued
    arrivals += [(i + 1) * demand.cadence_s for i in range(demand.points)]
    if not arrivals:
        return Plan(True, 0.0, 0.0, 0.0, 0, 0.0)
    starts = start_times(arrivals, demand.jobs_at_once, demand.job_s)
    finish = max(starts) + demand.job_s + demand.overhead_s
    rate_s = demand.job_s / demand.jobs_at_once
    most = float(demand.jobs_at_once * demand.nodes_per_job)
    wanted = demand.node_hours_per_point * HOUR_S / demand.cadence_s if demand.cadence_s else most
    return Plan(
        keeps_up=rate_s <= demand.cadence_s or demand.points == 0,
        last_arrival_s=arrivals[-1],
        finish_s=finish,
        lag_s=finish - arrivals[-1],
        peak_waiting=most_waiting(arrivals, starts),
        busy_nodes=min(most, wanted),
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
    most = started = 0
    for number, arrival in enumerate(arrivals, start=1):
        while started < len(starts) and starts[started] <= arrival:
            started += 1
        most = max(most, number - started)
    return most


def describe(demand: Demand, outcome: Plan) -> str:
    """Return a plan as text, the verdict first."""
    verdict = "keeps up" if outcome.keeps_up else "falls behind"
    return "\n".join(
        [
            f"{verdict}: finishes {duration(outcome.lag_s)} after the last point, "
            f"which comes after {duration(outcome.last_arrival_s)}",
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
