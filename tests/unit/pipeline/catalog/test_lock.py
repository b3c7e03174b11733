"""One driver at a time, and whoever is refused learns which."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lauedepth.pipeline.catalog import (
    Catalog,
    PointRow,
    PointState,
    SourceRow,
    catalog_url,
    hold,
    holder,
)
from lauedepth.pipeline.catalog.schema import META, METADATA, VERSION
from lauedepth.pipeline.errors import HeldError
from lauedepth.pipeline.protocols import Member, Sighting


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "catalog.sqlite"


@pytest.fixture
def catalog(path: Path) -> Catalog:
    return Catalog(catalog_url(str(path)), create=True)


HOLD = """
import sys
from lauedepth.pipeline.catalog import Catalog, catalog_url, hold
with hold(Catalog(catalog_url(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_driver_at_a_time_and_it_says_who(catalog: Catalog, path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(HeldError, match=rf"process {other.pid} on .* since 20"), hold(catalog):
            pass
        found = holder(catalog)
        assert found is not None
        assert found.pid == other.pid
        other.kill()
    assert holder(catalog) is None
    with hold(catalog) as me:
        assert me.pid == os.getpid()


LOOK = """
import sys
from lauedepth.pipeline.catalog import Catalog, catalog_url, holder
catalog = Catalog(catalog_url(sys.argv[1]))
print("looking", flush=True)
while True:
    holder(catalog)
"""


def test_looking_never_keeps_a_driver_out(
    catalog: Catalog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lauedepth.pipeline.catalog.lock.PATIENCE", 0)
    with hold(catalog):
        pass
    command = [sys.executable, "-c", LOOK, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "looking\n"
        try:
            for _ in range(200):
                with hold(catalog):
                    pass
            assert other.poll() is None
        finally:
            other.kill()


def test_looking_asks_for_no_lock(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    with hold(catalog) as me:
        asked: list[int] = []
        monkeypatch.setattr(fcntl, "flock", lambda *_: pytest.fail("a lock was asked for"))
        real = fcntl.fcntl

        def ask(descriptor: int, command: int, *more: bytes) -> bytes | int:
            asked.append(command)
            return real(descriptor, command, *more)

        monkeypatch.setattr(fcntl, "fcntl", ask)
        assert holder(catalog) == me
        assert asked == [fcntl.F_OFD_GETLK]


@pytest.fixture
def replaced(catalog: Catalog, path: Path) -> tuple[Catalog, Catalog, PointRow]:
    """Return a driver that lost its lock, the one that drives now, and a point in progress."""
    with hold(catalog):
        source = catalog.add_source(
            SourceRow(0, "/data", "file", ".done", False, "d", 0, 0, 0, False)
        )
        seen = Sighting("p.h5", (Member("p.h5", 10, 1),))
        catalog.add_points(source, [(seen, 1)], 0)
        (point,) = catalog.points()
        catalog.dispatch(point)
        path.with_name(path.name + ".lock").unlink()
        successor = Catalog(catalog_url(str(path)))
        with hold(successor):
            return catalog, successor, successor.point(point.id)


@pytest.mark.parametrize(
    "write",
    [
        lambda c, p: c.add_source(
            SourceRow(0, "/other", "file", ".done", False, "d", 0, 0, 0, False)
        ),
        lambda c, p: c.mark_scanned(p.source_id),
        lambda c, p: c.add_points(p.source_id, [(Sighting("q.h5", ()), 1)], 0),
        lambda c, p: c.complete(p.id, Sighting("p.h5", ()), 3),
        lambda c, p: c.finish(p.id, PointState.FAILED),
        lambda c, p: c.dispatch(p),
        lambda c, p: c.requeue(p.id, "restarted"),
        lambda c, p: c.step(p, PointState.PACKAGING),
        lambda c, p: c.done(p, "f" * 64),
        lambda c, p: c.add_job(p, "job"),
        lambda c, p: c.unstage([p]),
        lambda c, p: c.remember("recipe", "x"),
        lambda c, p: c.beat(pid=1, host="h", since=0.0, slots=1, notice=""),
    ],
)
def test_no_write_of_an_earlier_driver_is_taken(
    replaced: tuple[Catalog, Catalog, PointRow],
    path: Path,
    write: Callable[[Catalog, PointRow], object],
) -> None:
    earlier, now, point = replaced
    with sqlite3.connect(path) as connection:
        before = list(connection.iterdump())
    with pytest.raises(HeldError, match="another driver has taken over"):
        write(earlier, point)
    with sqlite3.connect(path) as connection:
        assert list(connection.iterdump()) == before
    write(now, point)


def test_a_user_writes_beside_the_driver(replaced: tuple[Catalog, Catalog, PointRow]) -> None:
    _, driver, point = replaced
    beside = Catalog(driver.url)
    beside.skip(point, "no use")
    assert driver.point(point.id).state is PointState.SKIPPED


VERSION_1 = Path(__file__).with_name("version_1.sql")
"""A dump of a catalog that lauedepth wrote before catalogs had an epoch."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    made = tmp_path / "old.sqlite"
    with sqlite3.connect(made) as connection:
        connection.executescript(VERSION_1.read_text())
    return made


def test_a_catalog_of_version_1_is_looked_at_as_it_is(old: Path) -> None:
    opened = Catalog(catalog_url(str(old)), create=True)
    assert holder(opened) is None
    assert [point.key for point in opened.points()] == ["p_3.h5", "p_1.h5", "p_2.h5"]
    assert opened.meta("version") == "1"


def test_a_catalog_of_version_1_is_upgraded_by_whoever_drives_it(old: Path) -> None:
    opened = Catalog(catalog_url(str(old)))
    before = {table: opened.rows(table) for table in METADATA.sorted_tables if table is not META}
    for epoch in ("1", "2"):
        with hold(opened):
            assert opened.meta("version") == str(VERSION)
            assert opened.meta("epoch") == epoch
    assert {table: opened.rows(table) for table in before} == before
    assert opened.counts() == {
        PointState.DONE: 1,
        PointState.WAITING: 1,
        PointState.ARRIVING: 1,
    }
    assert opened.meta("id") == "c319edbb"
    with hold(opened):
        waiting = opened.next_waiting()
        assert waiting is not None
        assert opened.dispatch(waiting) == 1


def test_a_driver_of_an_earlier_version_keeps_a_new_one_out(catalog: Catalog, path: Path) -> None:
    lock = path.with_name(path.name + ".lock")
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(HeldError), hold(catalog):
            pytest.fail("two drivers")
    assert catalog.meta("epoch") == "0"
