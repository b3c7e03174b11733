"""How ranks fail: what is sent to the others, and how a process is ended."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from time import sleep

from lauedepth.core.errors import LaueDepthError


class DisagreementError(LaueDepthError):
    """Ranks that should see the same do not."""


class StoppedError(Exception):
    """Work was left because the run ends."""


def portable(error: Exception, whose: str) -> LaueDepthError:
    """Return a failure that can be sent, and tells whose it is.

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
