"""A folder of points, and a driver that processes them with jobs that are real programs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from lauedepth.pipeline.assembly import guard_of
from lauedepth.pipeline.catalog import (
    Catalog,
    PointRow,
    Priority,
    SourceRow,
    catalog_url,
    hold,
    point_named,
)
from lauedepth.pipeline.driver import Driver
from lauedepth.pipeline.flow import Means
from lauedepth.pipeline.places import Folders
from lauedepth.pipeline.poller import Poller
from lauedepth.pipeline.protocols import Item, Recipe
from lauedepth.pipeline.schedulers import LocalProcesses
from lauedepth.pipeline.settings import Settings
from lauedepth.pipeline.sources import FolderSource
from lauedepth.pipeline.transfers import InThreads, LocalCopy, OneByOne

PYTHON = (sys.executable, "-I", "-S", "-c")


COPY = (*PYTHON, "import sys; open(sys.argv[2],'wb').write(open(sys.argv[1],'rb').read())")


@dataclass
class Faulty:
    """A transfer that fails as told before it works."""

    faults: list[Exception] = field(default_factory=list)
    calls: int = 0

    def copy(self, item: Item, stop: Callable[[], bool]) -> str:
        self.calls += 1
        if self.faults:
            raise self.faults.pop(0)
        return LocalCopy().copy(item, stop)


class Bench:
    """A folder of points, and a driver that works them off."""

    def __init__(self, tmp_path: Path) -> None:
        self.live, self.results = tmp_path / "live", tmp_path / "results"
        self.live.mkdir()
        self.folders = Folders(self.results, tmp_path / "work")
        self.folders.make()
        self.url = catalog_url(str(tmp_path / "catalog.sqlite"))
        self.catalog = Catalog(self.url, create=True)
        row = SourceRow(
            0, str(self.live), "file", ".done", False, "d", 0, int(Priority.LIVE), 0, False
        )
        self.catalog.add_source(row)
        self.transfer = Faulty()
        self.poller: Poller | None = None
        self.commands: tuple[tuple[str, ...], ...] = ((*COPY, "{point}", "{result}"),)
        self.settings = Settings(poll_s=0.05, still_polls=1, unreadable_s=0.2, keep_free_gb=0)

    def write(self, name: str, value: int = 1) -> Path:
        path = self.live / name
        path.parent.mkdir(exist_ok=True)
        with h5py.File(path, "w") as file:
            file["d"] = np.full((2, 3, 4), value, np.uint16)
        return path

    def driver(self) -> Driver:
        poller = self.poller or Poller(LocalProcesses(self.folders.work / "jobs", 2))
        guard = guard_of(self.folders, self.settings)
        transfer = InThreads(OneByOne(self.transfer, guard.require))
        means = Means(transfer, poller, Recipe(self.commands), self.folders, guard)
        return Driver(
            self.catalog,
            means,
            self.settings,
            lambda row: FolderSource(Path(row.folder), dataset=row.dataset),
        )

    def run(self) -> None:
        with hold(self.catalog) as me:
            self.driver().run(me, until_done=True)

    def point(self, name: str) -> PointRow:
        return point_named(self.catalog, name)
