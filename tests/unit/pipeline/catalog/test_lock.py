"""One driver at a time, and whoever is refused learns which."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lauedepth.pipeline.catalog import (
    Catalog,
    catalog_url,
    hold,
    holder,
)
from lauedepth.pipeline.errors import HeldError


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
