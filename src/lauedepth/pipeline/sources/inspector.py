"""Reading files in a separate process: it keeps the driver small and contains crashes.

The HDF5 library would take a quarter of the driver's memory, and certain damaged files make it
crash.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from lauedepth.pipeline.errors import InputError, NotAPointError, UnfinishedError
from lauedepth.pipeline.paths import printable
from lauedepth.pipeline.protocols import Member

COMMAND: Final = (sys.executable, "-m", "lauedepth.pipeline.sources.reader")

PATIENCE_S: Final = 60.0
"""Time limit for one file, so that a hanging mount does not block the other points for ever."""

TRIES: Final = 2
"""An idle reader exits by itself, so one exit is normal; a second one has a cause."""

Process = subprocess.Popen[bytes]


class Inspector:
    """Counts frames like `frames.count_frames`, in a process that exits when idle.

    Parameters
    ----------
    command : tuple of str
        Program that answers like `reader`.
    patience_s : float
        Time limit for one file.
    """

    def __init__(self, command: tuple[str, ...] = COMMAND, patience_s: float = PATIENCE_S) -> None:
        self._command, self._patience_s = command, patience_s
        self._process: Process | None = None
        self._end: Callable[[], int | None] = lambda: None

    def count_frames(self, root: Path, member: Member, dataset: str) -> tuple[int, int, int]:
        """Return (frames, rows, columns) of a file of a point.

        Raises
        ------
        InputError
            If the file cannot be read as a point, takes too long, or makes the library crash.
        NotAPointError
            If this program wrote the file.
        UnfinishedError
            If it is still being written.
        """
        asked = {"root": str(root), "member": asdict(member), "dataset": dataset}
        line = json.dumps(asked).encode() + b"\n"
        code: int | None = None
        for _ in range(TRIES):
            answer = self._ask(line, member.name)
            if answer:
                return _parsed(json.loads(answer))
            code, self._process = self._end(), None
        raise InputError(
            f"crashes its reader (exit code {code}); the file may be damaged",
            printable(member.name),
        )

    def _ask(self, line: bytes, name: str) -> bytes:
        """Return the reader's answer, empty if the reader has exited."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line)
        except BrokenPipeError:
            return b""
        if not select.select([process.stdout], [], [], self._patience_s)[0]:
            process.kill()
            self._end()
            self._process = None
            raise InputError(f"could not be read within {self._patience_s:.0f} s", printable(name))
        return process.stdout.readline()

    def _start(self) -> Process:
        self._process = subprocess.Popen(
            self._command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for the driver alone
        )
        self._end = weakref.finalize(self, _close, self._process)
        return self._process


def _close(process: Process) -> int:
    """Close a reader's pipes, which ends it, and return its exit code."""
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()
    return process.wait()


def _parsed(answer: dict[str, Any]) -> tuple[int, int, int]:
    if "shape" in answer:
        frames, rows, columns = answer["shape"]
        return frames, rows, columns
    if "unfinished" in answer:
        frames, rows, columns = answer["unfinished"]
        size, is_open = (frames, rows, columns), answer["is_open"]
        raise UnfinishedError(answer["what"], answer["where"], size, is_open=is_open)
    kind = NotAPointError if answer["own"] else InputError
    raise kind(answer["what"], answer["where"])
