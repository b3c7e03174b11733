"""Which databases are taken for a catalog, and which are left alone."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from tests.unit.pipeline.made_run import Run

from lauedepth.pipeline.catalog import Catalog, catalog_url
from lauedepth.pipeline.errors import CatalogError, HeldError
from lauedepth.pipeline.status import status


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "catalog.sqlite"


@pytest.fixture
def catalog(path: Path) -> Catalog:
    return Catalog(catalog_url(str(path)), create=True)


def test_no_catalog_here(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no catalog here"):
        Catalog(catalog_url(str(tmp_path / "catalog.sqlite")))
    assert not list(tmp_path.iterdir())


def test_a_newer_catalog_is_left_alone(catalog: Catalog, path: Path) -> None:
    catalog.remember("version", "3")
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


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "no such://"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(CatalogError):
        catalog_url(url)


def test_a_postgresql_url_is_understood() -> None:
    assert catalog_url("postgresql://me:pw@host/db").drivername == "postgresql+psycopg"


def test_a_catalog_that_is_deleted_takes_no_more_and_goes_on_when_it_is_back(
    catalog: Catalog, path: Path
) -> None:
    away = path.rename(path.with_name("away"))
    with pytest.raises(CatalogError, match=r"has gone.*put it back"):
        catalog.remember("colour", "red")
    assert catalog.meta("colour") == ""
    assert not path.exists()
    away.rename(path)
    catalog.remember("colour", "blue")
    catalog.close()
    assert Catalog(catalog_url(str(path))).meta("colour") == "blue"


def test_a_catalog_in_the_place_of_another_is_left_to_its_driver(
    catalog: Catalog, path: Path
) -> None:
    path.rename(path.with_name("away"))
    other = Catalog(catalog_url(str(path)), create=True)
    with pytest.raises(HeldError, match="another catalog was put in its place"):
        catalog.remember("colour", "red")
    assert other.meta("colour") == ""


@pytest.mark.parametrize("driven", [True, False])
def test_who_may_only_read_a_catalog_reads_it(
    catalog: Catalog, path: Path, monkeypatch: pytest.MonkeyPatch, driven: bool
) -> None:
    catalog.remember("colour", "red")
    if not driven:
        catalog.close()
    monkeypatch.setattr(os, "access", lambda *_: False)
    reader = Catalog(catalog_url(str(path)))
    assert reader.meta("colour") == "red"
    assert status(reader).text().startswith("idle")
    with pytest.raises(CatalogError, match="readonly database"):
        reader.remember("colour", "blue")
    reader.close()
    assert path.with_name(path.name + "-wal").exists() is driven


def test_a_path_with_signs_of_a_url_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory&b#c%20d é" / "catalog.sqlite"
    Catalog(catalog_url(str(path)), create=True).close()
    assert path.stat().st_size > 0


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("delete from lauedepth_meta where name = 'version'", "it says no version"),
        ("update lauedepth_meta set value = 'two' where name = 'version'", "is damaged"),
        ("update lauedepth_meta set value = '-2' where name = 'version'", "says version -2"),
        ("update lauedepth_points set state = 'lost in thought'", "lost in thought"),
        ("update lauedepth_points set members = 'no list'", "is damaged"),
        ("update lauedepth_points set members = '[[1]]'", "is damaged"),
        ("update lauedepth_points set seen = 'yesterday'", "is damaged"),
        ("update lauedepth_points set complete = 'today'", "is damaged"),
        ("drop table lauedepth_jobs", "no such table"),
    ],
)
def test_what_no_lauedepth_wrote_is_told_in_one_line(run: Run, damage: str, says: str) -> None:
    run.add(1, 10.0)
    with sqlite3.connect(run.catalog.where) as connection:
        connection.execute(damage)
    connection.close()
    with pytest.raises(CatalogError, match=says) as told:
        status(Catalog(run.catalog.url)).text()
    assert "\n" not in str(told.value)
