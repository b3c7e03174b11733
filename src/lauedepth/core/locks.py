"""Locks of the operating system on open files: they go with the process, however it ends.

They are advisory and bind those who ask for them alone. Some network file systems have none;
each function says what it does there.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from lauedepth.core.files import read_file

LOOK_S: Final = 0.05
"""How long to wait for a process that only looks whether a lock is held."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, as the locked file itself may say.

    Attributes
    ----------
    pid : int
    host : str
    since : float
        Seconds since 1970.
    """

    pid: int
    host: str
    since: float

    @classmethod
    def this_process(cls) -> Holder:
        """Return this process, from now on."""
        return cls(os.getpid(), socket.gethostname(), time.time())

    @classmethod
    def read(cls, path: Path) -> Holder | None:
        """Return who last signed a lock file, or None where nobody did."""
        try:
            return cls(**json.loads(read_file(path)))
        except (OSError, ValueError, TypeError):
            return None

    def sign(self, descriptor: int) -> None:
        """Write this holder into a lock file that it holds, open for writing, if there is room."""
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(asdict(self)).encode(), 0)

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} on {self.host} since {since}"


def claim(descriptor: int, *, patience: int = 0) -> bool:
    """Lock a file for one holder alone.

    Parameters
    ----------
    descriptor : int
        Of the open file; closing it lets go.
    patience : int
        How many times to look again, `LOOK_S` apart: whoever only looks lets go at once.

    Returns
    -------
    bool
        False where the file system has no locks.

    Raises
    ------
    BlockingIOError
        Another holds it.
    """
    for _ in range(patience):
        with suppress(BlockingIOError):
            return _lock(descriptor, fcntl.LOCK_EX)
        time.sleep(LOOK_S)
    return _lock(descriptor, fcntl.LOCK_EX)


def share(descriptor: int) -> bool:
    """Lock a file together with others that read it; whoever held it alone may so let them in.

    Returns
    -------
    bool
        False where the file system has no locks.

    Raises
    ------
    BlockingIOError
        Another holds it alone.
    """
    return _lock(descriptor, fcntl.LOCK_SH)


def is_held(path: Path) -> bool:
    """Return whether another process holds a file alone; a file that is not there is free.

    Raises
    ------
    OSError
        The file cannot be read, or its file system has no locks: nothing is known then.
    """
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def has_locks(folder: Path) -> bool:
    """Return whether files in a folder can be locked, tried with one that has no name.

    True too where no file can be made: that has another cause.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return claim(file.fileno())
    except OSError:
        return True


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True
