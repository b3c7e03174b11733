"""The steps of processing a point: stage, reconstruct, package, deliver, record.

Every step checks before it acts: a driver that died may have done it already, or half of it.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from lauedepth.pipeline.catalog import ACTIVE, Catalog, PointRow, PointState
from lauedepth.pipeline.disk import DiskGuard
from lauedepth.pipeline.engine import StepRunner
from lauedepth.pipeline.errors import (
    AbsentError,
    AwayError,
    CatalogError,
    ChangedError,
    HeldError,
    JobError,
    LaueDepthError,
    StoppedError,
    UnreachableError,
)
from lauedepth.pipeline.naming import delivered_name
from lauedepth.pipeline.overtime import HUNG, Stopwatch
from lauedepth.pipeline.paths import export_name
from lauedepth.pipeline.places import Folders
from lauedepth.pipeline.poller import Poller
from lauedepth.pipeline.protocols import (
    ENDED,
    Item,
    JobReport,
    JobRequest,
    JobState,
    Recipe,
    Transfer,
    here,
)
from lauedepth.pipeline.storage import DISK_FULL, PASSING
from lauedepth.pipeline.transfers import moved, sha256

T = TypeVar("T")

LOG: Final = logging.getLogger("lauedepth.live")

OUT_OF_MEMORY: Final = "where memory ran out, use fewer --slots or a larger machine, then retry"
"""What to do about SIGKILL, which the system sends where there is no memory left."""

TRIALS: Final = 5
"""Maximum number of times that a job may end in the same way without a result."""

TRY_AGAIN: Final = 75
"""Exit code by which a program asks for a retry (EX_TEMPFAIL)."""

STOPPED: Final = {
    ending: number
    for number in (signal.SIGINT, signal.SIGTERM)
    for ending in (-number, 128 + number)
}
"""Exit codes of a program that was told to stop, whether or not it catches that signal.

Schedulers warn with SIGTERM before they end a job: the point is not to blame.
"""

LATER: Final = (TRY_AGAIN, *STOPPED)
"""Exit codes after which a point is queued again, however often: these are not trials."""

NO_ROOM: Final = "the disk is full or away"
"""Why a point is queued again that cannot be written; the driver's notice says more."""

UNREACHABLE_S: Final = 2.0
"""Wait before a site that cannot be reached is tried again."""

PAUSES_S: Final = (1.0, 5.0, 20.0)
"""Waits before each retry after a transient failure of a disk or network mount."""


@dataclass(frozen=True)
class Means:
    """What processing needs: a transfer, a scheduler, programs to run, folders and their guard."""

    transfer: Transfer
    poller: Poller
    recipe: Recipe
    folders: Folders
    guard: DiskGuard


class Flow:
    """The steps of a point.

    Parameters
    ----------
    limit_s : callable
        Returns how long a job may run (s).
    stopped : callable
        Returns whether work on a point has been cancelled.
    """

    def __init__(
        self,
        catalog: Catalog,
        means: Means,
        *,
        limit_s: Callable[[], float],
        stopped: Callable[[int], bool],
    ) -> None:
        self._catalog, self._recipe, self._folders = catalog, means.recipe, means.folders
        self._transfer, self._poller = means.transfer, means.poller
        self._limit_s, self._guard, self._stopped = limit_s, means.guard, stopped
        self._prefix = catalog.meta("id")

    def process(self, point_id: int, run: int, step: StepRunner) -> None:
        """Process a point to a final state; the outcome is recorded in the catalog."""
        point = self._catalog.point(point_id)
        if point.run != run or point.state not in ACTIVE:
            return
        try:
            self._steps(point, step)
        except ChangedError as error:
            self._end(point, PointState.SUPERSEDED, str(error))
        except (CatalogError, HeldError):
            raise  # says nothing about the point: the driver, or its successor, starts it again
        except AbsentError as error:
            self._catalog.await_again(point, str(error))
            LOG.warning("%s; waiting for it", error)
        except AwayError:
            self._catalog.requeue(point.id, NO_ROOM)
        except StoppedError:
            LOG.info("%s: cancelled", point.label)
        except LaueDepthError as error:
            self._end(point, PointState.FAILED, str(error))
        except OSError as error:
            if error.errno in DISK_FULL or self._guard.objection():
                self._catalog.requeue(point.id, NO_ROOM)
            else:
                self._end(point, PointState.FAILED, str(error))

    def _steps(self, point: PointRow, step: StepRunner) -> None:
        digest = step("stage in", lambda: self._persist(self._stage_in, point))
        earlier = self._catalog.done_before(point, digest)
        if earlier is not None:
            text = f"same content as version {earlier.version}, which is done"
            self._end(point, PointState.SUPERSEDED, text)
            return
        later = step("reconstruct", lambda: self._reconstruct(point, digest))
        if later:
            again = point.attempt + 1 if later == NO_ROOM else None
            self._catalog.requeue(point.id, later, again)
            LOG.warning("%s: queued again: %s", point.label, later)
            return
        manifest = step("package", lambda: self._persist(self._package, point))
        name = step(
            "stage out", lambda: self._persist(lambda p: self._stage_out(p, manifest), point)
        )
        self._catalog.done(point, manifest[point.result], name)
        LOG.info("%s: done, %s", point.label, self._folders.results / name)

    def _end(self, point: PointRow, state: PointState, reason: str) -> None:
        self._catalog.finish(point.id, state, reason, only=ACTIVE)
        LOG.warning("%s: %s: %s", point.label, state.value, reason)

    def _persist(self, action: Callable[[PointRow], T], point: PointRow) -> T:
        """Retry an action after transient failures of a disk or network mount."""
        for pause in PAUSES_S:
            try:
                return action(point)
            except OSError as error:
                if error.errno not in PASSING:
                    raise
                LOG.warning("%s: %s; trying again in %.0f s", point.label, error, pause)
                time.sleep(pause)
        return action(point)

    def _stage_in(self, point: PointRow) -> str:
        """Copy the point's files next to the job and return the checksum of its content."""
        self._catalog.step(point, PointState.STAGING, staged=True)
        source = next(s for s in self._catalog.sources() if s.id == point.source_id)
        staged = self._staged(point)
        single = len(point.members) == 1 and point.members[0].name == point.key
        places = [staged if single else staged / Path(m.name).name for m in point.members]
        folder = here(Path(source.folder))
        members = zip(point.members, places, strict=True)
        items = [Item(folder, member.name, here(place), member) for member, place in members]
        digests = self._move(point, "in", items)
        named = zip(digests, places, strict=True)
        lines = [f"{digest}  {place.name}\n" for digest, place in named]
        return digests[0] if single else hashlib.sha256("".join(lines).encode()).hexdigest()

    def _staged(self, point: PointRow) -> Path:
        return self._folders.point(point.id) / "in" / Path(point.key).name

    def _reconstruct(self, point: PointRow, digest: str) -> str:
        """Run the point's job; return why it has to run again later, empty if it succeeded.

        Raises
        ------
        JobError
            If the job failed, or ended too often in the same way.
        """
        self._catalog.step(point, PointState.RECONSTRUCTING, sha256_input=digest)
        self._guard.require(point.label)
        if not self._staged(point).exists():
            return "its staged files were deleted"
        out = self._folders.point(point.id) / "out"
        result = out / point.result
        result.parent.mkdir(parents=True, exist_ok=True)
        commands = self._recipe.fill(self._staged(point), result, out / export_name(point.result))
        ended = self._catalog.ended_jobs(point.id)
        tries: Counter[str] = Counter()
        numbers = itertools.count(1)
        while True:
            name = f"{self._prefix}-p{point.id}-a{point.attempt}-t{next(numbers)}"
            report = ended.get(name) or self._run(
                point, JobRequest(name, commands, out, point.priority)
            )
            if report.exit_code == 0:
                return ""
            self._reach(point, partial(self._poller.cancel, name))
            if name not in ended and self._guard.objection():
                return NO_ROOM
            ending = _ending(report)
            tries[ending] += 1
            if report.exit_code in LATER:
                if name in ended:
                    continue
                self._rest(point, PAUSES_S[min(tries[ending], len(PAUSES_S)) - 1])
                return f"the job {ending}; times so far: {tries[ending]}"
            if (report.exit_code or 0) > 0:
                raise JobError(f"the job failed with exit code {report.exit_code}: {report.reason}")
            LOG.warning("%s: job %s %s", point.label, name, ending)
            if tries[ending] == TRIALS:
                killed = report.exit_code in (-signal.SIGKILL, 128 + signal.SIGKILL)
                remedy = OUT_OF_MEMORY if killed else "see the job's logs"
                raise JobError(f"the job {ending}, {TRIALS} times", remedy=remedy)

    def _run(self, point: PointRow, request: JobRequest) -> JobReport:
        """Run a job to its end, or find it if it was started before."""
        self._catalog.add_job(point, request.name)
        self._reach(point, partial(self._poller.submit, request))
        report = self._wait(point, request.name)
        self._catalog.end_job(request.name, report)
        return report

    def _reach(self, point: PointRow, action: Callable[[], None]) -> None:
        """Do something at the site where the point's job runs; wait while that is unreachable."""
        while True:
            try:
                return action()
            except UnreachableError:  # the driver tells what the poller's trouble is
                if self._stopped(point.id):
                    raise StoppedError("cancelled while its site was away", point.label) from None
                time.sleep(UNREACHABLE_S)

    def _rest(self, point: PointRow, seconds: float) -> None:
        """Let some time pass before a point is queued again, unless it is cancelled."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stopped(point.id):
            time.sleep(min(0.5, left))

    def _wait(self, point: PointRow, name: str) -> JobReport:
        """Wait for a job; polling adds at most a tenth to its duration."""
        begin, watch = time.monotonic(), Stopwatch(self._limit_s())
        try:
            while (report := self._poller.report(name)).state not in ENDED:
                if self._stopped(point.id):
                    self._poller.cancel(name)
                    raise StoppedError("cancelled while its job was running", point.label)
                if report.state is JobState.RUNNING and watch.is_over():
                    self._reach(point, partial(self._poller.cancel, name))
                    LOG.warning(
                        "%s: job %s still ran after %.0f s, so it was taken to hang and ended "
                        "(job_limit_s sets the limit)",
                        point.label,
                        name,
                        watch.limit_s,
                    )
                    return JobReport(JobState.LOST, reason=HUNG)
                time.sleep(min(0.5, max(0.02, (time.monotonic() - begin) / 10)))
        finally:
            self._poller.end(name)
        return report

    def _package(self, point: PointRow) -> dict[str, str]:
        """Return the checksum of every file to deliver, by its path below the results."""
        self._catalog.step(point, PointState.PACKAGING)
        out = self._folders.point(point.id) / "out"
        if not (out / point.result).is_file():
            raise JobError("the job succeeded but left no result", point.label)
        images = sorted((out / export_name(point.result)).rglob("*"))
        files = [out / point.result, *(i for i in images if i.is_file())]
        wanted = [f for f in files if f.suffix != ".partial"]
        return {file.relative_to(out).as_posix(): sha256(file) for file in wanted}

    def _stage_out(self, point: PointRow, manifest: dict[str, str]) -> str:
        """Copy everything to the results folder, the result itself last; return its name there."""
        self._catalog.step(point, PointState.DELIVERING)
        self._guard.require(point.label)
        out, results = self._folders.point(point.id) / "out", self._folders.results
        final = delivered_name(self._catalog, results, point, manifest[point.result], sha256)
        images = results / export_name(final)
        whole = here(out)
        others = [
            Item(
                whole,
                name,
                here(images / Path(name).relative_to(export_name(point.result))),
                sha256=digest,
            )
            for name, digest in manifest.items()
            if name != point.result
        ]
        result = Item(whole, point.result, here(results / final), sha256=manifest[point.result])
        self._move(point, "out", [*others, result])
        return final

    def _move(self, point: PointRow, what: str, items: Sequence[Item]) -> tuple[str, ...]:
        """Move files to where they belong and return their checksums."""
        name = f"{self._prefix}-p{point.id}-r{point.run}-{what}"
        return moved(self._transfer, name, items, lambda: self._stopped(point.id))


def _ending(report: JobReport) -> str:
    if report.reason == HUNG:
        return HUNG
    if report.exit_code is None:
        return "disappeared without an exit code"
    if report.exit_code in STOPPED:
        return f"was told to stop ({STOPPED[report.exit_code].name})"
    if report.exit_code < 0:
        return f"was killed by signal {-report.exit_code}"
    return f"asked for a retry: {report.reason}"
