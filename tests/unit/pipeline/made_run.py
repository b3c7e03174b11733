"""A run of the pipeline made up by hand, for status and report."""

from __future__ import annotations

from pathlib import Path

from lauedepth.pipeline.catalog import JOBS, Catalog, SourceRow, catalog_url
from lauedepth.pipeline.protocols import JobReport, JobState, Member, Sighting
from lauedepth.pipeline.status import status

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
