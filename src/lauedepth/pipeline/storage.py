"""Failures of a file system that may pass: full, limited, away, or broken for a while."""

from __future__ import annotations

import errno
import logging
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from lauedepth.pipeline.errors import LaueDepthError

T = TypeVar("T")

LOG: Final = logging.getLogger("lauedepth.live")

DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
PASSING: Final = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENOTCONN)
LIMITED: Final = (errno.EFBIG, errno.EROFS)
MAY_PASS: Final = (*DISK_FULL, *PASSING, *LIMITED)

SQLITE_MAY_PASS: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
SQLITE_UNCLEAR: Final = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
"""A catalog that cannot be opened: whether for want of space or permission, only a trial tells."""

RETRY_S: Final = 5.0


def outlast(action: Callable[[], T], folder: Path) -> T:
    """Do something that needs a file system, again and again while that fails.

    Each new reason is logged once. Failures that do not pass by themselves are raised.

    Parameters
    ----------
    action : callable
        What to do; it starts anew each time.
    folder : Path
        The folder that it writes to.
    """
    told = ""
    while True:
        try:
            return action()
        except (LaueDepthError, OSError) as error:
            if not may_pass(error, folder):
                raise
            if str(error) != told:
                told = str(error)
                LOG.warning("waiting for the file system: %s; make room, or mount it again", error)
        time.sleep(RETRY_S)


def may_pass(error: BaseException, folder: Path) -> bool:
    """Return whether a failure to write to a folder may pass by itself."""
    return any(_is_passing(cause, folder) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what caused it, and what a database said."""
    current: BaseException | None = error
    while current is not None:
        yield current
        original = getattr(current, "orig", None)
        if isinstance(original, BaseException):
            yield original
        current = current.__cause__ or current.__context__


def _is_passing(error: BaseException, folder: Path) -> bool:
    if isinstance(error, OSError):
        return error.errno in MAY_PASS
    if not isinstance(error, sqlite3.Error):
        return False
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the details in higher bits
    return code in SQLITE_MAY_PASS or (code in SQLITE_UNCLEAR and _is_refused(folder))


def _is_refused(folder: Path) -> bool:
    """Return whether a folder takes no new file, for a reason that may pass."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
    except OSError as error:
        return error.errno in MAY_PASS
    return False
