"""Reading and writing the catalog. Each change is one transaction."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from lauedepth.pipeline.catalog.database import Database
from lauedepth.pipeline.catalog.rows import PointRow, SourceRow, point_row, seen_values
from lauedepth.pipeline.catalog.schema import (
    ACTIVE,
    DRIVER,
    JOBS,
    POINTS,
    SOURCES,
    STEPS,
    PointState,
)
from lauedepth.pipeline.errors import CatalogError
from lauedepth.pipeline.paths import archive_name, printable, result_name
from lauedepth.pipeline.protocols import JobReport, JobState, Sighting

T = TypeVar("T")

NAME_TAKEN: Final = "another point already has the result name"
RENAME: Final = "rename its file, which makes it a new point"

AT_ONCE: Final = 500
"""Points written or asked for in one statement."""

RECENT_JOBS: Final = 20
"""Number of jobs by which the next one is judged."""


class Catalog(Database):
    """All reading and writing of the catalog."""

    # Sources

    def add_source(self, row: SourceRow) -> int:
        """Add or update a folder, and return its number."""
        content = {k: v for k, v in asdict(row).items() if k not in ("id", "scanned")}
        with self.write() as connection:
            known = connection.scalar(sa.select(SOURCES.c.id).where(SOURCES.c.folder == row.folder))
            if known is not None:
                connection.execute(SOURCES.update().where(SOURCES.c.id == known).values(**content))
                return int(known)
            made = connection.execute(SOURCES.insert().values(**content, scanned=False))
            return int(made.inserted_primary_key[0])  # type: ignore[index]

    def sources(self) -> list[SourceRow]:
        """Return all folders that points come from."""
        with self.begin() as connection:
            rows = connection.execute(sa.select(SOURCES).order_by(SOURCES.c.id)).mappings()
            return [SourceRow(**row) for row in rows]

    def mark_scanned(self, source_id: int) -> None:
        """Record that a folder has been scanned once: points that appear from now on are new."""
        with self.write() as connection:
            connection.execute(
                SOURCES.update().where(SOURCES.c.id == source_id).values(scanned=True)
            )

    # Points

    def add_points(
        self, source_id: int, sightings: Iterable[tuple[Sighting, int]], priority: int
    ) -> None:
        """Add newly seen points, each with its version, in state `ARRIVING`."""
        rows = [self._new(source_id, s, version, priority) for s, version in sightings]
        for part in _parts(rows):
            try:
                with self.write() as connection:
                    connection.execute(POINTS.insert(), part)
            except CatalogError as error:
                if not isinstance(error.__cause__, sa.exc.IntegrityError):
                    raise
                self._add_each(part)

    def _add_each(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add points one by one; one whose result has the name of another's has failed."""
        for row in rows:
            try:
                with self.write() as connection:
                    connection.execute(POINTS.insert().values(**row))
            except CatalogError as error:
                if not isinstance(error.__cause__, sa.exc.IntegrityError):
                    raise
                other = f"{NAME_TAKEN} {printable(row['result'])}; {RENAME}"
                unique = f"{row['result']}.{uuid.uuid4().hex[:8]}"
                refused = {**row, "result": unique, "failure": other, "state": PointState.FAILED}
                with self.write() as connection:
                    connection.execute(POINTS.insert().values(**refused))

    def _new(
        self, source_id: int, sighting: Sighting, version: int, priority: int
    ) -> dict[str, Any]:
        key = sighting.key if not sighting.refusal else printable(sighting.key)
        return {
            "source_id": source_id,
            "key": key,
            "version": version,
            "state": PointState.FAILED if sighting.refusal else PointState.ARRIVING,
            "failure": sighting.refusal,
            "priority": priority,
            "result": result_name(key, version),
            "seen": time.time(),
            **seen_values(sighting),
            **dict.fromkeys(("attempt", "run", "frames"), 0),
            **dict.fromkeys(("sha256_input", "sha256_result"), ""),
            "staged": False,
        }

    def complete(self, point_id: int, sighting: Sighting, frames: int) -> None:
        """Record that a point is complete and may be processed."""
        self.change(
            point_id,
            **seen_values(sighting),
            frames=frames,
            state=PointState.WAITING,
            complete=time.time(),
            failure="",
        )

    def change(
        self, point_id: int, *, only: Sequence[PointState] | None = None, **values: Any
    ) -> None:
        """Set columns of a point, if its state is one of `only`, or any."""
        change = POINTS.update().where(POINTS.c.id == point_id)
        if only is not None:
            change = change.where(POINTS.c.state.in_(only))
        with self.write() as connection:
            connection.execute(change.values(**values))

    def finish(
        self,
        point_id: int,
        state: PointState,
        failure: str = "",
        only: Sequence[PointState] | None = None,
    ) -> None:
        """Put a point into a final state, if its state is one of `only`, or any."""
        self.change(point_id, only=only, state=state, failure=failure, finished=time.time())

    def point(self, point_id: int) -> PointRow:
        """Return one point."""
        return self.points(POINTS.c.id == point_id)[0]

    def points(self, *where: sa.ColumnElement[bool], limit: int | None = None) -> list[PointRow]:
        """Return points in processing order."""
        order = (POINTS.c.priority, POINTS.c.complete, POINTS.c.id)
        with self.begin() as connection:
            rows = connection.execute(
                sa.select(POINTS).where(*where).order_by(*order).limit(limit)
            ).mappings()
            return [point_row(row) for row in rows]

    def next_waiting(self) -> PointRow | None:
        """Return the point to process next."""
        found = self.points(POINTS.c.state == PointState.WAITING, limit=1)
        return found[0] if found else None

    def counts(self) -> dict[PointState, int]:
        """Return the number of points in each state."""
        with self.begin() as connection:
            rows = connection.execute(
                sa.select(POINTS.c.state, sa.func.count()).group_by(POINTS.c.state)
            )
            return {PointState(state): int(number) for state, number in rows}

    def latest(self, source_id: int, keys: Collection[str] | None = None) -> list[PointRow]:
        """Return the newest version of every point of a source, or of those named."""
        mine = POINTS.c.source_id == source_id
        if keys is None:
            found = self.points(mine)
        else:
            found = [p for part in _parts(keys) for p in self.points(mine, POINTS.c.key.in_(part))]
        return list({p.key: p for p in sorted(found, key=lambda point: point.version)}.values())

    def arriving(self, source_id: int) -> set[int]:
        """Return the numbers of the points of a source that are not complete yet."""
        with self.begin() as connection:
            mine = (POINTS.c.source_id == source_id, POINTS.c.state == PointState.ARRIVING)
            return set(connection.scalars(sa.select(POINTS.c.id).where(*mine)))

    def coming(self) -> int | None:
        """Return how many points are still to come, or None if unknown."""
        awaited = [source for source in self.sources() if source.expected]
        if not awaited:
            return None
        with self.begin() as connection:
            mine = POINTS.c.source_id.in_([source.id for source in awaited])
            real = POINTS.c.state != PointState.IGNORED
            here = sa.select(sa.func.count()).where(mine, real, POINTS.c.version == 1)
            arrived = connection.scalar(here) or 0
        return max(0, sum(source.expected for source in awaited) - arrived)

    def done_before(self, point: PointRow, sha256_input: str) -> PointRow | None:
        """Return an earlier version of a point with the same content, if it is done."""
        found = self.points(
            POINTS.c.source_id == point.source_id,
            POINTS.c.key == point.key,
            POINTS.c.version < point.version,
            POINTS.c.sha256_input == sha256_input,
            POINTS.c.state == PointState.DONE,
        )
        return found[-1] if found else None

    # What the driver decides

    def dispatch(self, point: PointRow) -> int:
        """Start processing a waiting point and return the number of this run."""
        run = point.run + 1
        self.change(point.id, state=PointState.STAGING, run=run, started=time.time())
        return run

    def requeue(self, point_id: int, reason: str, attempt: int | None = None) -> None:
        """Put an active point back in the queue, with new jobs if given a new attempt."""
        again = {} if attempt is None else {"attempt": attempt}
        self.change(point_id, only=ACTIVE, state=PointState.WAITING, failure=reason, **again)

    def await_again(self, point: PointRow, reason: str) -> None:
        """Let an active point arrive once more, unless a newer version of it is known."""
        newer = self.points(
            POINTS.c.source_id == point.source_id,
            POINTS.c.key == point.key,
            POINTS.c.version > point.version,
            limit=1,
        )
        if newer:
            self.finish(point.id, PointState.SUPERSEDED, reason, only=ACTIVE)
        else:
            self.change(point.id, only=ACTIVE, state=PointState.ARRIVING, failure=reason)

    def retry(self, point: PointRow) -> None:
        """Let a failed or skipped point start again.

        Raises
        ------
        CatalogError
            If another point has the name that its result would get.
        """
        wanted = result_name(point.key, point.version)
        if point.result != wanted:
            raise CatalogError(f"{NAME_TAKEN} {printable(wanted)}", point.label, RENAME)
        state = PointState.WAITING if point.complete is not None else PointState.ARRIVING
        self.change(point.id, state=state, failure="", finished=None, attempt=point.attempt + 1)

    def skip(self, point: PointRow, reason: str) -> None:
        """Mark a point as skipped."""
        self.finish(point.id, PointState.SKIPPED, reason)

    # What a flow reports

    def step(self, point: PointRow, state: PointState, **values: Any) -> None:
        """Record that a point entered a step, which ends the previous one.

        A skipped point stays skipped.
        """
        at = time.time()
        with self.write() as connection:
            self._end_steps(connection, point, at)
            row = {"point_id": point.id, "attempt": point.attempt, "name": state.value}
            mine = [STEPS.c[name] == value for name, value in row.items()]
            if not connection.scalar(sa.select(STEPS.c.started).where(*mine)):
                connection.execute(STEPS.insert().values(**row, started=at))
            connection.execute(
                POINTS.update()
                .where(POINTS.c.id == point.id, POINTS.c.state.in_(ACTIVE))
                .values(state=state, **values)
            )

    def done(self, point: PointRow, sha256_result: str, name: str = "") -> None:
        """Record that a point's result is valid and delivered, with its checksum.

        Parameters
        ----------
        name : str
            Where the result is, if that is not `point.result`: the version that had this name
            gives it away.
        """
        now = time.time()
        with self.write() as connection:
            self._end_steps(connection, point, now)
            self._give_name(connection, point, name or point.result)
            connection.execute(
                POINTS.update()
                .where(POINTS.c.id == point.id, POINTS.c.state.in_(ACTIVE))
                .values(
                    state=PointState.DONE, sha256_result=sha256_result, failure="", finished=now
                )
            )

    def _give_name(self, connection: sa.Connection, point: PointRow, name: str) -> None:
        if name == point.result:
            return
        mine, of_any = POINTS.c.id == point.id, POINTS.c.result == name
        earlier = connection.scalar(sa.select(POINTS.c.version).where(of_any, ~mine))
        if earlier is not None:
            archive = archive_name(point.key, earlier)
            connection.execute(POINTS.update().where(of_any, ~mine).values(result=archive))
        connection.execute(POINTS.update().where(mine).values(result=name))

    def _end_steps(self, connection: sa.Connection, point: PointRow, at: float) -> None:
        connection.execute(
            STEPS.update()
            .where(STEPS.c.point_id == point.id, STEPS.c.finished.is_(None))
            .values(finished=at)
        )

    def add_job(self, point: PointRow, name: str) -> None:
        """Record a job before it is submitted; do nothing if it is known."""
        with self.write() as connection:
            if not connection.scalar(sa.select(JOBS.c.name).where(JOBS.c.name == name)):
                connection.execute(
                    JOBS.insert().values(
                        name=name, point_id=point.id, submitted=time.time(), reason=""
                    )
                )

    def unstage(self, points: Sequence[PointRow]) -> list[str]:
        """Record that points have no staged files any more; return the jobs of those done."""
        done = [point.id for point in points if point.state is PointState.DONE]
        with self.write() as connection:
            everyone = POINTS.c.id.in_([point.id for point in points])
            connection.execute(POINTS.update().where(everyone).values(staged=False))
            return list(connection.scalars(sa.select(JOBS.c.name).where(JOBS.c.point_id.in_(done))))

    def end_job(self, name: str, report: JobReport) -> None:
        """Record the outcome of a job."""
        known = {column.name for column in JOBS.c}
        content = {k: v for k, v in asdict(report).items() if k in known}
        with self.write() as connection:
            connection.execute(JOBS.update().where(JOBS.c.name == name).values(**content))

    def ended_jobs(self, point_id: int) -> dict[str, JobReport]:
        """Return how the jobs of a point ended, by name, without what they used."""
        wanted = sa.select(JOBS.c.name, JOBS.c.exit_code, JOBS.c.reason)
        mine = (JOBS.c.point_id == point_id, JOBS.c.finished.is_not(None))
        with self.begin() as connection:
            return {
                name: JobReport(JobState.LOST if code is None else JobState.FINISHED, code, reason)
                for name, code, reason in connection.execute(wanted.where(*mine))
            }

    def job_seconds(self) -> list[float]:
        """Return how long the newest successful jobs ran (s)."""
        good = sa.select(JOBS.c.seconds).where(JOBS.c.exit_code == 0)
        with self.begin() as connection:
            newest = good.order_by(JOBS.c.finished.desc()).limit(RECENT_JOBS)
            return list(connection.scalars(newest))

    # The driver's heartbeat

    def beat(self, **values: Any) -> None:
        """Record the driver's heartbeat and its notices."""
        with self.write() as connection:
            content = {**values, "beat": time.time()}
            if connection.execute(DRIVER.update().where(DRIVER.c.id == 1).values(content)).rowcount:
                return
            connection.execute(DRIVER.insert().values(id=1, **content))

    def driver(self) -> sa.RowMapping | None:
        """Return the last driver's heartbeat."""
        rows = self.rows(DRIVER)
        return rows[0] if rows else None


def _parts(items: Iterable[T]) -> Iterator[list[T]]:
    whole = list(items)
    for start in range(0, len(whole), AT_ONCE):
        yield whole[start : start + AT_ONCE]


def point_named(catalog: Catalog, name: str) -> PointRow:
    """Return the newest version of the point with this name, or with this result.

    Raises
    ------
    CatalogError
        If there is none, or more than one.
    """
    versions = catalog.points(POINTS.c.key == name)
    found = {p.source_id: p for p in sorted(versions, key=lambda point: point.version)}
    found = found or {p.id: p for p in catalog.points(POINTS.c.result == name)}
    if len(found) > 1:
        results = ", ".join(printable(point.result) for point in found.values())
        raise CatalogError("more than one point has this name", name, f"give one of: {results}")
    if not found:
        raise CatalogError("no such point", printable(name), "see lauedepth status")
    return next(iter(found.values()))
