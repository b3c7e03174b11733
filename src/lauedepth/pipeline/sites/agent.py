"""Does at a site what it is asked for: ``python3 -I -S -``, with this text and a request as input.

It is sent with every request, so that nothing has to be installed, and the command line at the site
is always the same: no name, path or setting is in it. It needs Python 3.7 and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MARK = "lauedepth-answer:"


def facts(request: dict[str, Any]) -> dict[str, Any]:
    """Return what the site is like, after a trial of its work folder."""
    work = Path(request["work"])
    work.mkdir(parents=True, exist_ok=True)
    trial = work / f".trial-{os.getpid()}"
    trial.write_text("trial")
    trial.unlink()
    disk = os.statvfs(str(work))
    return {
        "python": platform.python_version(),
        "host": platform.node(),
        "time": time.time(),
        "free": disk.f_bavail * disk.f_frsize,
    }


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run a program; no shell sees its arguments."""
    done = subprocess.run(
        request["words"],
        input=request["stdin"].encode(),
        capture_output=True,
        timeout=request["timeout_s"],
        check=False,
    )
    return {
        "code": done.returncode,
        "stdout": done.stdout.decode(errors="replace"),
        "stderr": done.stderr.decode(errors="replace"),
    }


def digests(request: dict[str, Any]) -> list[str | None]:
    """Return the SHA-256 of files; None for one that is not there."""
    return [_digest(Path(path)) for path in request["paths"]]


def _digest(path: Path) -> str | None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except FileNotFoundError:
        return None
    return digest.hexdigest()


def make(request: dict[str, Any]) -> None:
    """Make a folder."""
    Path(request["path"]).mkdir(parents=True, exist_ok=True)


def read(request: dict[str, Any]) -> str | None:
    """Return the beginning of a text file; None while it is not there."""
    try:
        with Path(request["path"]).open(errors="replace") as file:
            return file.read(100000)
    except FileNotFoundError:
        return None


def remove(request: dict[str, Any]) -> None:
    """Delete a folder and the files in it; one that holds folders stays."""
    folder = Path(request["path"])
    if folder.is_dir():
        for path in list(folder.iterdir()):
            path.unlink()
        folder.rmdir()


def main(text: str) -> None:
    """Answer one request on standard output, behind a mark: a login may print before it."""
    request = json.loads(text)
    actions = {f.__name__: f for f in (facts, run, digests, make, read, remove)}
    answer: dict[str, Any]
    try:
        answer = {"answer": actions[request["action"]](request)}
    except subprocess.TimeoutExpired:
        answer = {"error": "a command did not end in time", "late": True}
    except OSError as error:
        answer = {"error": f"{error.filename}: {error.strerror}"}
    sys.stdout.write(f"\n{MARK}{json.dumps(answer)}\n")
