"""Runs one job and records its exit code: ``python -I -S runner.py FOLDER``.

It imports nothing of the project, so that it starts at once and has no dependencies; therefore it
takes its lock itself, which the project does in `core.locks`. The job's folder holds ``job.json``
(in), ``lock`` (held while the job runs), ``pid.json``, ``stdout.log``, ``stderr.log`` and
``exit.json`` (out).
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

PR_SET_PDEATHSIG = 1
TAKEN = 75
"""Exit code of a runner that finds the job already running or finished."""


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start_time(pid: int) -> int:
    """Return when a process started, in clock ticks since boot: with the pid, its identity."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19])


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file atomically: whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def cause(*logs: Path) -> str:
    """Return why a program failed: its error event, or the last non-empty line of a log.

    Programs that print JSON lines end with ``{"event": "error", "message": ...}``.
    """
    lines = [line for log in logs for line in reversed(tail(log))]
    for line in lines:
        if line.startswith("{") and '"error"' in line:
            try:
                return str(json.loads(line)["message"])[:500]
            except (ValueError, KeyError):
                continue
    return lines[0][:500] if lines else ""


def tail(log: Path) -> list[str]:
    """Return the last non-empty lines of a log."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8192))
        text = file.read().decode(errors="replace")
    return [line.strip() for line in text.split("\n") if line.strip()]


def run(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Run the job's programs and return their outcome."""
    started, clock = time.time(), time.monotonic()
    code, reason = 0, ""
    stdout, stderr = folder / "stdout.log", folder / "stderr.log"
    with stdout.open("ab") as out, stderr.open("ab") as err:
        for words in job["commands"]:
            try:
                process = subprocess.Popen(
                    words,
                    cwd=job["folder"],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    preexec_fn=die_with_parent,  # noqa: PLW1509 (this program has one thread)
                )
                code = process.wait()
            except OSError as error:
                code, reason = 127, f"{words[0]}: {error.strerror}"
            if code != 0:
                reason = reason or cause(stderr, stdout)
                break
    usage = os.times()
    return {
        "exit_code": code,
        "reason": reason,
        "started": started,
        "finished": time.time(),
        "seconds": time.monotonic() - clock,
        "cpu_seconds": usage.children_user + usage.children_system,
        "max_rss_bytes": _peak_of_children(),
    }


def _peak_of_children() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def taken(lock: IO[str]) -> bool:
    """Take the job's lock; a driver that checks it lets go at once, another runner does not."""
    for _ in range(20):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def main(folder: Path) -> int:
    """Run the job unless another runner has it or has finished it."""
    with (folder / "lock").open("a") as lock:
        if not taken(lock) or (folder / "pid.json").exists():
            return TAKEN
        job = json.loads((folder / "job.json").read_text())
        pid = os.getpid()
        write_json(folder / "pid.json", {"pid": pid, "start_time": start_time(pid)})
        write_json(folder / "exit.json", run(folder, job))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
