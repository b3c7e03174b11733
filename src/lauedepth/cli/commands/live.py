"""The commands of the live pipeline."""

from __future__ import annotations

import dataclasses
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lauedepth.cli import options
from lauedepth.core.errors import ConfigurationError, LaueDepthError

if TYPE_CHECKING:
    from lauedepth.pipeline.catalog import Catalog, PointRow
    from lauedepth.pipeline.places import Place

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder in which points appear.")]
Experiment = Annotated[
    Path | None, typer.Option("--experiment", "-e", metavar="FILE", help="The experiment (YAML).")
]
Results = Annotated[
    Path, typer.Option("--results", "-r", metavar="FOLDER", help="Folder for the results.")
]
CatalogText = Annotated[
    str,
    typer.Option(
        "--catalog",
        metavar="FILE|URL",
        envvar="LAUEDEPTH_CATALOG",
        help="SQLite file or postgresql:// URL; by default a file in the results folder.",
    ),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", "-s", metavar="FILE", help="Settings of the pipeline (YAML)."),
]
Slots = Annotated[
    int, typer.Option(min=1, metavar="NUMBER", help="Number of jobs run at the same time.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[POINT]...", help="Names of points.")]
HERE = Path()


def register(app: typer.Typer) -> None:
    """Add the live pipeline's commands to a program."""
    for command in (watch, batch, status, retry, skip, replay, report, plan):
        app.command()(command)


def watch(
    folder: Folder,
    *,
    results: Results,
    experiment: Experiment = None,
    settings: SettingsFile = None,
    slots: Slots = 1,
    points: Annotated[
        int, typer.Option(min=0, metavar="NUMBER", help="Number of points in the scan.")
    ] = 0,
    until_done: Annotated[
        bool, typer.Option("--until-done", help="Exit once every point is done or has failed.")
    ] = False,
    catalog: CatalogText = "",
    quiet: options.Quiet = False,
) -> None:
    """Reconstruct every point that appears in FOLDER while the experiment runs.

    Ctrl-C finishes the points in progress and exits; the next start continues from there.
    """
    _need_live()
    from lauedepth.pipeline import assembly as pipeline  # noqa: PLC0415
    from lauedepth.pipeline.places import Place  # noqa: PLC0415
    from lauedepth.pipeline.settings import read_settings  # noqa: PLC0415
    from lauedepth.pipeline.storage import outlast  # noqa: PLC0415

    chosen = read_settings(settings)
    place = Place(results, catalog, chosen.work)
    recipe = pipeline.recipe_for(experiment, chosen, place.folders)
    _log(quiet)

    def drive() -> None:
        with closing(_open(place, create=True)) as opened:
            pipeline.require_free(opened)
            pipeline.add_folder(opened, folder, place, chosen, live=True, expected=points)
            pipeline.run_pipeline(
                opened, place, recipe, chosen, slots=slots, until_done=until_done, notify=folder
            )

    outlast(drive, place.catalog_folder)


def batch(
    folder: Folder,
    *,
    results: Results,
    experiment: Experiment = None,
    settings: SettingsFile = None,
    slots: Slots = 1,
    catalog: CatalogText = "",
    quiet: options.Quiet = False,
) -> None:
    """Reconstruct a folder of existing points, at lower priority than live ones.

    If a watch is running, it takes over the points; otherwise they are processed here.
    """
    _need_live()
    from lauedepth.pipeline import assembly as pipeline  # noqa: PLC0415
    from lauedepth.pipeline.catalog import holder  # noqa: PLC0415
    from lauedepth.pipeline.places import Place  # noqa: PLC0415
    from lauedepth.pipeline.settings import read_settings  # noqa: PLC0415
    from lauedepth.pipeline.storage import outlast  # noqa: PLC0415

    chosen = read_settings(settings)
    place = Place(results, catalog, chosen.work)
    recipe = pipeline.recipe_for(experiment, chosen, place.folders)
    _log(quiet)

    def drive() -> None:
        with closing(_open(place, create=True)) as opened:
            driver = holder(opened)
            if driver is not None:
                pipeline.require_same_recipe(opened, recipe)
            pipeline.add_folder(opened, folder, place, chosen, live=False, expected=0)
            if driver is not None:
                if not quiet:
                    typer.echo(f"handed over to {driver}")
                return
            pipeline.run_pipeline(opened, place, recipe, chosen, slots=slots, until_done=True)

    outlast(drive, place.catalog_folder)


def status(results: Results = HERE, catalog: CatalogText = "", as_json: AsJson = False) -> None:
    """Show the state of the pipeline: a summary, counts, and what failed and why."""
    opened = _open(_place(results, catalog))
    from lauedepth.pipeline.status import status as find_status  # noqa: PLC0415

    found = find_status(opened)
    typer.echo(json.dumps(dataclasses.asdict(found), indent=1) if as_json else found.text())


def retry(
    names: Names = None,
    results: Results = HERE,
    catalog: CatalogText = "",
    all_failed: Annotated[bool, typer.Option("--all", help="All failed points.")] = False,
) -> None:
    """Process failed or skipped points again."""
    opened = _open(_place(results, catalog))
    from lauedepth.pipeline.catalog import PointState  # noqa: PLC0415

    _each(
        opened,
        names,
        (PointState.FAILED,) if all_failed else (),
        allowed=(PointState.FAILED, PointState.SKIPPED),
        act=opened.retry,
    )


def skip(
    names: Names = None,
    results: Results = HERE,
    catalog: CatalogText = "",
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Reason, for the record.")
    ] = "skipped by the user",
) -> None:
    """Skip points; a running job is cancelled."""
    opened = _open(_place(results, catalog))
    from lauedepth.pipeline.catalog import PointState  # noqa: PLC0415

    gone = (PointState.DONE, PointState.SUPERSEDED)
    _each(
        opened,
        names,
        (),
        allowed=tuple(state for state in PointState if state not in gone),
        act=lambda point: opened.skip(point, reason),
    )


def replay(
    scan: Annotated[Path, typer.Argument(metavar="SCAN", help="Folder of a recorded scan.")],
    destination: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write to.")],
    *,
    cadence: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="SECONDS", help="Seconds between points; by default as recorded."
        ),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.001, metavar="FACTOR", help="Speed-up factor.")
    ] = 1.0,
    points: Annotated[
        int | None, typer.Option(min=1, metavar="NUMBER", help="Maximum number of points.")
    ] = None,
    marker: Annotated[
        str,
        typer.Option(metavar="SUFFIX", help="Suffix of the marker file written after each point."),
    ] = "",
    folders: Annotated[
        bool, typer.Option("--folders", help="Each point is a folder of frames.")
    ] = False,
) -> None:
    """Replay a recorded scan as the detector wrote it: file by file, at its pace."""
    from lauedepth.pipeline.replay import Rate  # noqa: PLC0415
    from lauedepth.pipeline.replay import replay as write_scan  # noqa: PLC0415
    from lauedepth.pipeline.sources import PointKind  # noqa: PLC0415

    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    number = write_scan(
        scan,
        destination,
        Rate(cadence, speed=speed),
        layout=PointKind.FOLDER if folders else PointKind.FILE,
        marker=marker,
        limit=points,
        stop=stop,
        report=typer.echo,
    )
    typer.echo(f"{number} points written to {destination}")


def report(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[RESULT]...", help="Results to report on.")
    ] = None,
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="PATH", help="Folder, or for RESULTs a page (.html)."
        ),
    ],
    results: Results = HERE,
    catalog: CatalogText = "",
) -> None:
    """Write a page on RESULTs, or else a table and plots of what the live pipeline took.

    The page holds verdict, maps, histogram, settings and provenance, and needs no other file.
    """
    if files:
        _report_on(files, output)
        return
    opened = _open(_place(results, catalog))
    from lauedepth.pipeline.report import write_report  # noqa: PLC0415

    for path in write_report(opened, output):
        typer.echo(path)


def _report_on(files: list[Path], output: Path) -> None:
    from lauedepth.figures.page import write_page  # noqa: PLC0415
    from lauedepth.io import read_result  # noqa: PLC0415

    if output.suffix.lower() not in {".html", ".htm"}:
        raise ConfigurationError("is not the name of a page", str(output), "give NAME.html")
    write_page([read_result(file) for file in files], output)
    typer.echo(output)


def plan(
    *,
    points: Annotated[
        int, typer.Option(min=1, metavar="NUMBER", help="Number of points in the scan.")
    ],
    cadence: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Seconds between points.")
    ],
    nodes: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Number of nodes.")],
    node_hours_per_point: Annotated[
        float, typer.Option(metavar="HOURS", help="Computing needed per point.")
    ],
    nodes_per_job: Annotated[
        int, typer.Option(min=1, metavar="NUMBER", help="Nodes used for one point.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Predict whether the computing keeps up with the detector, and when it finishes."""
    from lauedepth.pipeline.planner import Demand, describe, forecast  # noqa: PLC0415

    demand = Demand(points, cadence, nodes, nodes_per_job, node_hours_per_point)
    outcome = forecast(demand)
    text = describe(demand, outcome)
    typer.echo(json.dumps(dataclasses.asdict(outcome), indent=1) if as_json else text)


def _need_live() -> None:
    """Raise an error that says what to install if a dependency is missing."""
    missing = [name for name in ("dbos", "watchfiles") if find_spec(name) is None]
    if missing:
        raise LaueDepthError(
            f"the live pipeline needs {', '.join(missing)}", remedy="pip install 'lauedepth[live]'"
        )


def _place(results: Path, catalog: str) -> Place:
    _need_live()
    from lauedepth.pipeline.places import Place  # noqa: PLC0415

    return Place(results, catalog)


def _open(place: Place, create: bool = False) -> Catalog:
    from lauedepth.pipeline.catalog import Catalog, catalog_url  # noqa: PLC0415

    return Catalog(catalog_url(place.catalog_text), create)


def _each(
    catalog: Catalog,
    names: list[str] | None,
    every: tuple[str, ...],
    *,
    allowed: tuple[str, ...],
    act: Callable[[PointRow], None],
) -> None:
    """Act on the named points, and on all points in some states."""
    from lauedepth.pipeline.catalog import POINTS, point_named  # noqa: PLC0415

    chosen = [point_named(catalog, name) for name in names or []]
    chosen += catalog.points(POINTS.c.state.in_(every)) if every else []
    if not chosen:
        raise LaueDepthError("no point given", remedy="give a name; lauedepth status lists them")
    refused = [error for point in chosen if (error := _refusal(point, allowed, act)) is not None]
    for error in refused[:-1]:
        typer.echo(str(error), err=True)
    if refused:
        raise refused[-1]


def _refusal(
    point: PointRow, allowed: tuple[str, ...], act: Callable[[PointRow], None]
) -> LaueDepthError | None:
    """Act on a point, or return why that is not possible: it keeps no other point from its turn."""
    if point.state not in allowed:
        remedy = f"this is possible only for points that are {', '.join(allowed)}"
        return LaueDepthError(f"is {point.state.value}", point.label, remedy)
    try:
        act(point)
    except LaueDepthError as error:
        return error
    typer.echo(point.label)
    return None


def _log(quiet: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log = logging.getLogger("lauedepth.live")
    log.addHandler(handler)
    log.setLevel(logging.WARNING if quiet else logging.INFO)
