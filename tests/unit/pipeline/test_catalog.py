"""The catalog: what it keeps, whom it lets in, and how it says no."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from lauedepth.pipeline.catalog import (
    Catalog,
    PointRow,
    PointState,
    Priority,
    SourceRow,
    catalog_url,
    hold,
    holder,
    point_named,
)
from lauedepth.pipeline.errors import CatalogError, HeldError
from lauedepth.pipeline.protocols import Member, Sighting


def source_row(folder: str) -> SourceRow:
    return SourceRow(0, folder, "file", ".done", False, "d", 0, Priority.LIVE, 0, False)


def seen(key: str, size: int = 10) -> Sighting:
    return Sighting(key, (Member(key, size, 1),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "catalog.sqlite"


@pytest.fixture
def catalog(path: Path) -> Catalog:
    return Catalog(catalog_url(str(path)), create=True)


def add(
    catalog: Catalog, key: str, priority: Priority = Priority.LIVE, folder: str = "/d"
) -> PointRow:
    source = catalog.add_source(source_row(folder))
    catalog.add_points(source, [(seen(key), 1)], priority)
    point = next(p for p in catalog.latest(source) if p.key == key)
    catalog.complete(point.id, seen(key), 3)
    return catalog.point(point.id)


def test_a_point_is_found_again_by_another_process(catalog: Catalog, path: Path) -> None:
    point = add(catalog, "µ/p 1.h5")
    catalog.close()
    again = Catalog(catalog_url(str(path))).point(point.id)
    assert again == point
    assert again.result == "µ/p 1.h5"
    assert again.members == (Member("µ/p 1.h5", 10, 1),)


def test_live_goes_before_backlog_and_old_before_new(catalog: Catalog) -> None:
    names = [("old", Priority.BACKLOG), ("first", Priority.LIVE), ("second", Priority.LIVE)]
    for name, priority in names:
        add(catalog, name, priority)
    order = []
    while (point := catalog.next_waiting()) is not None:
        order.append(point.key)
        catalog.dispatch(point)
    assert order == ["first", "second", "old"]


def test_two_points_never_share_a_result(catalog: Catalog) -> None:
    first, second = add(catalog, "p.h5"), add(catalog, "p.nxs")
    assert first.result == "p.h5"
    assert second.result != first.result
    failed = catalog.counts()
    catalog.add_points(first.source_id, [(seen("p.hdf"), 1)], 0)
    assert catalog.counts()[PointState.FAILED] == failed.get(PointState.FAILED, 0) + 1
    third = point_named(catalog, "p.hdf")
    assert "already has the result name" in third.failure


def test_skipped_stays_skipped_whatever_the_flow_says(catalog: Catalog) -> None:
    point = add(catalog, "p.h5")
    catalog.dispatch(point)
    catalog.skip(catalog.point(point.id), "by hand")
    catalog.step(point, PointState.PACKAGING)
    catalog.done(point, "f" * 64)
    catalog.requeue(point.id, "again")
    assert catalog.point(point.id).state is PointState.SKIPPED


def test_retry_starts_anew(catalog: Catalog) -> None:
    point = add(catalog, "p.h5")
    catalog.dispatch(point)
    catalog.finish(point.id, PointState.FAILED, "it broke")
    catalog.retry(catalog.point(point.id))
    again = catalog.point(point.id)
    assert (again.state, again.attempt, again.failure) == (PointState.WAITING, 1, "")


def test_names_are_looked_up(catalog: Catalog) -> None:
    add(catalog, "p.h5", folder="/one")
    assert point_named(catalog, "p.h5").key == "p.h5"
    with pytest.raises(CatalogError, match="no such point"):
        point_named(catalog, "q.h5")


def test_no_catalog_here(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no catalog here"):
        Catalog(catalog_url(str(tmp_path / "catalog.sqlite")))
    assert not list(tmp_path.iterdir())


def test_a_newer_catalog_is_left_alone(catalog: Catalog, path: Path) -> None:
    catalog.remember("version", "2")
    catalog.close()
    before = path.read_bytes()
    with pytest.raises(CatalogError, match=r"newer lauedepth.*update"):
        Catalog(catalog_url(str(path)), create=True)
    assert path.read_bytes() == before


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("create table mine (a)")
    with pytest.raises(CatalogError, match="is not a lauedepth catalog"):
        Catalog(catalog_url(str(other)))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    other = tmp_path / "catalog.sqlite"
    other.write_text("hello " * 1000)
    with pytest.raises(CatalogError, match="cannot be used"):
        Catalog(catalog_url(str(other)), create=True)


def test_a_catalog_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CatalogError, match="cannot be used"):
        Catalog(catalog_url(str(tmp_path / "file" / "catalog.sqlite")), create=True)


def test_a_catalog_that_can_no_longer_be_written(catalog: Catalog, path: Path) -> None:
    point = add(catalog, "p.h5")
    with sqlite3.connect(path) as connection:
        connection.execute("drop table lauedepth_points")
    with pytest.raises(CatalogError, match="cannot be written"):
        catalog.requeue(point.id, "")


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "no such://"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(CatalogError):
        catalog_url(url)


def test_a_postgresql_url_is_understood() -> None:
    assert catalog_url("postgresql://me:pw@host/db").drivername == "postgresql+psycopg"


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
