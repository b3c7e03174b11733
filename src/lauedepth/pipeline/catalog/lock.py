"""One driver at a time, since two would run steps twice."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from lauedepth.pipeline.catalog.store import Catalog
from lauedepth.pipeline.errors import CatalogError, HeldError

ADVISORY_KEY: Final = 0x1A0E_DEB7
"""PostgreSQL identifies advisory locks by number; this is the driver's."""


@dataclass(frozen=True)
class Holder:
    """The process that drives a catalog."""

    pid: int
    host: str
    since: float

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} on {self.host} since {since}"


@contextmanager
def hold(catalog: Catalog) -> Iterator[Holder]:
    """Hold the catalog for this process; the lock is freed with the process, however it ends.

    Raises
    ------
    HeldError
        If another driver holds it; the message says which.
    """
    me = Holder(os.getpid(), socket.gethostname(), time.time())
    with _file(catalog, me) if catalog.is_file else _advisory(catalog):
        yield me


def holder(catalog: Catalog) -> Holder | None:
    """Return the process that drives the catalog now, or None."""
    row = catalog.driver()
    last = Holder(row["pid"], row["host"], row["since"]) if row is not None else None
    if not catalog.is_file:
        try:
            with _advisory(catalog):
                return None
        except HeldError:
            return last
    path = _path(catalog)
    try:
        with path.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(path) or last
    except FileNotFoundError:
        return None
    return None


@contextmanager
def _file(catalog: Catalog, me: Holder) -> Iterator[None]:
    path = _path(catalog)
    try:
        file = path.open("a+")
    except OSError as error:
        raise CatalogError(f"cannot be written ({error.strerror})", str(path)) from error
    with file:
        try:
            _lock(file.fileno())
        except BlockingIOError as error:
            raise HeldError(
                f"another driver holds this catalog: {_read(path) or 'an unknown process'}",
                str(path.parent),
                "lauedepth status, retry, skip and batch work beside it",
            ) from error
        file.truncate(0)
        file.write(json.dumps(asdict(me)))
        file.flush()
        yield


def _lock(descriptor: int) -> None:
    """Take the lock; a process that only checks it lets go at once."""
    for _ in range(10):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _path(catalog: Catalog) -> Path:
    return Path(catalog.where + ".lock")


def _read(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def _advisory(catalog: Catalog) -> Iterator[None]:
    with catalog.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(ADVISORY_KEY))):
            row = catalog.driver()
            who = (
                Holder(row["pid"], row["host"], row["since"])
                if row is not None
                else "an unknown process"
            )
            raise HeldError(f"another driver holds this catalog: {who}", catalog.where)
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(ADVISORY_KEY)))
