"""One file read in a process of its own, with limits of time and memory."""

from __future__ import annotations

import os
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

LIMIT_S = 10
MEMORY_BYTES = 2**30

FINE, UNEXPECTED = 0, 3


def trial(read: Callable[[Path], object], path: Path) -> str:
    """Read a file; return what went wrong, empty if it was read or refused with a plain error."""
    report = path.with_suffix(".report")
    child = os.fork()
    if child == 0:
        os._exit(_read_limited(read, path, report))
    _, status = os.waitpid(child, 0)
    said = report.read_text() if report.exists() else ""
    report.unlink(missing_ok=True)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGALRM:
            return f"took longer than {LIMIT_S} s"
        return f"crashed with {signal.Signals(number).name}"
    return said or ("" if os.WEXITSTATUS(status) == FINE else "ended oddly")


def _read_limited(read: Callable[[Path], object], path: Path, report: Path) -> int:
    from lauedepth.core.errors import LaueDepthError

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    warnings.simplefilter("ignore")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, used + MEMORY_BYTES))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LIMIT_S)
    try:
        read(path)
    except LaueDepthError:
        return FINE
    except BaseException:  # whatever it is, a user would see it
        report.write_text(traceback.format_exc())
        return UNEXPECTED
    return FINE
