"""One driver at a time, since two would run steps twice.

Whoever gets the lock begins a new epoch, so that the writes of an earlier driver are refused even
where it lost the lock without knowing: a broken connection, a lock file that was deleted.
"""

from __future__ import annotations

import fcntl
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from lauedepth.core.files import open_file
from lauedepth.core.locks import Holder, claim
from lauedepth.pipeline.catalog.store import Catalog
from lauedepth.pipeline.errors import CatalogError, HeldError

ADVISORY_KEY: Final = 0x1A0E_DEB7
"""PostgreSQL identifies advisory locks by number; this is the driver's."""

ADVISORY_HELD: Final = sa.text(
    "select count(*) from pg_locks where locktype = 'advisory' and granted"
    " and classid = 0 and objid = :key and objsubid = 1 and database ="
    " (select oid from pg_database where datname = current_database())"
).bindparams(key=ADVISORY_KEY)
"""Number of holders of the driver's lock in this database, found without asking for it."""

FLOCK: Final = "hhqqi4x"
"""The C structure of a record lock: type, whence, start, length (0: all), process."""

PATIENCE: Final = 10
"""How often to ask for the lock: `status` of earlier versions takes it for a moment to look."""


@contextmanager
def hold(catalog: Catalog) -> Iterator[Holder]:
    """Hold the catalog for this process; the lock is freed with the process, however it ends.

    Raises
    ------
    HeldError
        If another driver holds it; the message says which.
    """
    me = Holder.this_process()
    with _file(catalog, me) if catalog.is_file else _advisory(catalog):
        catalog.take_over()
        yield me


def holder(catalog: Catalog) -> Holder | None:
    """Return the process that drives the catalog now, or None; no lock is taken to look."""
    last = _last(catalog)
    if catalog.is_file:
        path = _path(catalog)
        return (Holder.read(path) or last) if _is_shown(path) else None
    with catalog.begin() as connection:
        return last if connection.scalar(ADVISORY_HELD) else None


@contextmanager
def _file(catalog: Catalog, me: Holder) -> Iterator[None]:
    path = _path(catalog)
    try:
        file = path.open("a+")
    except OSError as error:
        raise CatalogError(f"cannot be written ({error.strerror})", str(path)) from error
    with file:
        try:
            locked = claim(file.fileno(), patience=PATIENCE) and _show(file.fileno())
        except BlockingIOError as error:
            raise HeldError(
                f"another driver holds this catalog: {Holder.read(path) or 'an unknown process'}",
                str(path.parent),
                "lauedepth status, retry, skip and batch work beside it",
            ) from error
        if not locked:
            raise CatalogError(
                "cannot be locked: its file system has no locks",
                str(path),
                "put the catalog on a local disk, or use PostgreSQL",
            )
        me.sign(file.fileno())
        yield


def _path(catalog: Catalog) -> Path:
    return Path(catalog.where + ".lock")


def _show(descriptor: int) -> bool:
    """Add a record lock to a lock file that is held, and return whether that was possible.

    A record lock can be looked at without being taken, which the lock that `claim` takes cannot;
    that one stays, because drivers of earlier versions know no other.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack(FLOCK, fcntl.F_WRLCK, 0, 0, 0, 0))
    except OSError:
        return False
    return True


def _is_shown(path: Path) -> bool:
    """Return whether a process holds a lock file, without locking it; no file means no holder."""
    asked = struct.pack(FLOCK, fcntl.F_WRLCK, 0, 0, 0, 0)
    try:
        with open_file(path) as file:
            answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, asked)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CatalogError(f"cannot be read ({error.strerror})", str(path)) from error
    return bool(struct.unpack(FLOCK, answer)[0] != fcntl.F_UNLCK)


@contextmanager
def _advisory(catalog: Catalog) -> Iterator[None]:
    with catalog.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(ADVISORY_KEY))):
            who = _last(catalog) or "an unknown process"
            raise HeldError(f"another driver holds this catalog: {who}", catalog.where)
        try:
            yield
        finally:
            with suppress(sa.exc.SQLAlchemyError):  # a broken connection has freed it already
                connection.execute(sa.select(sa.func.pg_advisory_unlock(ADVISORY_KEY)))


def _last(catalog: Catalog) -> Holder | None:
    """Return the last driver that left a heartbeat."""
    row = catalog.driver()
    return Holder(row["pid"], row["host"], row["since"]) if row is not None else None
