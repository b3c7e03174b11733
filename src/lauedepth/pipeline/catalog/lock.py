"""One driver at a time, since two would run steps twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from lauedepth.core.locks import Holder, claim, is_held
from lauedepth.pipeline.catalog.store import Catalog
from lauedepth.pipeline.errors import CatalogError, HeldError

ADVISORY_KEY: Final = 0x1A0E_DEB7
"""PostgreSQL identifies advisory locks by number; this is the driver's."""

PATIENCE: Final = 10
"""How often to ask for the lock: `holder` only looks at it and lets go at once."""


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
    return (Holder.read(path) or last) if is_held(path) else None


@contextmanager
def _file(catalog: Catalog, me: Holder) -> Iterator[None]:
    path = _path(catalog)
    try:
        file = path.open("a+")
    except OSError as error:
        raise CatalogError(f"cannot be written ({error.strerror})", str(path)) from error
    with file:
        try:
            locked = claim(file.fileno(), patience=PATIENCE)
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
