"""What people are told: the verdict, the table and the pictures, from a run made up by hand."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from lauedepth.pipeline.catalog import JOBS, Catalog, PointState, SourceRow, catalog_url, hold
from lauedepth.pipeline.errors import FacilityError
from lauedepth.pipeline.protocols import JobReport, JobState, Member, Sighting
from lauedepth.pipeline.report import (
    collect,
    comma_separated,
    points_over_time,
    resources_over_time,
    table,
    write_report,
)
from lauedepth.pipeline.status import measure, status

BEGIN = 1_700_000_000.0


class Run:
    """Points that come every `cadence`, each worked on for `job` seconds in two slots."""

    def __init__(self, tmp_path: Path, expected: int = 0) -> None:
        self.catalog = Catalog(catalog_url(str(tmp_path / "catalog.sqlite")), create=True)
        row = SourceRow(0, "/data/Ni2", "file", ".done", False, "d", 0, 0, expected, False)
        self.source = self.catalog.add_source(row)

    def add(self, number: int, complete: float) -> int:
        seen = Sighting(f"p_{number}.h5", (Member(f"p_{number}.h5", 10, 1),))
        self.catalog.add_points(self.source, [(seen, 1)], 0)
        point = next(p for p in self.catalog.latest(self.source) if p.key == seen.key)
        self.catalog.complete(point.id, seen, 3)
        self.catalog.change(point.id, complete=BEGIN + complete)
        return point.id

    def work(self, point_id: int, start: float, job: float, end: float | None = None) -> None:
        point = self.catalog.point(point_id)
        self.catalog.dispatch(point)
        point = self.catalog.point(point_id)
        name = f"job-{point_id}"
        self.catalog.add_job(point, name)
        begin = BEGIN + start
        report = JobReport(JobState.FINISHED, 0, "", begin, begin + job, job, 2 * job, 10**9)
        self.catalog.end_job(name, report)
        with self.catalog.begin() as connection:
            connection.execute(JOBS.update().values(submitted=JOBS.c.started))
        self.catalog.done(point, "f" * 64)
        ended = BEGIN + (end if end is not None else start + job)
        self.catalog.change(point_id, started=BEGIN + start, finished=ended)

    def verdict(self, now: float) -> str:
        return status(self.catalog, BEGIN + now).verdict


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    with hold(made.catalog) as me:
        made.catalog.beat(pid=me.pid, host=me.host, since=me.since, slots=2, notice="")
        yield made


def test_keeping_up(run: Run) -> None:
    for number in range(10):
        run.work(run.add(number, 72.0 * number), 72.0 * number + 1, 100.0, 72.0 * number + 105)
    run.add(10, 720.0)
    pace = measure(run.catalog)
    assert (pace.cadence_s, pace.job_s, pace.overhead_s) == (72.0, 100.0, 4.0)
    done = time.strftime("%H:%M", time.localtime(BEGIN + 751 + 104))
    expected = f"keeping up: 31 s behind, next point expected in 41 s, done about {done}"
    assert run.verdict(751.0) == expected


def test_falling_behind(run: Run) -> None:
    for number in range(10):
        run.work(run.add(number, 72.0 * number), 72.0 * number, 200.0)
    for number in range(10, 20):
        run.add(number, 72.0 * number)
    assert run.verdict(72.0 * 20 - 30).startswith("falling behind: 12 min behind, next point")


def test_the_detector_has_stopped(run: Run) -> None:
    for number in range(5):
        run.work(run.add(number, 72.0 * number), 72.0 * number, 50.0)
    assert run.verdict(400.0).startswith("keeping up: all 5 points done")
    assert run.verdict(4000.0) == "idle: all 5 points done"
    run.add(5, 72.0 * 5)
    assert run.verdict(4000.0).startswith("catching up: 61 min behind, done about")


def test_finished_when_all_that_were_promised_are_there(tmp_path: Path) -> None:
    run = Run(tmp_path, expected=2)
    for number in range(2):
        run.work(run.add(number, 72.0 * number), 72.0 * number, 50.0)
    assert run.verdict(150.0) == "finished: all 2 points done"
    assert run.catalog.coming() == 0


def test_what_it_waits_for_comes_first(run: Run) -> None:
    run.add(0, 0.0)
    driver = run.catalog.driver()
    assert driver is not None
    content = {k: driver[k] for k in ("pid", "host", "since", "slots")}
    run.catalog.beat(**content, notice="paused: 1.0 GB free at /x; make room")
    assert run.verdict(5.0).startswith("paused: 1.0 GB free")


def test_failures_and_oldest(run: Run) -> None:
    first = run.add(0, 0.0)
    run.add(1, 50.0)
    bad = run.add(2, 60.0)
    run.catalog.finish(bad, PointState.FAILED, "is truncated")
    found = status(run.catalog, BEGIN + 100.0)
    assert found.verdict.endswith("; 1 failed")
    assert found.failures == (("p_2.h5", "is truncated"),)
    assert found.oldest_s[PointState.WAITING] == 100.0
    text = found.text()
    assert re.search(r"waiting +2 +oldest 2 min", text)
    assert "p_2.h5: is truncated" in text
    assert run.catalog.point(first).state is PointState.WAITING


def test_a_clock_that_went_back_gives_no_negative_ages(run: Run) -> None:
    run.add(0, 1000.0)
    found = status(run.catalog, BEGIN)
    assert found.oldest_s[PointState.WAITING] == 0.0
    assert "-" not in found.verdict


def test_curves_over_time(run: Run) -> None:
    run.work(run.add(0, 0.0), 10.0, 20.0)
    run.work(run.add(1, 5.0), 15.0, 30.0)
    record = collect(run.catalog)
    times, queued, running, finished = points_over_time(record)
    assert list(times - BEGIN) == [0, 5, 10, 15, 30, 45]
    assert list(queued) == [1, 2, 1, 0, 0, 0]
    assert list(running) == [0, 0, 1, 2, 1, 0]
    assert list(finished) == [0, 0, 0, 0, 1, 2]
    times, jobs, cores = resources_over_time(record)
    assert list(times - BEGIN) == [10, 15, 30, 45]
    assert list(jobs) == [1, 2, 1, 0]
    assert list(cores) == pytest.approx([2, 4, 2, 0])


def test_the_table(run: Run) -> None:
    for number, job in enumerate((3600.0, 7200.0)):
        run.work(run.add(number, 0.0), 0.0, job)
    (row,) = table(collect(run.catalog))
    assert row == ("Ni2", "2", "2", "0", "2", "3", "1.5 (0.5)", "6", "3 (1)", "1000", "5400.0 s")
    assert comma_separated([row]).count("\n") == 2


def test_pictures_show_something(run: Run, tmp_path: Path) -> None:
    for number in range(30):
        run.work(run.add(number, 72.0 * number), 72.0 * number + 50 * number, 100.0)
    paths = write_report(run.catalog, tmp_path / "report")
    for path in paths[2:]:
        picture = matplotlib.image.imread(path)[..., :3]
        assert np.unique(picture.reshape(-1, 3), axis=0).shape[0] > 20


def test_nothing_to_report(run: Run, tmp_path: Path) -> None:
    with pytest.raises(FacilityError, match="no point is complete"):
        write_report(run.catalog, tmp_path)
