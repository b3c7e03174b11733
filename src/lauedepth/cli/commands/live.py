"""Commands of the live pipeline: parse, call, show."""

from __future__ import annotations

import dataclasses
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lauedepth.core.errors import LaueDepthError

if TYPE_CHECKING:
    from lauedepth.pipeline.catalog import Catalog, PointRow
    from lauedepth.pipeline.places import Place

Folder = Annotated[Path, typer.Argument(help="Folder of points.")]
Experiment = Annotated[Path | None, typer.Option("--experiment", "-e", help="Experiment's YAML.")]
Results = Annotated[Path, typer.Option("--results", "-r", help="Folder of the results.")]
CatalogText = Annotated[
    str,
    typer.Option(
        "--catalog",
        envvar="LAUEDEPTH_CATALOG",
        help="SQLite file or postgresql:// URL; by default a file below the results folder.",
    ),
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", "-s", help="YAML: how the pipeline behaves.")
]
Slots = Annotated[int, typer.Option(min=1, help="Jobs side by side.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[POINT]...", help="Points' names.")]
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
    points: Annotated[int, typer.Option(min=0, help="Points the scan will have.")] = 0,
    until_done: Annotated[
        bool, typer.Option("--until-done", help="End when every point has ended.")
    ] = False,
    catalog: CatalogText = "",
) -> None:
    """Reconstruct every point that appears in FOLDER while the experiment runs.

    Ctrl-C finishes the points in flight and ends; another start goes on where this one was.
    """
    _need_live()
    from lauedepth.pipeline import assembly as pipeline  # noqa: PLC0415
    from lauedepth.pipeline.places import Place  # noqa: PLC0415
    from lauedepth.pipeline.settings import read_settings  # noqa: PLC0415

    chosen = read_settings(settings)
    place = Place(results, catalog, chosen.work)
    recipe = pipeline.recipe_for(experiment, chosen)
    opened = _open(place, create=True)
    pipeline.require_free(opened)
    pipeline.add_folder(opened, folder, place, chosen, live=True, expected=points)
    _log()
    pipeline.run_pipeline(
        opened, place, recipe, chosen, slots=slots, until_done=until_done, stir=folder
    )


def batch(
    folder: Folder,
    *,
    results: Results,
    experiment: Experiment = None,
    settings: SettingsFile = None,
    slots: Slots = 1,
    catalog: CatalogText = "",
) -> None:
    """Reconstruct a folder of old points, after all live ones.

    Beside a running watch the points are handed to it; otherwise they are worked on here.
    """
    _need_live()
    from lauedepth.pipeline import assembly as pipeline  # noqa: PLC0415
    from lauedepth.pipeline.catalog import holder  # noqa: PLC0415
    from lauedepth.pipeline.places import Place  # noqa: PLC0415
    from lauedepth.pipeline.settings import read_settings  # noqa: PLC0415

    chosen = read_settings(settings)
    place = Place(results, catalog, chosen.work)
    recipe = pipeline.recipe_for(experiment, chosen)
    opened = _open(place, create=True)
    driver = holder(opened)
    if driver is not None:
        pipeline.require_same_recipe(opened, recipe)
    pipeline.add_folder(opened, folder, place, chosen, live=False, expected=0)
    if driver is not None:
        typer.echo(f"handed to {driver}")
        return
    _log()
    pipeline.run_pipeline(opened, place, recipe, chosen, slots=slots, until_done=True)


def status(results: Results = HERE, catalog: CatalogText = "", as_json: AsJson = False) -> None:
    """Say how it stands: the verdict first, then counts, then what failed and why."""
    opened = _open(_place(results, catalog))
    from lauedepth.pipeline.status import status as find_status  # noqa: PLC0415

    found = find_status(opened)
    typer.echo(json.dumps(dataclasses.asdict(found), indent=1) if as_json else found.text())


def retry(
    names: Names = None,
    results: Results = HERE,
    catalog: CatalogText = "",
    all_failed: Annotated[bool, typer.Option("--all", help="Every failed point.")] = False,
) -> None:
    """Let failed or skipped points start anew."""
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
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "skipped by hand",
) -> None:
    """Take points out of the way; a job that runs is ended."""
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
    scan: Annotated[Path, typer.Argument(help="Folder of a recorded scan.")],
    destination: Annotated[Path, typer.Argument(help="Folder to write to.")],
    *,
    cadence: Annotated[
        float | None, typer.Option(min=0, help="Seconds from point to point; else as recorded.")
    ] = None,
    speed: Annotated[float, typer.Option(min=0.001, help="Times faster than that.")] = 1.0,
    points: Annotated[int | None, typer.Option(min=1, help="Points at most.")] = None,
    marker: Annotated[str, typer.Option(help="Ending of a file that marks each point.")] = "",
    folders: Annotated[bool, typer.Option("--folders", help="A point is a folder.")] = False,
) -> None:
    """Play a recorded scan as the detector wrote it: file by file, slowly, in time."""
    from lauedepth.pipeline.replay import Rate  # noqa: PLC0415
    from lauedepth.pipeline.replay import replay as play  # noqa: PLC0415
    from lauedepth.pipeline.sources import PointKind  # noqa: PLC0415

    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    number = play(
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
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")],
    results: Results = HERE,
    catalog: CatalogText = "",
) -> None:
    """Write a table of points and resources, and pictures of both over time."""
    opened = _open(_place(results, catalog))
    from lauedepth.pipeline.report import write_report  # noqa: PLC0415

    for path in write_report(opened, output):
        typer.echo(path)


def plan(
    *,
    points: Annotated[int, typer.Option(min=1, help="Points of the scan.")],
    cadence: Annotated[float, typer.Option(min=0, help="Seconds from point to point.")],
    nodes: Annotated[int, typer.Option(min=1, help="Computers.")],
    node_hours_per_point: Annotated[float, typer.Option(help="Work of one point.")],
    nodes_per_job: Annotated[int, typer.Option(min=1, help="Computers one point takes.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Predict whether the computing keeps up with the detector, and when it is done."""
    from lauedepth.pipeline.planner import Demand, describe, forecast  # noqa: PLC0415

    demand = Demand(points, cadence, nodes, nodes_per_job, node_hours_per_point)
    outcome = forecast(demand)
    text = describe(demand, outcome)
    typer.echo(json.dumps(dataclasses.asdict(outcome), indent=1) if as_json else text)


def _need_live() -> None:
    """Say what to install where the live pipeline's own dependencies are missing."""
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
    """Act on the points named, and on all in some states."""
    from lauedepth.pipeline.catalog import POINTS, point_named  # noqa: PLC0415

    chosen = [point_named(catalog, name) for name in names or []]
    chosen += catalog.points(POINTS.c.state.in_(every)) if every else []
    if not chosen:
        raise LaueDepthError("no point given", remedy="name one; lauedepth status shows them")
    for point in chosen:
        if point.state not in allowed:
            remedy = f"only these can be changed so: {', '.join(allowed)}"
            raise LaueDepthError(f"is {point.state.value}", point.label, remedy)
        act(point)
        typer.echo(point.label)


def _log() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log = logging.getLogger("lauedepth.live")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
