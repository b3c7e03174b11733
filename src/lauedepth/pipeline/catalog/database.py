"""The catalog's database: opening, creating and checking it, with readable errors."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa

from lauedepth.pipeline.catalog.schema import META, METADATA, VERSION
from lauedepth.pipeline.errors import CatalogError, HeldError

# Readers and the one writer do not block each other; a killed driver loses nothing, and after a
# power cut the last steps are checked and repeated. Every thread has a connection: the default
# cache of 2 MB each would be most of the driver's memory.
PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "busy_timeout=30000",
    "cache_size=-256",
)


def catalog_url(text: str) -> sa.URL:
    """Return the database URL of a catalog given as a path or as a URL."""
    if "://" not in text:
        return sa.URL.create("sqlite", database=str(Path(text).absolute()))
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError as error:
        raise CatalogError("is not a database URL", text) from error
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() != "sqlite" or not url.database:
        raise CatalogError("is neither an SQLite file nor PostgreSQL", url.render_as_string())
    return url


class Database:
    """A database that holds a catalog.

    Parameters
    ----------
    url : sqlalchemy.URL
        From `catalog_url`.
    create : bool
        Whether to create a catalog that does not exist.

    Raises
    ------
    CatalogError
        If it does not exist, cannot be written, or was written by a newer version.
    """

    def __init__(self, url: sa.URL, create: bool = False) -> None:
        self.url = url
        self._epoch: int | None = None
        file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        if file is not None and not create and not file.exists():
            raise CatalogError(
                "no catalog here",
                str(file.parent),
                "give --results FOLDER, or start lauedepth watch",
            )
        try:
            if file is not None and create:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
            self._inode = None if file is None else file.stat().st_ino
            self.engine = _engine(url)
        except (OSError, sa.exc.SQLAlchemyError) as error:
            raise CatalogError(f"cannot be used ({plain_cause(error)})", self.where) from error
        try:
            with self.engine.begin() as connection:
                self._prepare(connection, create)
        except sa.exc.SQLAlchemyError as error:
            self.close()
            raise CatalogError(f"cannot be used ({plain_cause(error)})", self.where) from error
        except (ValueError, TypeError) as error:
            self.close()
            raise self._damaged(error) from error
        except CatalogError:
            self.close()
            raise

    @property
    def where(self) -> str:
        """The catalog's location, without a password."""
        return self.url.database or "" if self.is_file else self.url.render_as_string()

    @property
    def is_file(self) -> bool:
        """Whether the catalog is an SQLite file."""
        return self.url.get_backend_name() == "sqlite"

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _prepare(self, connection: sa.Connection, create: bool) -> None:
        if create and self.is_file and not sa.inspect(connection).has_table(META.name):
            # Whole or not at all, where the disk is full, or another program makes it just now.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if sa.inspect(connection).has_table(META.name):
            found = connection.scalar(_select("version"))
            if found is None:
                raise ValueError("it says no version")
            if int(found) < 1:
                raise ValueError(f"it says version {found}")
            if int(found) > VERSION:
                raise CatalogError(
                    f"was written by a newer lauedepth (version {found}; this one reads {VERSION})",
                    self.where,
                    "update lauedepth",
                )
        elif not create:
            raise CatalogError("is not a lauedepth catalog", self.where)
        else:
            METADATA.create_all(connection)
            content = {"version": str(VERSION), "id": uuid.uuid4().hex[:8], "epoch": "0"}
            connection.execute(META.insert(), [{"name": n, "value": v} for n, v in content.items()])

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """Open a transaction for reading.

        Raises
        ------
        CatalogError
            If the database fails, or holds what no catalog holds.
        """
        with self._transaction() as connection:
            try:
                yield connection
            except (ValueError, TypeError, LookupError) as error:
                raise self._damaged(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with self.engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise CatalogError(f"cannot be written ({plain_cause(error)})", self.where) from error

    def _damaged(self, error: Exception) -> CatalogError:
        remedy = "restore a copy of it, or give another --results folder"
        return CatalogError(f"is damaged ({plain_cause(error)})", self.where, remedy)

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Open a transaction for writing, refused if another driver has taken over since.

        A catalog that has never driven writes without an epoch: it is a user's.

        Raises
        ------
        CatalogError
            If the database fails, or its file is not there any more.
        HeldError
            If this catalog drove, and another one drives now or is in its place.
        """
        self._require_there()
        with self._transaction() as connection:
            if self._epoch is not None:
                self._require_epoch(connection, self._epoch)
            yield connection

    def _require_there(self) -> None:
        """Raise an error if the catalog's file was deleted or replaced while it is open.

        What is written to it then is lost with this process, and nobody sees it.
        """
        if self._inode is None:
            return
        try:
            inode = Path(self.where).stat().st_ino
        except OSError as error:
            remedy = "put it back, or mount its folder again"
            raise CatalogError(f"has gone ({error.strerror})", self.where, remedy) from error
        if inode != self._inode:
            raise HeldError("another catalog was put in its place", self.where, "start again")

    def take_over(self) -> None:
        """Begin a new epoch: every write of an earlier driver is refused from now on.

        Only for whoever holds the driver's lock. Upgrades a catalog of version 1.
        """
        with self.begin() as connection:
            connection.execute(_set("version", str(VERSION)))  # locks: the epoch is read next
            mine = int(connection.scalar(_select("epoch")) or 0) + 1
            if not connection.execute(_set("epoch", str(mine))).rowcount:
                connection.execute(META.insert().values(name="epoch", value=str(mine)))
        self._epoch = mine

    def _require_epoch(self, connection: sa.Connection, mine: int) -> None:
        # An update that changes nothing: unlike a query it keeps the next driver from taking over
        # before this transaction ends, with both kinds of database.
        unchanged = _set("epoch", str(mine)).where(META.c.value == str(mine))
        if not connection.execute(unchanged).rowcount:
            raise HeldError(
                "another driver has taken over this catalog", self.where, "see lauedepth status"
            )

    def meta(self, name: str) -> str:
        """Return a stored property of the catalog, empty if unknown."""
        with self.begin() as connection:
            return str(connection.scalar(_select(name)) or "")

    def remember(self, name: str, value: str) -> None:
        """Store a property of the catalog."""
        with self.write() as connection:
            connection.execute(META.delete().where(META.c.name == name))
            connection.execute(META.insert().values(name=name, value=value))

    def rows(self, table: sa.Table) -> Sequence[sa.RowMapping]:
        """Return a whole table, for reports."""
        with self.begin() as connection:
            return connection.execute(sa.select(table)).mappings().all()


def _select(name: str) -> sa.Select[Any]:
    return sa.select(META.c.value).where(META.c.name == name)


def _set(name: str, value: str) -> sa.Update:
    return META.update().where(META.c.name == name).values(value=value)


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True)
    return sa.create_engine(
        url, creator=lambda: _connect(url.database or ""), pool_size=8, max_overflow=8
    )


def _connect(path: str) -> sqlite3.Connection:
    """Open an SQLite file that is there: one that was deleted is not made anew.

    Where this user may only read, it is read: beside a journal that somebody writes, or as it is.
    """
    may_write = os.access(path, os.W_OK)
    mode = "mode=rw" if may_write else "mode=ro"
    if not may_write and not Path(path + "-wal").exists():
        mode += "&immutable=1"
    connection = sqlite3.connect(f"file:{quote(path)}?{mode}", uri=True, check_same_thread=False)
    connection.isolation_level = "IMMEDIATE"
    for pragma in PRAGMAS if may_write else PRAGMAS[1:]:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def plain_cause(error: Exception) -> str:
    """Return what the database or the system said, in one line."""
    original = getattr(error, "orig", None) or error
    return " ".join(str(original).split()) or type(original).__name__
