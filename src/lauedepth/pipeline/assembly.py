"""Assembling the pipeline on this machine: recipe, folders and driver."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Final

from lauedepth.pipeline.catalog import Catalog, Priority, SourceRow, hold
from lauedepth.pipeline.disk import GB, DiskGuard
from lauedepth.pipeline.driver import Driver, watch_events
from lauedepth.pipeline.errors import ConfigurationError, FacilityError
from lauedepth.pipeline.flow import Means
from lauedepth.pipeline.places import Folders, Place
from lauedepth.pipeline.poller import Poller
from lauedepth.pipeline.protocols import Recipe
from lauedepth.pipeline.schedulers import LocalProcesses
from lauedepth.pipeline.settings import Settings
from lauedepth.pipeline.sources import FolderSource, Inspector, PointKind
from lauedepth.pipeline.transfers import InThreads, LocalCopy, OneByOne

CARRIED: Final = "instrument.h5"
"""What points tell of the aperture, in the work folder."""

OUR_PROGRAM: Final = (sys.executable, "-m", "lauedepth")

DRAINING: Final = b"draining: finishing points in progress; press Ctrl-C again to exit at once\n"


def recipe_for(experiment: Path | None, settings: Settings, folders: Folders) -> Recipe:
    """Return the recipe that the settings name, or the one that reconstructs with this program.

    Raises
    ------
    ConfigurationError
        If the experiment's file is needed but missing.
    """
    if experiment is not None and not experiment.is_file():
        raise ConfigurationError("no such file", str(experiment), "give the experiment's YAML")
    values = {"carried": str(folders.work / CARRIED)}
    if experiment is not None:
        values["experiment"] = str(experiment.resolve())
    if settings.commands:
        return Recipe(settings.commands, values)
    if experiment is None:
        raise ConfigurationError("no experiment given", remedy="give --experiment FILE")
    commands: list[tuple[str, ...]] = [
        (
            *OUR_PROGRAM,
            *("reconstruct", "{point}", "--experiment", "{experiment}"),
            *("--output", "{result}", "--resume", "--json"),
            *(("--carry", "{carried}") if settings.carry else ()),
        ),
        (*OUR_PROGRAM, "validate", "{result}"),
    ]
    if settings.export:
        commands.append((*OUR_PROGRAM, "export", "{result}", "--output", "{export}"))
    return Recipe(tuple(commands), values)


def remember_recipe(catalog: Catalog, recipe: Recipe) -> None:
    """Store the recipe, so that other commands know what the driver runs."""
    catalog.remember("recipe", json.dumps(asdict(recipe)))


def require_same_recipe(catalog: Catalog, recipe: Recipe) -> None:
    """Raise a FacilityError if a running driver uses another recipe."""
    if catalog.meta("recipe") != json.dumps(asdict(recipe)):
        raise FacilityError(
            "the running driver uses another recipe or experiment",
            catalog.where,
            "use another results folder",
        )


def run_pipeline(
    catalog: Catalog,
    place: Place,
    recipe: Recipe,
    settings: Settings,
    *,
    slots: int,
    until_done: bool = False,
    notify: Path | None = None,
) -> None:
    """Hold the catalog and drive it until drained (Ctrl-C), or until every point has ended.

    A second Ctrl-C exits at once: the jobs keep running, and the next driver finds them.
    """
    with hold(catalog) as me:
        remember_recipe(catalog, recipe)
        folders = place.folders
        folders.make()
        scheduler = LocalProcesses(folders.work / "jobs", slots)
        guard = guard_of(folders, settings)
        transfer = InThreads(OneByOne(LocalCopy(), guard.require))
        means = Means(transfer, Poller(scheduler), recipe, folders, guard)
        driver = Driver(catalog, means, settings, lambda row: open_source(row, folders))
        with _draining(driver), _woken_by_changes(driver, notify):
            driver.run(me, until_done)


def guard_of(folders: Folders, settings: Settings) -> DiskGuard:
    """Return what keeps disk space free in the folders of a pipeline."""
    return DiskGuard((folders.work, folders.results), settings.keep_free_gb * GB)


def open_source(row: SourceRow, folders: Folders) -> FolderSource:
    """Return the source that a row of the catalog describes."""
    return FolderSource(
        Path(row.folder),
        PointKind(row.layout),
        marker=row.marker,
        dataset=row.dataset,
        frames=row.frames,
        avoid=(folders.results, folders.work),
        count=Inspector().count_frames,
    )


@contextmanager
def _draining(driver: Driver) -> Iterator[None]:
    """Make the first Ctrl-C or SIGTERM drain the driver and the second end it."""
    asked = threading.Event()

    def on_signal(number: int, _: FrameType | None) -> None:
        if asked.is_set():
            os._exit(128 + number)  # the threads wait for jobs; their work so far is on disk
        asked.set()
        driver.drain()
        with suppress(OSError):  # Ctrl-C ends `tee` first, and then nobody reads
            os.write(2, DRAINING)

    before = {s: signal.signal(s, on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _woken_by_changes(driver: Driver, folder: Path | None) -> Iterator[None]:
    """Let the system's file notifications wake the driver early."""
    stop = threading.Event()
    if folder is not None:
        arguments = (folder, driver.wake, stop)
        threading.Thread(target=watch_events, args=arguments, daemon=True).start()
    try:
        yield
    finally:
        stop.set()


def add_folder(
    catalog: Catalog, folder: Path, place: Place, settings: Settings, *, live: bool, expected: int
) -> None:
    """Add a folder whose points are to be processed.

    Raises
    ------
    ConfigurationError
        If the folder does not exist, or results would be taken for points.
    """
    watched = folder.resolve()
    if not watched.is_dir():
        raise ConfigurationError("no such folder", str(folder))
    if watched == place.folders.results:
        raise ConfigurationError(
            "points and results are in the same folder", str(folder), "give another --results"
        )
    catalog.add_source(
        SourceRow(
            id=0,
            folder=str(watched),
            layout=settings.layout,
            marker=settings.marker,
            marker_needed=settings.marker_needed,
            dataset=settings.dataset,
            frames=settings.frames,
            priority=Priority.LIVE if live else Priority.BACKLOG,
            expected=expected,
            scanned=False,
        )
    )


def require_free(catalog: Catalog) -> None:
    """Raise a HeldError if another driver holds the catalog, before anything is changed."""
    with hold(catalog):
        pass
