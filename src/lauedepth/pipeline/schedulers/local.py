"""Jobs as processes on this machine, N at a time, found again by name after a restart."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from lauedepth.core.locks import has_locks, is_held
from lauedepth.pipeline.errors import FacilityError
from lauedepth.pipeline.protocols import JobReport, JobRequest, JobState
from lauedepth.pipeline.schedulers import runner

MARK: Final = "LAUEDEPTH_JOB"
"""Environment variable that every process of a job carries, with the job's name."""


class LocalProcesses:
    """A scheduler of processes that outlive the driver.

    A job is running exactly while its runner holds the lock in the job's folder: the kernel frees
    it however the runner ends, and no reused process number can be mistaken for it.

    Parameters
    ----------
    folder : Path
        Folder in which each job has its own.
    slots : int
        Number of jobs run at the same time. Each gets an equal share of the cores.
    """

    def __init__(self, folder: Path, slots: int) -> None:
        self._folder, self._slots = folder, slots
        self._guard = threading.Lock()
        self._queued: dict[str, JobRequest] = {}
        self._running: dict[str, subprocess.Popen[bytes] | None] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FacilityError(f"cannot be created ({error.strerror})", str(folder)) from error
        if not has_locks(folder):
            raise FacilityError(
                "cannot hold jobs: its file system has no locks",
                str(folder),
                "set 'work' in the settings to a folder on a local disk",
            )
        for job in folder.iterdir():
            if (job / "pid.json").exists() and not (job / "exit.json").exists():
                self._running[job.name] = None

    @property
    def slots(self) -> int:
        """Number of jobs run at the same time."""
        return self._slots

    @property
    def look_every_s(self) -> float:
        """Least time between two looks at the jobs: they are on this machine."""
        return 0.02

    def submit(self, request: JobRequest) -> None:
        """Accept a job; do nothing if a job of this name is already known."""
        job = self._folder / request.name
        with self._guard:
            if request.name in self._running or request.name in self._queued:
                return
            if (job / "pid.json").exists():
                return
            try:
                self._write(request)
            except FileNotFoundError:  # somebody tidies up just now
                self._write(request)
            self._queued[request.name] = request
            self._start_ready()

    def _write(self, request: JobRequest) -> None:
        """Make the job's folder, and that of all jobs if it was deleted."""
        job = self._folder / request.name
        self._folder.mkdir(exist_ok=True)
        job.mkdir(exist_ok=True)
        if not (job / "job.json").exists():
            content = {**asdict(request), "folder": str(request.folder)}
            runner.write_json(job / "job.json", content)

    def reports(self, names: Collection[str]) -> dict[str, JobReport]:
        """Return the states of jobs. A job that died without an exit code is lost."""
        with self._guard:
            self._start_ready()
            queued = JobReport(JobState.QUEUED)
            return {n: queued if n in self._queued else self._look(n) for n in names}

    def cancel(self, name: str) -> None:
        """Kill all processes of a job."""
        with self._guard:
            self._queued.pop(name, None)
        for pid in marked_processes(name):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        with self._guard:
            process = self._running.pop(name, None)
        if process is not None:
            process.wait()

    def forget(self, name: str) -> None:
        """Delete the records of a finished job."""
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def _look(self, name: str) -> JobReport:
        job, process = self._folder / name, self._running.get(name)
        if process is not None and process.poll() is None:
            return JobReport(JobState.RUNNING)
        if is_held(job / "lock"):
            return JobReport(JobState.RUNNING)
        outcome = _read(job / "exit.json")
        self._running.pop(name, None)
        if outcome is None:
            return JobReport(JobState.LOST)
        return JobReport(JobState.FINISHED, **outcome)

    def _start_ready(self) -> None:
        for name in list(self._running):
            self._look(name)
        waiting = sorted(self._queued.values(), key=lambda request: request.priority)
        for request in waiting[: max(0, self._slots - len(self._running))]:
            del self._queued[request.name]
            self._running[request.name] = self._start(request.name)

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        share = str(max(1, (os.cpu_count() or 1) // self._slots))
        threads = {"OMP_NUM_THREADS": share, "NUMBA_NUM_THREADS": share}
        return subprocess.Popen(
            [sys.executable, "-I", "-S", runner.__file__, str(self._folder / name)],
            env={**threads, **os.environ, MARK: name},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def marked_processes(name: str) -> list[int]:
    """Return the processes on this machine that carry a job's mark."""
    mark = f"{MARK}={name}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if mark in environment.split(b"\0"):
                found.append(int(entry.name))
    return found


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return content
