"""Where locks are missing, one driver at a time cannot be promised: an error says so."""

from __future__ import annotations

import errno
import fcntl
from typing import TYPE_CHECKING

import pytest

from lauedepth.pipeline.catalog import Catalog, hold
from lauedepth.pipeline.catalog.database import catalog_url
from lauedepth.pipeline.errors import CatalogError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(catalog_url(str(tmp_path / "catalog.sqlite")), create=True)


@pytest.mark.parametrize("missing", ["flock", "fcntl"])
def test_a_file_system_without_locks_holds_no_catalog(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, missing, refuse)
    with pytest.raises(CatalogError, match="has no locks; put the catalog on"), hold(catalog):
        pytest.fail("held without a lock")
