"""The planner against the published runs and against queues worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.pipeline import Demand, forecast
from lauedepth.pipeline.errors import ConfigurationError
from lauedepth.pipeline.planner import duration, most_waiting, start_times

HOUR_S = 3600.0


def test_28_february_falls_behind() -> None:
    # Prince et al., table 2 and figure 5: collected for 9 h, then 3 h more of computing: 12 h.
    demand = Demand(422, 72, nodes=50, nodes_per_job=10, node_hours_per_point=1.42)
    outcome = forecast(demand)
    assert not outcome.keeps_up
    assert outcome.last_arrival_s / HOUR_S == pytest.approx(8.44, abs=0.01)
    assert outcome.finish_s / HOUR_S == pytest.approx(12.0, abs=0.15)
    assert 3.0 <= outcome.lag_s / HOUR_S < 3.7
    assert outcome.busy_nodes == 50


def test_finish_is_bounded_by_the_work() -> None:
    demand = Demand(422, 72, nodes=50, nodes_per_job=10, node_hours_per_point=1.42)
    assert forecast(demand).finish_s / HOUR_S >= 422 * 1.42 / 50


def test_1_april_keeps_up() -> None:
    demand = Demand(345, 72, nodes=50, nodes_per_job=5, node_hours_per_point=0.66)
    outcome = forecast(demand)
    assert outcome.keeps_up
    assert outcome.lag_s == pytest.approx(demand.job_s)
    assert outcome.peak_waiting <= 1


@pytest.mark.parametrize(("cadence_s", "busy"), [(53, 45), (60, 40)])
def test_1_april_busy_nodes_tell_the_cadence(cadence_s: float, busy: float) -> None:
    demand = Demand(345, cadence_s, nodes=56, nodes_per_job=5, node_hours_per_point=0.66)
    outcome = forecast(demand)
    assert outcome.keeps_up
    assert outcome.busy_nodes == pytest.approx(busy, abs=1.0)


def test_queue_by_hand() -> None:
    assert start_times([1, 2, 3, 10], places=1, job_s=3) == [1, 4, 7, 10]
    assert most_waiting([1, 2, 3, 10], [1, 4, 7, 10]) == 2
    assert start_times([0, 0, 0], places=2, job_s=5) == [0, 0, 5]


def test_backlog_is_worked_off_first() -> None:
    outcome = forecast(Demand(0, 0, nodes=2, nodes_per_job=1, node_hours_per_point=0.5, queued=5))
    assert outcome.finish_s == pytest.approx(3 * 0.5 * HOUR_S)
    assert outcome.keeps_up


@given(
    points=st.integers(1, 200),
    cadence_s=st.floats(1, 500),
    places=st.integers(1, 20),
    job_s=st.floats(1, 5000),
)
def test_any_queue(points: int, cadence_s: float, places: int, job_s: float) -> None:
    arrivals = [cadence_s * (i + 1) for i in range(points)]
    starts = start_times(arrivals, places, job_s)
    assert all(start >= arrival for start, arrival in zip(starts, arrivals, strict=True))
    assert starts == sorted(starts)
    for i in range(points - places):  # never more than the places there are
        assert starts[i + places] >= starts[i] + job_s - 1e-6
    if job_s / places <= cadence_s:
        assert all(
            start == pytest.approx(arrival, abs=job_s)
            for start, arrival in zip(starts, arrivals, strict=True)
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {"nodes_per_job": 11},
        {"node_hours_per_point": 0.0},
        {"cadence_s": -1.0},
        {"points": -1},
        {"node_hours_per_point": float("nan")},
    ],
)
def test_nonsense_is_refused(wrong: dict[str, float]) -> None:
    good = {
        "points": 4,
        "cadence_s": 1.0,
        "nodes": 10,
        "nodes_per_job": 1,
        "node_hours_per_point": 1.0,
    }
    with pytest.raises(ConfigurationError):
        Demand(**{**good, **wrong})  # type: ignore[arg-type]


def test_durations_for_people() -> None:
    told = [duration(s) for s in (-5, 41, 180, 3600 * 8.44)]
    assert told == ["0 s", "41 s", "3 min", "8.4 h"]
