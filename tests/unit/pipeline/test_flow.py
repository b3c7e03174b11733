"""The driver and its flow, in this process, with jobs that are real programs."""

from __future__ import annotations

import errno
import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Collection

import pytest
from tests.unit.pipeline.driver_bench import PYTHON, Bench, Faulty

from lauedepth.pipeline.catalog import JOBS, Catalog, PointState
from lauedepth.pipeline.errors import UnreachableError
from lauedepth.pipeline.flow import TRIALS
from lauedepth.pipeline.poller import Poller
from lauedepth.pipeline.protocols import Item, JobReport, JobRequest
from lauedepth.pipeline.schedulers import LocalProcesses
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
    assert "killed by signal 9, 5 times; where memory ran out" in bench.point("p.h5").failure


HANGS_ONCE = "import os, sys, time; os.path.exists('n') or (open('n', 'w'), time.sleep(60))"


def test_a_job_that_hangs_is_ended_told_and_tried_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.write("p.h5")
    bench.settings = bench.settings.model_copy(update={"job_limit_s": 1.0})
    bench.commands = ((*PYTHON, HANGS_ONCE), *bench.commands)
    bench.run()
    assert bench.point("p.h5").state is PointState.DONE
    assert "hung and was ended" in caplog.text
    reasons = sorted(row["reason"] for row in bench.catalog.rows(JOBS))
    assert reasons == ["", "hung and was ended"]


def test_a_job_that_always_hangs_is_given_up(bench: Bench) -> None:
    bench.write("p.h5")
    bench.settings = bench.settings.model_copy(update={"job_limit_s": 0.3})
    bench.commands = ((*PYTHON, "import time; time.sleep(60)"),)
    bench.run()
    assert "the job hung and was ended, 5 times" in bench.point("p.h5").failure


ENDS = """
import os, sys
with open('ends', 'a+') as file:
    file.write('x')
    file.flush()
    trial = file.tell()
endings = [int(code) for code in sys.argv[1].split()]
if trial <= len(endings):
    code = endings[trial - 1]
    sys.exit(code) if code >= 0 else os.kill(os.getpid(), -code)
"""
"""A program whose first runs end as told."""


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lauedepth.pipeline.flow.PAUSES_S", (0.01,))


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("ending", [75, 130, 143, -2, -15])
def test_a_job_told_to_stop_or_asking_for_a_retry_is_queued_again_without_limit(
    bench: Bench, ending: int
) -> None:
    bench.write("p.h5")
    bench.commands = ((*PYTHON, ENDS, " ".join([str(ending)] * (TRIALS + 2))), *bench.commands)
    bench.run()
    point = bench.point("p.h5")
    assert (point.state, point.run, point.attempt) == (PointState.DONE, TRIALS + 3, 0)
    codes = [job["exit_code"] for job in bench.catalog.rows(JOBS)]
    assert sorted(codes) == sorted([ending] * (TRIALS + 2) + [0])


@pytest.mark.usefixtures("brief")
def test_tries_are_counted_by_cause(bench: Bench) -> None:
    bench.write("p.h5")
    mixed = [-9, -11, 143] * (TRIALS - 1)
    bench.commands = ((*PYTHON, ENDS, " ".join(str(code) for code in mixed)), *bench.commands)
    bench.run()
    assert bench.point("p.h5").state is PointState.DONE
    bench.write("q.h5", 2)
    mixed += [-11, -9]
    bench.commands = ((*PYTHON, ENDS, " ".join(str(code) for code in mixed)), *bench.commands[1:])
    bench.run()
    assert "killed by signal 11, 5 times" in bench.point("q.h5").failure


@pytest.mark.usefixtures("brief")
def test_tries_are_counted_over_restarts_of_the_driver(bench: Bench) -> None:
    bench.write("p.h5")
    bench.commands = ((*PYTHON, ENDS, "-9 -9 -9 -9"), *bench.commands)
    bench.run()
    point = bench.point("p.h5")
    assert point.state is PointState.DONE
    bench.commands = ((*PYTHON, "import os; os.kill(os.getpid(), 9)"), *bench.commands)
    with bench.catalog.begin() as connection:
        connection.execute(JOBS.delete().where(JOBS.c.exit_code == 0))
    bench.catalog.change(point.id, state=PointState.WAITING)
    bench.run()
    assert "killed by signal 9, 5 times" in bench.point("p.h5").failure
    assert len(bench.catalog.rows(JOBS)) == TRIALS


@pytest.mark.usefixtures("brief")
def test_a_job_that_always_asks_for_a_retry_keeps_nobody_waiting(bench: Bench) -> None:
    bench.write("a.h5")
    for name in ("b.h5", "c.h5"):
        bench.write(name, 2)
    ask = (
        "import os, sys; 'a.h5' in sys.argv[1] and not os.path.exists(sys.argv[2]) and sys.exit(75)"
    )
    gate = bench.folders.work / "gate"
    bench.commands = (
        (*PYTHON, ask, "{point}", str(gate)),
        (*PYTHON, f"import sys; 'c.h5' in sys.argv[1] and open({str(gate)!r}, 'w')", "{point}"),
        *bench.commands,
    )
    bench.run()
    assert [bench.point(n).state.value for n in ("a.h5", "b.h5", "c.h5")] == ["done"] * 3


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


EXPORT = (
    *PYTHON,
    "import os, sys; os.mkdir(sys.argv[1]); open(sys.argv[1] + '/i', 'w')",
    "{export}",
)


def test_the_newest_version_takes_the_plain_name(bench: Bench) -> None:
    bench.commands += (EXPORT,)
    contents = []
    for value in (1, 2, 3):
        contents.append(bench.write("p.h5", value).read_bytes())
        bench.run()
    found = {p.name: p.read_bytes() for p in bench.results.glob("*.h5")}
    assert found == {"p.v1.h5": contents[0], "p.v2.h5": contents[1], "p.h5": contents[2]}
    images = sorted(path.parent.name for path in bench.results.glob("*/i"))
    assert images == ["p.v1_depths", "p.v2_depths", "p_depths"]
    known = sorted(bench.catalog.points(), key=lambda point: point.version)
    assert [p.result for p in known] == ["p.v1.h5", "p.v2.h5", "p.h5"]
    assert [p.sha256_result for p in known] == [hashlib.sha256(c).hexdigest() for c in contents]


def test_a_delivery_that_broke_off_at_any_file_is_ended_by_the_next_run(bench: Bench) -> None:
    bench.commands += (EXPORT,)
    first = bench.write("p.h5", 1).read_bytes()
    bench.run()
    second = bench.write("p.h5", 2).read_bytes()

    class Breaks(Faulty):
        def copy(self, item: Item, stop: Callable[[], bool]) -> str:
            digest = LocalCopy().copy(item, stop)
            self.calls += 1
            if self.calls in (2, 5):  # after the image, and after the result
                raise OSError(errno.ENOSPC, "No space left on device")
            return digest

    bench.transfer = Breaks()
    bench.run()
    assert bench.transfer.calls > 5
    found = {p.name: p.read_bytes() for p in bench.results.glob("*.h5")}
    assert found == {"p.v1.h5": first, "p.h5": second}
    assert {p.version: p.result for p in bench.catalog.points()} == {1: "p.v1.h5", 2: "p.h5"}


def test_junk_that_takes_longer_than_the_whole_file_does_not_take_its_name(bench: Bench) -> None:
    gate = bench.folders.work / "gate"
    wait = (
        "import os, sys, time\nfirst = b'junk' in open(sys.argv[1], 'rb').read()\n"
        "while first and not os.path.exists(sys.argv[2]): time.sleep(0.01)"
    )
    bench.commands = ((*PYTHON, wait, "{point}", str(gate)), *bench.commands)
    path = bench.write("p.h5")
    path.write_bytes(path.read_bytes() + b"junk")
    beside = Catalog(bench.url)

    def go_on() -> None:
        while PointState.RECONSTRUCTING not in beside.counts():
            time.sleep(0.01)
        bench.write("p.h5", 2)
        while PointState.DONE not in beside.counts():
            time.sleep(0.01)
        gate.touch()

    helper = threading.Thread(target=go_on)
    helper.start()
    bench.run()
    helper.join()
    assert sorted(path.name for path in bench.results.iterdir()) == ["p.v1.h5", "p.v2.h5"]
    assert (bench.results / "p.v2.h5").read_bytes() == path.read_bytes()


def test_junk_that_failed_leaves_its_name_and_a_users_file_keeps_it(bench: Bench) -> None:
    check = "import sys; b'junk' in open(sys.argv[1], 'rb').read() and sys.exit(3)"
    bench.commands = ((*PYTHON, check, "{point}"), *bench.commands)
    path = bench.write("p.h5")
    path.write_bytes(path.read_bytes() + b"junk")
    bench.run()
    assert bench.point("p.h5").state is PointState.FAILED
    whole = bench.write("p.h5", 2).read_bytes()
    bench.run()
    assert (bench.results / "p.h5").read_bytes() == whole
    (bench.results / "p.h5").write_bytes(b"a user's own")
    third = bench.write("p.h5", 3).read_bytes()
    bench.run()
    assert (bench.results / "p.h5").read_bytes() == b"a user's own"
    assert (bench.results / "p.v3.h5").read_bytes() == third


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


def test_a_site_that_is_away_is_waited_for_and_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lauedepth.pipeline.flow.UNREACHABLE_S", 0.01)
    bench.write("p.h5")
    looks, told = itertools.count(), list[str]()

    class Away(LocalProcesses):
        def submit(self, request: JobRequest) -> None:
            if next(looks) < 3:
                raise UnreachableError("no route to host", "cluster")
            super().submit(request)

        def reports(self, names: Collection[str]) -> dict[str, JobReport]:
            if next(looks) < 12:
                raise UnreachableError("no route to host", "cluster")
            return super().reports(names)

    class Listens(Poller):
        def report(self, name: str) -> JobReport:
            found = super().report(name)
            told.append(self.trouble)
            return found

    bench.poller = Listens(Away(bench.folders.work / "jobs", 2))
    bench.run()
    point = bench.point("p.h5")
    assert (point.state, point.run) == (PointState.DONE, 1)
    assert "cluster: no route to host; waiting for it" in told
    assert told[-1] == ""
    assert len(bench.catalog.rows(JOBS)) == 1
