"""Runs that the engine has ended are known as such, those it has not are not."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lauedepth.pipeline.catalog import Catalog, catalog_url
from lauedepth.pipeline.engine import Engine, StepRunner


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    yield Catalog(catalog_url(str(tmp_path / "catalog.sqlite")), create=True)
    logging.getLogger("dbos").handlers.clear()


def test_a_run_has_ended_when_its_work_has_whatever_the_outcome(catalog: Catalog) -> None:
    gate = threading.Event()

    def process(point_id: int, _: int, __: StepRunner) -> None:
        gate.wait(30)
        if point_id == 2:
            raise RuntimeError("it broke")

    engine = Engine(catalog, process)
    try:
        assert engine.launch() == set()
        for point_id in (1, 2):
            engine.start(point_id, 1)
            assert not engine.has_ended(point_id, 1)
        assert not engine.has_ended(1, 2)
        gate.set()
        for _ in range(500):
            if engine.has_ended(1, 1) and engine.has_ended(2, 1):
                break
            time.sleep(0.02)
        assert engine.has_ended(1, 1)
        assert engine.has_ended(2, 1)
    finally:
        gate.set()
        engine.close()
