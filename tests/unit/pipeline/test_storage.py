"""Which failures of a file system are waited for, and that the wait ends."""

from __future__ import annotations

import errno
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lauedepth.pipeline.catalog import Catalog, catalog_url
from lauedepth.pipeline.errors import CatalogError, OutputError
from lauedepth.pipeline.storage import may_pass, outlast


def failing(errors: Iterator[Exception]) -> str:
    error = next(errors, None)
    if error is not None:
        raise error
    return "done"


def test_each_reason_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("lauedepth.pipeline.storage.RETRY_S", 0.0)
    full = [OSError(errno.ENOSPC, "No space left on device") for _ in range(3)]
    errors = iter([*full, OSError(errno.EROFS, "Read-only file system")])
    with caplog.at_level(logging.WARNING):
        assert outlast(lambda: failing(errors), tmp_path) == "done"
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "No space left" in said[0]
    assert "Read-only" in said[1]


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "Permission denied"), CatalogError("is no catalog")]
)
def test_what_does_not_pass_by_itself_is_an_error(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)):
        outlast(lambda: failing(iter([error])), tmp_path)


def test_the_cause_of_an_error_tells(tmp_path: Path) -> None:
    try:
        raise OutputError("cannot be created") from OSError(errno.EDQUOT, "Disk quota exceeded")
    except OutputError as error:
        assert may_pass(error, tmp_path)


LIMITED = """
import resource, signal, sys
from pathlib import Path
from lauedepth.pipeline.catalog import Catalog, catalog_url
from lauedepth.pipeline.errors import CatalogError
from lauedepth.pipeline.storage import may_pass
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1]) / "catalog.sqlite"
for size in range(1000, 100000, 4000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        Catalog(catalog_url(str(path)), create=True).close()
        break
    except CatalogError as error:
        assert may_pass(error, path.parent), error
        print(error)
"""


def test_a_catalog_on_a_limited_file_system_is_waited_for_and_made_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr
    assert len(done.stdout.splitlines()) > 5
    Catalog(catalog_url(str(tmp_path / "catalog.sqlite"))).close()


def test_a_file_that_is_no_catalog_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    path.mkdir()
    with pytest.raises(CatalogError) as told:
        Catalog(catalog_url(str(path)), create=True)
    assert not may_pass(told.value, tmp_path)
