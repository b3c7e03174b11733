"""The driver and its flow, in this process, with jobs that are real programs."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.pipeline.driver_bench import PYTHON, Bench, Faulty

from lauedepth.pipeline.catalog import (
    PointState,
)
from lauedepth.pipeline.protocols import Item
from lauedepth.pipeline.transfers import LocalCopy


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
