"""A bench for the driver, and a run of the pipeline made up by hand."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.pipeline.driver_bench import Bench
from tests.unit.pipeline.made_run import Run

from lauedepth.pipeline.catalog import hold


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    with hold(made.catalog) as me:
        made.catalog.beat(pid=me.pid, host=me.host, since=me.since, slots=2, notice="")
        yield made


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    yield Bench(tmp_path)
    logging.getLogger("dbos").handlers.clear()
