"""Stands in for PBS: ``qsub``, ``qstat`` and ``qdel`` that answer as real servers were recorded to.

Its state is the folder that the programs are in: one file per job with what qstat prints of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

DOWN = "Connection refused\nqstat: cannot connect to server login01 (errno=15010)\n"


def install(folder: Path) -> None:
    """Put the programs into a folder."""
    for name in ("qsub", "qstat", "qdel"):
        (folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} {name} "$@"\n')
        (folder / name).chmod(0o755)


def main(program: str, words: list[str]) -> int:
    """Do what one of the programs does; return its exit code."""
    folder = Path(__file__).parent if "STANDIN" not in os.environ else Path(os.environ["STANDIN"])
    if (folder / "down").exists():
        sys.stdout.write('{"timestamp": 1, "pbs_server": "login01"}')
        sys.stderr.write(DOWN)
        return 255
    return {"qsub": _qsub, "qstat": _qstat, "qdel": _qdel}[program](folder, words)


def _qsub(folder: Path, words: list[str]) -> int:
    options = dict(zip(words[::2], words[1::2], strict=False))
    if options["-q"] == "full":
        sys.stderr.write("qsub: would exceed queue generic's per-user limit\n")
        return 38
    number = len(list(folder.glob("*.job")))
    job = folder / f"{number}.login01.job"
    content = {"Job_Name": options["-N"], "queue": options["-q"], "job_state": "Q"}
    if options["-q"] != "busy":
        with Path(options["-o"]).open("wb") as log:
            process = subprocess.Popen(
                ["bash"], stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        if process.stdin is not None:
            process.stdin.write(sys.stdin.buffer.read())
            process.stdin.close()
        content |= {"job_state": "R", "pid": str(process.pid)}
    job.write_text(json.dumps(content))
    sys.stdout.write(f"{number}.login01\n")
    return 0


def _qstat(folder: Path, words: list[str]) -> int:
    if words[0] == "-Q":
        facts = {"enabled": "True", "started": "True", "resources_max": {"walltime": "01:00:00"}}
        names = ("demand", "busy", "full")
        sys.stdout.write(json.dumps({"Queue": dict.fromkeys(names, facts)}, indent=4))
        return 0
    jobs = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.job")}
    alive = {i: job for i, job in jobs.items() if "pid" not in job or _runs(int(job["pid"]))}
    answer = {"timestamp": 1, **({"Jobs": alive} if alive else {})}
    sys.stdout.write(json.dumps(answer, indent=4))
    return 0


def _qdel(folder: Path, words: list[str]) -> int:
    job = folder / f"{words[0]}.job"
    if not job.exists():
        return 153
    pid = json.loads(job.read_text()).get("pid")
    if pid:
        os.killpg(int(pid), signal.SIGTERM)
    job.unlink()
    return 0


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
