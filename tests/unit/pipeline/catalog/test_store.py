"""What the catalog records of points, and what it refuses."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lauedepth.pipeline.catalog import (
    Catalog,
    PointRow,
    PointState,
    Priority,
    SourceRow,
    catalog_url,
    point_named,
)
from lauedepth.pipeline.errors import CatalogError
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


def test_retry_of_a_point_whose_name_another_has_says_what_to_do(catalog: Catalog) -> None:
    first = add(catalog, "p.h5")
    catalog.add_points(first.source_id, [(seen("p.nxs"), 1)], 0)
    second = point_named(catalog, "p.nxs")
    assert "rename its file" in second.failure
    with pytest.raises(CatalogError, match=r"p\.nxs: another point already has .* p\.h5; rename"):
        catalog.retry(second)
    assert catalog.point(second.id) == second


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


def test_a_catalog_that_can_no_longer_be_written(catalog: Catalog, path: Path) -> None:
    point = add(catalog, "p.h5")
    with sqlite3.connect(path) as connection:
        connection.execute("drop table lauedepth_points")
    with pytest.raises(CatalogError, match="cannot be written"):
        catalog.requeue(point.id, "")
