"""How ranks fail: what is sent to the others, and how a process is ended."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from contextlib import suppress
from time import sleep
from typing import TYPE_CHECKING, Final

from lauedepth.core.errors import LaueDepthError

if TYPE_CHECKING:
    from mpi4py import MPI

REPORT_S: Final = 1.0
"""How long rank 0 may take to report the reason and have it passed on."""


class DisagreementError(LaueDepthError):
    """Ranks that should see the same do not."""


class StoppedError(Exception):
    """Work was left because the run ends."""


def portable(error: Exception, whose: str) -> LaueDepthError:
    """Return a failure that can be sent, and says whose it is.

    Parameters
    ----------
    error : Exception
    whose : str
        The rank's name; empty for rank 0.
    """
    if isinstance(error, LaueDepthError):
        if not whose or isinstance(error, DisagreementError):
            return error
        where = ": ".join(part for part in (whose, error.where) if part)
        return type(error)(error.what, where, error.remedy)
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, StoppedError):
        reason = "work was left early"
    elif isinstance(error, OSError) and error.strerror:
        reason = f"{error.filename or ''}: {error.strerror.lower()}".removeprefix(": ")
    elif isinstance(error, MemoryError):
        reason = "out of memory; use --memory with less, or fewer ranks on a node"
    return LaueDepthError(reason, whose)


def leave(comm: MPI.Intracomm, code: int) -> None:
    """Have rank 0 end all ranks with a code, once it has reported why; see `Team.leave`."""
    threading.Thread(target=end_process, args=(code, 10 * REPORT_S), daemon=True).start()
    if comm.Get_rank() == 0:
        atexit.register(_abort, comm, code)
        # The interpreter waits for working threads before it calls what is registered.
        signal.signal(signal.SIGALRM, lambda number, frame: _abort(comm, code))
        signal.setitimer(signal.ITIMER_REAL, 2 * REPORT_S)
    else:
        atexit.register(end_process, code, 10 * REPORT_S)


def _abort(comm: MPI.Intracomm, code: int) -> None:
    flush()
    sleep(REPORT_S / 2)  # a launcher that is to abort drops what it has not yet passed on
    # MPI would add a line of its own to the one that says why.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    comm.Abort(code)


def end_process(code: int, wait_s: float) -> None:
    """End this process after a while, without waiting for threads or for other ranks."""
    sleep(wait_s)
    flush()
    os._exit(code)


def flush() -> None:
    """Write out what was said, which a process that is ended at once would keep."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
