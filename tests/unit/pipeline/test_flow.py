"""The driver and its flow, in this process, with jobs that are real programs."""

from __future__ import annotations

import errno
import hashlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pytest

from lauedepth.pipeline.catalog import (
    Catalog,
    PointRow,
    PointState,
    Priority,
    SourceRow,
    catalog_url,
    hold,
    point_named,
)
from lauedepth.pipeline.disk import DiskGuard
from lauedepth.pipeline.driver import Driver
from lauedepth.pipeline.errors import CatalogError
from lauedepth.pipeline.flow import Means
from lauedepth.pipeline.places import Folders
from lauedepth.pipeline.protocols import Item, Recipe
from lauedepth.pipeline.schedulers import LocalProcesses
from lauedepth.pipeline.settings import Settings
from lauedepth.pipeline.sources import FolderSource
from lauedepth.pipeline.transfers import LocalCopy

PYTHON = (sys.executable, "-I", "-S", "-c")
COPY = (*PYTHON, "import sys; open(sys.argv[2],'wb').write(open(sys.argv[1],'rb').read())")
SLOW = (*PYTHON, "import time; time.sleep(60)")


@dataclass
class Faulty:
    """A transfer that fails as told before it works."""

    faults: list[Exception] = field(default_factory=list)
    calls: int = 0

    def copy(self, item: Item, stop: Callable[[], bool]) -> str:
        self.calls += 1
        if self.faults:
            raise self.faults.pop(0)
        return LocalCopy().copy(item, stop)


class Bench:
    """A folder of points, and a driver that works them off."""

    def __init__(self, tmp_path: Path) -> None:
        self.live, self.results = tmp_path / "live", tmp_path / "results"
        self.live.mkdir()
        self.folders = Folders(self.results, tmp_path / "work")
        self.folders.make()
        self.url = catalog_url(str(tmp_path / "catalog.sqlite"))
        self.catalog = Catalog(self.url, create=True)
        row = SourceRow(
            0, str(self.live), "file", ".done", False, "d", 0, int(Priority.LIVE), 0, False
        )
        self.catalog.add_source(row)
        self.transfer = Faulty()
        self.commands: tuple[tuple[str, ...], ...] = ((*COPY, "{point}", "{result}"),)
        self.settings = Settings(poll_s=0.05, still_polls=1, unreadable_s=0.2, keep_free_gb=0)

    def write(self, name: str, value: int = 1) -> Path:
        path = self.live / name
        path.parent.mkdir(exist_ok=True)
        with h5py.File(path, "w") as file:
            file["d"] = np.full((2, 3, 4), value, np.uint16)
        return path

    def driver(self) -> Driver:
        scheduler = LocalProcesses(self.folders.work / "jobs", 2)
        means = Means(self.transfer, scheduler, Recipe(self.commands), self.folders)
        return Driver(
            self.catalog,
            means,
            self.settings,
            lambda row: FolderSource(Path(row.folder), dataset=row.dataset),
        )

    def run(self) -> None:
        with hold(self.catalog) as me:
            self.driver().run(me, until_done=True)

    def point(self, name: str) -> PointRow:
        return point_named(self.catalog, name)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    yield Bench(tmp_path)
    logging.getLogger("dbos").handlers.clear()


def test_points_become_results_with_their_checksums(bench: Bench) -> None:
    names = ["p 1.h5", "a;b/$(x) 'q' µ.h5", "a;b/p 1.h5"]
    sources = [bench.write(name, value) for value, name in enumerate(names)]
    bench.run()
    for name, path in zip(names, sources, strict=True):
        point = bench.point(name)
        assert point.state is PointState.DONE
        content = (bench.results / name).read_bytes()
        assert content == path.read_bytes()
        assert point.sha256_result == hashlib.sha256(content).hexdigest() == point.sha256_input
    assert not list((bench.folders.work / "points").iterdir())
    assert not list((bench.folders.work / "jobs").iterdir())


def test_images_are_delivered_with_the_result(bench: Bench) -> None:
    bench.write("p.h5")
    export = (
        "import os, sys; os.mkdir(sys.argv[1]);"
        "open(sys.argv[1] + '/p_0.h5', 'w').write('image');"
        "open(sys.argv[1] + '/p_1.partial', 'w').write('half')"
    )
    bench.commands += ((*PYTHON, export, "{export}"),)
    bench.run()
    assert [p.name for p in (bench.results / "p_depths").iterdir()] == ["p_0.h5"]


def test_a_point_that_fails_tells_why_and_stops_nobody(bench: Bench) -> None:
    for name in ("a.h5", "bad.h5", "c.h5"):
        bench.write(name)
    check = "import sys; 'bad' in sys.argv[1] and sys.exit('error: no peaks in the frame')"
    bench.commands += ((*PYTHON, check, "{result}"),)
    bench.run()
    assert [bench.point(n).state.value for n in ("a.h5", "c.h5")] == ["done", "done"]
    bad = bench.point("bad.h5")
    assert bad.state is PointState.FAILED
    assert bad.failure == "the job failed with exit code 1: error: no peaks in the frame"
    assert not (bench.results / "bad.h5").exists()


def test_retry_starts_a_failed_point_anew(bench: Bench) -> None:
    bench.write("p.h5")
    good, bench.commands = bench.commands, ((*PYTHON, "raise SystemExit(2)"),)
    bench.run()
    assert bench.point("p.h5").state is PointState.FAILED
    bench.commands = good
    bench.run()
    assert bench.point("p.h5").state is PointState.FAILED
    bench.catalog.retry(bench.point("p.h5"))
    bench.run()
    assert bench.point("p.h5").state is PointState.DONE


def test_a_job_without_a_result_has_failed(bench: Bench) -> None:
    bench.write("p.h5")
    bench.commands = ((*PYTHON, "pass"),)
    bench.run()
    assert "left no result" in bench.point("p.h5").failure


def test_a_job_that_always_dies_is_given_up(bench: Bench) -> None:
    bench.write("p.h5")
    bench.commands = ((*PYTHON, "import os; os.kill(os.getpid(), 9)"),)
    bench.run()
    assert "killed by signal 9, 5 times in a row" in bench.point("p.h5").failure


def test_a_job_may_ask_for_another_try(bench: Bench, tmp_path: Path) -> None:
    bench.write("p.h5")
    first = "import os, sys; os.path.exists('tried') or (open('tried', 'w'), sys.exit(75))"
    bench.commands = ((*PYTHON, first), *bench.commands)
    bench.run()
    assert bench.point("p.h5").state is PointState.DONE


def test_a_full_disk_is_waited_for(bench: Bench) -> None:
    bench.write("p.h5")
    bench.transfer.faults = [OSError(errno.ENOSPC, "No space left on device")]
    bench.run()
    assert bench.point("p.h5").state is PointState.DONE
    assert bench.point("p.h5").run == 2


def test_a_disk_that_is_full_at_the_end_costs_no_second_job(bench: Bench) -> None:
    bench.write("p.h5")
    count = (*PYTHON, f"open({str(bench.folders.work / 'jobs.log')!r}, 'a').write('x')")
    bench.commands += (count,)

    class FullAtTheEnd(Faulty):
        def copy(self, item: Item, stop: Callable[[], bool]) -> str:
            if item.sha256 and not self.calls:
                self.calls += 1
                raise OSError(errno.ENOSPC, "No space left on device")
            return LocalCopy().copy(item, stop)

    bench.transfer = FullAtTheEnd()
    bench.run()
    assert bench.point("p.h5").state is PointState.DONE
    assert bench.point("p.h5").run == 2
    assert (bench.folders.work / "jobs.log").read_text() == "x"


def test_a_mount_that_hiccups_is_tried_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lauedepth.pipeline.flow.PAUSES_S", (0.01, 0.01))
    bench.write("p.h5")
    bench.transfer.faults = [OSError(errno.ESTALE, "Stale file handle")] * 2
    bench.run()
    assert bench.point("p.h5").state is PointState.DONE
    bench.write("q.h5", 2)
    bench.transfer.faults = [OSError(errno.ESTALE, "Stale file handle")] * 3
    bench.run()
    assert "Stale file handle" in bench.point("q.h5").failure


def test_a_breakdown_inside_the_pipeline_ends_in_a_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lauedepth.pipeline.driver.BEAT_S", 0.05)
    bench.write("p.h5")
    bench.write("q.h5")
    bench.transfer.faults = [RuntimeError("a bug")]
    bench.run()
    assert [bench.point(n).state.value for n in ("p.h5", "q.h5")] == ["done", "done"]
    bench.write("r.h5", 3)
    bench.transfer.faults = [RuntimeError("a bug")] * 5
    bench.run()
    assert "failed internally on this point 5 times" in bench.point("r.h5").failure


def test_a_catalog_that_refuses_for_a_while_is_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lauedepth.pipeline.driver.BEAT_S", 0.05)
    bench.write("p.h5")
    broken = [CatalogError("cannot be written (database or disk is full)")] * 6
    bench.transfer.faults = list(broken)
    real, left = bench.catalog.dispatch, [1, 2]

    def refuse(point: PointRow) -> int:
        if left:
            left.pop()
            raise CatalogError("cannot be written (disk I/O error)")
        return real(point)

    monkeypatch.setattr(bench.catalog, "dispatch", refuse)
    bench.run()
    assert bench.point("p.h5").state is PointState.DONE


def test_the_same_content_again_is_not_done_twice(bench: Bench) -> None:
    path = bench.write("p.h5")
    bench.run()
    path.write_bytes(path.read_bytes())
    bench.run()
    again = bench.point("p.h5")
    assert (again.version, again.state) == (2, PointState.SUPERSEDED)
    assert "same content as version 1" in again.failure
    assert [p.name for p in bench.results.iterdir()] == ["p.h5"]


def test_a_users_own_file_is_never_overwritten(bench: Bench) -> None:
    bench.write("p.h5")
    (bench.results / "p.h5").write_text("precious")
    bench.run()
    assert "another file is already there" in bench.point("p.h5").failure
    assert (bench.results / "p.h5").read_text() == "precious"


def test_skipping_ends_the_job(bench: Bench) -> None:
    bench.write("p.h5")
    bench.commands = (SLOW,)
    beside = Catalog(bench.url)

    def skip() -> None:
        while point_named(beside, "p.h5").state is not PointState.RECONSTRUCTING:
            time.sleep(0.05)
        beside.skip(point_named(beside, "p.h5"), "no use")

    bench.write("q.h5")
    bench.catalog.add_source(bench.catalog.sources()[0])
    helper = threading.Timer(1.0, skip)
    other = threading.Timer(1.0, lambda: beside.skip(point_named(beside, "q.h5"), "no use"))
    helper.start()
    other.start()
    begin = time.monotonic()
    bench.run()
    helper.join()
    other.join()
    assert time.monotonic() - begin < 20
    assert bench.point("p.h5").state is PointState.SKIPPED


def test_draining_finishes_what_is_in_flight(bench: Bench) -> None:
    bench.write("p.h5")
    nap = (*PYTHON, "import time; time.sleep(0.8)")
    bench.commands = (nap, *bench.commands)
    with hold(bench.catalog) as me:
        driver = bench.driver()
        threading.Timer(1.0, driver.drain).start()
        threading.Timer(1.1, lambda: bench.write("late.h5")).start()
        driver.run(me)
    assert bench.point("p.h5").state is PointState.DONE


def test_staged_files_are_kept_if_asked(bench: Bench) -> None:
    for number in range(4):
        bench.write(f"p_{number}.h5")
    bench.settings = bench.settings.model_copy(update={"keep_staged": 2})
    bench.run()
    assert len(list((bench.folders.work / "points").iterdir())) == 2


def test_the_disk_guard_counts_what_is_coming(tmp_path: Path) -> None:
    assert DiskGuard((tmp_path,), 0.0).objection([1000]) == ""
    assert "paused: " in DiskGuard((tmp_path,), 0.0).objection([1 << 60])
    assert "free some disk space" in DiskGuard((tmp_path,), 1e18).objection()
