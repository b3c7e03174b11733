"""The catalog on a real PostgreSQL server, where one is installed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from lauedepth.pipeline.assembly import guard_of
from lauedepth.pipeline.catalog import (
    Catalog,
    PointState,
    Priority,
    SourceRow,
    catalog_url,
    hold,
    holder,
    point_named,
)
from lauedepth.pipeline.catalog.schema import VERSION
from lauedepth.pipeline.driver import Driver
from lauedepth.pipeline.errors import CatalogError, HeldError
from lauedepth.pipeline.flow import Means
from lauedepth.pipeline.places import Folders
from lauedepth.pipeline.poller import Poller
from lauedepth.pipeline.protocols import Recipe
from lauedepth.pipeline.schedulers import LocalProcesses
from lauedepth.pipeline.settings import Settings
from lauedepth.pipeline.sources import FolderSource
from lauedepth.pipeline.transfers import InThreads, LocalCopy, OneByOne


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server of our own, reached by a socket; it does not run as root."""
    if not all(shutil.which(name) for name in ("initdb", "postgres", "pg_isready")):
        pytest.skip("no PostgreSQL server installed")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    user = "nobody" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    quiet = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "user": user,
        "cwd": folder,
    }
    words = ["initdb", "-D", "data", "-A", "trust", "-U", "me", "--no-sync"]
    subprocess.run(words, check=True, timeout=120, **quiet)  # type: ignore[call-overload]
    words = ["postgres", "-D", "data", "-k", str(folder), "-c", "listen_addresses="]
    server = subprocess.Popen([*words, "-c", "fsync=off"], **quiet)  # type: ignore[call-overload]
    try:
        ready = ["pg_isready", "-h", str(folder)]
        deadline = time.monotonic() + 60
        while subprocess.run(ready, stdout=subprocess.DEVNULL, check=False).returncode != 0:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield f"postgresql://me@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGINT)  # does not wait for those connected
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    made = Catalog(catalog_url(url), create=True)
    yield made
    made.close()


def test_points_are_worked_off(catalog: Catalog, tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.mkdir()
    for number in range(3):
        (live / f"p {number}.h5").write_bytes(b"point" * (number + 1))
    row = SourceRow(0, str(live), "file", ".done", False, "", 0, int(Priority.LIVE), 0, False)
    catalog.add_source(row)
    folders = Folders(tmp_path / "results", tmp_path / "work")
    folders.make()
    scheduler = LocalProcesses(folders.work / "jobs", 2)
    recipe = Recipe((("/bin/cp", "{point}", "{result}"),))
    settings = Settings(poll_s=0.05, still_polls=1, keep_free_gb=0)
    guard = guard_of(folders, settings)
    transfer = InThreads(OneByOne(LocalCopy(), guard.require))
    means = Means(transfer, Poller(scheduler), recipe, folders, guard)
    with hold(catalog) as me:
        driver = Driver(
            catalog, means, settings, lambda row: FolderSource(Path(row.folder), dataset="")
        )
        driver.run(me, until_done=True)
    assert catalog.counts() == {PointState.DONE: 3}
    assert (folders.results / "p 1.h5").read_bytes() == b"pointpoint"
    assert point_named(catalog, "p 1.h5").state is PointState.DONE


HOLD = """
import sys
from lauedepth.pipeline.catalog import Catalog, catalog_url, hold
catalog = Catalog(catalog_url(sys.argv[1]))
with hold(catalog) as me:
    catalog.beat(pid=me.pid, host=me.host, since=me.since, slots=1, notice="")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_driver_at_a_time(catalog: Catalog, url: str) -> None:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", HOLD, url]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(HeldError, match=f"process {other.pid} on"), hold(catalog):
            pass
        found = holder(catalog)
        assert found is not None
        assert found.pid == other.pid
        other.kill()
    deadline = time.monotonic() + 10
    while holder(catalog) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.1)


LOCK = "select pid from pg_locks where locktype = 'advisory' and granted"


def test_whose_connection_broke_cannot_write_once_another_drives(
    catalog: Catalog, url: str, tmp_path: Path
) -> None:
    source = catalog.add_source(SourceRow(0, str(tmp_path), "file", "", False, "", 0, 0, 0, False))
    other = Catalog(catalog_url(url))
    with hold(catalog):
        catalog.mark_scanned(source)
        with other.begin() as connection:
            (pid,) = connection.scalars(sa.text(LOCK))
            assert connection.scalar(sa.select(sa.func.pg_terminate_backend(pid, 5000)))
        catalog.remember("recipe", "mine")  # nobody else is here yet
        with hold(other):
            other.remember("recipe", "other's")
            with pytest.raises(HeldError, match="another driver has taken over"):
                catalog.remember("recipe", "mine")
            with pytest.raises(HeldError, match="another driver has taken over"):
                catalog.mark_scanned(source)
            assert other.meta("recipe") == "other's"
    other.close()


LOOK = """
import sys
from lauedepth.pipeline.catalog import Catalog, catalog_url, holder
catalog = Catalog(catalog_url(sys.argv[1]))
print("looking", flush=True)
while True:
    holder(catalog)
"""


def test_looking_never_keeps_a_driver_out(catalog: Catalog, url: str) -> None:
    command = [sys.executable, "-c", LOOK, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "looking\n"
        try:
            for _ in range(100):
                with hold(catalog):
                    pass
            assert other.poll() is None
        finally:
            other.kill()


def test_a_newer_catalog_is_left_alone(catalog: Catalog, url: str) -> None:
    catalog.remember("version", "99")
    with pytest.raises(CatalogError, match="newer lauedepth"):
        Catalog(catalog_url(url), create=True)
    catalog.remember("version", str(VERSION))


def test_no_server(url: str) -> None:
    gone = sa.make_url(url).update_query_dict({"host": "/nowhere"})
    with pytest.raises(CatalogError, match="cannot be used"):
        Catalog(catalog_url(gone.render_as_string(hide_password=False)))
