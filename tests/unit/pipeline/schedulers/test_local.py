"""Jobs run to their end whoever watches, and are found again by name."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lauedepth.pipeline.errors import FacilityError
from lauedepth.pipeline.protocols import ENDED, JobReport, JobRequest, JobState
from lauedepth.pipeline.schedulers import LocalProcesses
from lauedepth.pipeline.schedulers.local import marked_processes

PYTHON = (sys.executable, "-I", "-S", "-c")

WAITS = "import os, sys, time\nwhile not os.path.exists({!r}): time.sleep(0.01)\n"
"""A program that goes on once a file is there."""


def wait(scheduler: LocalProcesses, name: str) -> JobReport:
    until(lambda: report(scheduler, name).state in ENDED)
    return report(scheduler, name)


def report(scheduler: LocalProcesses, name: str) -> JobReport:
    return scheduler.reports([name])[name]


def until(condition: Callable[[], bool]) -> None:
    """Look again and again, but not for ever."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def request(name: str, folder: Path, *programs: str, priority: int = 0) -> JobRequest:
    return JobRequest(name, tuple((*PYTHON, program) for program in programs), folder, priority)


@pytest.fixture
def scheduler(tmp_path: Path) -> LocalProcesses:
    return LocalProcesses(tmp_path / "jobs", slots=2)


def test_programs_run_in_order_and_use_is_measured(
    scheduler: LocalProcesses, tmp_path: Path
) -> None:
    steps = [f"open('log','a').write('{i}')" for i in range(3)]
    scheduler.submit(request("a", tmp_path, "sum(range(3_000_000))", *steps))
    report = wait(scheduler, "a")
    assert (report.state, report.exit_code) == (JobState.FINISHED, 0)
    assert (tmp_path / "log").read_text() == "012"
    assert 0 < report.cpu_seconds < report.seconds + 0.5
    assert report.max_rss_bytes > 1e6


def test_the_first_failure_ends_the_job_and_is_reported(
    scheduler: LocalProcesses, tmp_path: Path
) -> None:
    fails = "import sys; print('error: no aperture', file=sys.stderr); sys.exit(3)"
    scheduler.submit(request("a", tmp_path, fails, "open('ran','w')"))
    report = wait(scheduler, "a")
    assert (report.exit_code, report.reason) == (3, "error: no aperture")
    assert not (tmp_path / "ran").exists()


def test_the_cause_of_a_program_that_speaks_json(scheduler: LocalProcesses, tmp_path: Path) -> None:
    fails = (
        """import sys; print('{"event": "error", "message": "p.h5: no frames"}');"""
        "print('a warning of some library', file=sys.stderr); sys.exit(1)"
    )
    scheduler.submit(request("a", tmp_path, fails))
    assert wait(scheduler, "a").reason == "p.h5: no frames"


def test_a_program_that_is_not_there(scheduler: LocalProcesses, tmp_path: Path) -> None:
    scheduler.submit(JobRequest("a", (("/no/such/program",),), tmp_path))
    report = wait(scheduler, "a")
    assert report.exit_code == 127
    assert "/no/such/program" in report.reason


def test_arguments_reach_no_shell(scheduler: LocalProcesses, tmp_path: Path) -> None:
    odd = "a b'\"; $(touch owned) `x` µ\n*"
    program = "import sys; open('said','w').write(sys.argv[1])"
    scheduler.submit(JobRequest("a", ((*PYTHON, program, odd),), tmp_path))
    assert wait(scheduler, "a").exit_code == 0
    assert (tmp_path / "said").read_text() == odd
    assert not (tmp_path / "owned").exists()


def test_no_more_than_the_slots_and_urgent_ones_first(
    scheduler: LocalProcesses, tmp_path: Path
) -> None:
    # b holds its slot to the end, so that the others go through the other one after another
    for name, priority in (("a", 0), ("b", 0), ("late", 1), ("urgent", 0), ("later", 1)):
        waits = WAITS.format(f"go_{name}" if name in ("a", "b") else ".")
        words = f"{waits}open('log', 'a').write('{name} ')"
        scheduler.submit(request(name, tmp_path, words, priority=priority))
    found = scheduler.reports(("a", "b", "late", "urgent", "later"))
    assert [r.state for r in found.values()].count(JobState.QUEUED) == 3
    (tmp_path / "go_a").touch()
    for name in ("a", "urgent", "late", "later"):
        wait(scheduler, name)
    (tmp_path / "go_b").touch()
    wait(scheduler, "b")
    order = (tmp_path / "log").read_text().split()
    assert order.index("urgent") < order.index("late")


def test_jobs_outlive_who_started_them(tmp_path: Path) -> None:
    job = WAITS.format("go") + "open('done','w').write('x')"
    starter = f"""
from pathlib import Path
from lauedepth.pipeline.protocols import JobRequest
from lauedepth.pipeline.schedulers import LocalProcesses
LocalProcesses(Path({str(tmp_path / "jobs")!r}), 1).submit(
    JobRequest("a", (({sys.executable!r}, "-c", {job!r}),), Path({str(tmp_path)!r})))
"""
    subprocess.run([sys.executable, "-c", starter], check=True, timeout=30)
    again = LocalProcesses(tmp_path / "jobs", 1)
    again.submit(request("a", tmp_path, "open('twice','w')"))
    (tmp_path / "go").touch()
    report = wait(again, "a")
    assert (report.state, report.exit_code) == (JobState.FINISHED, 0)
    assert (tmp_path / "done").exists()
    assert not (tmp_path / "twice").exists()


def test_jobs_found_again_take_their_slots(tmp_path: Path) -> None:
    first = LocalProcesses(tmp_path / "jobs", 1)
    first.submit(request("a", tmp_path, WAITS.format("go")))
    until((tmp_path / "jobs" / "a" / "pid.json").exists)
    again = LocalProcesses(tmp_path / "jobs", 1)
    again.submit(request("b", tmp_path, "pass"))
    assert report(again, "b").state is JobState.QUEUED
    (tmp_path / "go").touch()
    wait(first, "a")
    assert wait(again, "b").exit_code == 0


def test_a_killed_program_leaves_its_signal(scheduler: LocalProcesses, tmp_path: Path) -> None:
    scheduler.submit(request("a", tmp_path, "import os; os.kill(os.getpid(), 9)"))
    assert wait(scheduler, "a").exit_code == -signal.SIGKILL


def test_a_killed_runner_is_a_lost_job_and_takes_its_program_along(
    scheduler: LocalProcesses, tmp_path: Path
) -> None:
    scheduler.submit(request("a", tmp_path, "import time; time.sleep(60)"))
    until(lambda: len(marked_processes("a")) == 2)
    runner = json.loads((tmp_path / "jobs" / "a" / "pid.json").read_text())["pid"]
    os.kill(runner, signal.SIGKILL)
    assert wait(scheduler, "a").state is JobState.LOST
    until(lambda: not marked_processes("a"))
    scheduler.submit(request("a", tmp_path, "open('twice','w')"))
    assert wait(scheduler, "a").state is JobState.LOST
    assert not (tmp_path / "twice").exists()


def test_cancel_ends_everything(scheduler: LocalProcesses, tmp_path: Path) -> None:
    spawns = (
        "import subprocess, sys, time;"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); time.sleep(60)"
    )
    scheduler.submit(request("a", tmp_path, spawns))
    until(lambda: len(marked_processes("a")) == 3)
    scheduler.cancel("a")
    until(lambda: not marked_processes("a"))
    scheduler.forget("a")
    assert not (tmp_path / "jobs" / "a").exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FacilityError, match="cannot be created"):
        LocalProcesses(tmp_path / "file" / "jobs", 1)


def test_a_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(FacilityError, match="has no locks; set 'work' in the settings"):
        LocalProcesses(tmp_path / "jobs", 1)
