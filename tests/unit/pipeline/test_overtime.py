"""How long a job may run."""

from __future__ import annotations

import math

import pytest
from tests.unit.pipeline.made_run import Run

from lauedepth.pipeline.overtime import Stopwatch, time_limit


@pytest.mark.parametrize(
    ("jobs", "limit"), [([100.0] * 2, math.inf), ([100.0] * 3, 2000.0), ([1.0] * 9, 600.0)]
)
def test_the_limit_follows_the_jobs_that_went_well(
    run: Run, jobs: list[float], limit: float
) -> None:
    for number, seconds in enumerate(jobs):
        run.work(run.add(number, 10.0 * number), 10.0 * number, seconds)
    assert time_limit(run.catalog, 0.0) == limit
    assert time_limit(run.catalog, 30.0) == 30.0


def test_time_counts_from_the_first_look_at_a_running_job() -> None:
    times = iter([500.0, 500.0, 509.0, 511.0])
    watch = Stopwatch(10.0, lambda: next(times))
    assert [watch.is_over() for _ in range(3)] == [False, False, True]
