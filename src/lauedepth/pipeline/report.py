"""What a run took: a table like the published one, and plots over time.

Table 2 and figures 5 and 6 of Prince et al., XLOOP'23 (doi:10.1145/3624062.3624613) are the
model: points, resources and computing per point; points queued, running and finished over time;
resources in use over time.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, fields
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.pipeline.catalog import JOBS, POINTS, Catalog, PointRow, PointState
from lauedepth.pipeline.errors import FacilityError, OutputError
from lauedepth.pipeline.paths import printable
from lauedepth.pipeline.planner import HOUR_S

if TYPE_CHECKING:
    from matplotlib.axes import Axes


HEADINGS: Final = (
    "Dataset",
    "Points",
    "Done",
    "Failed",
    "Slots",
    "Slot h",
    "Slot h/point (SD)",
    "Core h",
    "Core h/point (SD)",
    "Peak MB",
    "Behind, median",
)

QUEUED, RUNNING, FINISHED = "#eda100", "#2a78d6", "#008300"


@dataclass(frozen=True)
class Job:
    """A job that has ended; times are Unix times."""

    point_id: int
    started: float
    finished: float
    seconds: float
    cpu_seconds: float
    max_rss_bytes: int
    exit_code: int


@dataclass(frozen=True)
class Record:
    """The data of a report."""

    sources: dict[int, str]
    points: tuple[PointRow, ...]
    jobs: tuple[Job, ...]
    slots: int


def collect(catalog: Catalog) -> Record:
    """Read what a report needs.

    Raises
    ------
    FacilityError
        If no point is complete yet.
    """
    kept = (POINTS.c.complete.is_not(None), POINTS.c.state != PointState.SUPERSEDED)
    points = tuple(catalog.points(*kept))
    if not points:
        raise FacilityError("no point is complete yet", catalog.where, "try again later")
    rows = [row for row in catalog.rows(JOBS) if row["exit_code"] is not None]
    jobs = tuple(
        Job(**{name.name: row[name.name] for name in fields(Job)})
        for row in sorted(rows, key=lambda row: row["started"])
    )
    driver = catalog.driver()
    folders = {source.id: printable(source.folder) for source in catalog.sources()}
    return Record(folders, points, jobs, driver["slots"] if driver is not None else 1)


def table(record: Record) -> list[tuple[str, ...]]:
    """Return the rows of the table, one per source folder."""
    rows = []
    for source, folder in record.sources.items():
        points = [p for p in record.points if p.source_id == source]
        if points:
            mine = {point.id for point in points}
            rows.append(
                _row(folder, points, [j for j in record.jobs if j.point_id in mine], record)
            )
    return rows


def _row(
    folder: str, points: Sequence[PointRow], jobs: Sequence[Job], record: Record
) -> tuple[str, ...]:
    good = [job for job in jobs if job.exit_code == 0]
    done = [p for p in points if p.state is PointState.DONE]
    behind = [(p.finished or 0.0) - (p.complete or 0.0) for p in done]
    return (
        Path(folder).name,
        str(len(points)),
        str(len(done)),
        str(sum(p.state is PointState.FAILED for p in points)),
        str(record.slots),
        f"{sum(job.seconds for job in jobs) / HOUR_S:.3g}",
        _with_spread([job.seconds / HOUR_S for job in good]),
        f"{sum(job.cpu_seconds for job in jobs) / HOUR_S:.3g}",
        _with_spread([job.cpu_seconds / HOUR_S for job in good]),
        f"{max((job.max_rss_bytes for job in jobs), default=0) / 1e6:.0f}",
        f"{max(0.0, statistics.median(behind)):.1f} s" if behind else "-",
    )


def _with_spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    return f"{statistics.mean(values):.3g} ({statistics.pstdev(values):.2g})"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return the table as Markdown."""
    safe = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [HEADINGS, ["---"] * len(HEADINGS), *safe]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def comma_separated(rows: Sequence[Sequence[str]]) -> str:
    """Return the table as CSV."""
    text = StringIO()
    csv.writer(text).writerows([HEADINGS, *rows])
    return text.getvalue()


def write_report(catalog: Catalog, folder: Path) -> list[Path]:
    """Write ``report.md``, ``report.csv``, ``points.png`` and ``resources.png``.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    record = collect(catalog)
    rows = table(record)
    text = (
        f"# Points and resources\n\n{markdown(rows)}\n"
        "![Points over time](points.png)\n\n![Resources over time](resources.png)\n"
    )
    paths = [folder / n for n in ("report.md", "report.csv", "points.png", "resources.png")]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths[0].write_text(text)
        paths[1].write_text(comma_separated(rows))
        _draw_points(record, paths[2])
        _draw_resources(record, paths[3])
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror})", str(folder)) from error
    return paths


def points_over_time(record: Record) -> tuple[Floats, Floats, Floats, Floats]:
    """Return times (Unix) and the numbers of points queued, running and finished from then on.

    A point is queued from its completion to the last start of its job, and finished when its
    processing ended, successfully or not.
    """
    last = {job.point_id: job.started for job in record.jobs}
    changes: list[tuple[float, int, int, int]] = []
    for point in record.points:
        complete, ended = point.complete or point.seen, point.finished
        started = last.get(point.id)
        changes.append((complete, 1, 0, 0))
        if started is not None:
            changes.append((started, -1, 1, 0))
        if ended is not None:
            changes.append((ended, *((-1, 0, 1) if started is None else (0, -1, 1))))
    times, queued, running, finished = _totals(changes)
    return times, queued, running, finished


def resources_over_time(record: Record) -> tuple[Floats, Floats, Floats]:
    """Return times (Unix), the number of jobs running from then on, and the cores they use."""
    changes: list[tuple[float, ...]] = []
    for job in record.jobs:
        cores = job.cpu_seconds / job.seconds if job.seconds > 0 else 0.0
        changes += [(job.started, 1, cores), (job.finished, -1, -cores)]
    times, jobs, cores_busy = _totals(changes or [(0.0, 0, 0.0)])
    return times, jobs, cores_busy


def _totals(changes: Sequence[tuple[float, ...]]) -> tuple[Floats, ...]:
    ordered = np.array(sorted(changes, key=lambda change: change[0]), dtype=float)
    return (ordered[:, 0], *np.cumsum(ordered[:, 1:], axis=0).T)


def _draw_points(record: Record, path: Path) -> None:
    times, queued, running, finished = points_over_time(record)
    begin, unit, name = _axis(times)
    axes = _axes("Points over time", f"time ({name})", "points")
    x = (times - begin) / unit
    for values, label, color in (
        (finished, "finished", FINISHED),
        (queued, "queued", QUEUED),
        (running, "running", RUNNING),
    ):
        axes.step(x, values, where="post", color=color, label=label, linewidth=2)
    last = max(p.complete or 0.0 for p in record.points)
    axes.axvline(
        (last - begin) / unit, label="last point arrived", color="0.4", linewidth=1, linestyle=":"
    )
    _save(axes, path)


def _draw_resources(record: Record, path: Path) -> None:
    times, jobs, cores = resources_over_time(record)
    begin, unit, name = _axis(times)
    axes = _axes("Resources in use", f"time ({name})", "slots or cores")
    x = (times - begin) / unit
    axes.fill_between(x, jobs, step="post", color=RUNNING, alpha=0.25, linewidth=0)
    axes.step(x, jobs, where="post", color=RUNNING, linewidth=2, label="slots in use")
    axes.step(
        x, np.maximum(cores, 0), where="post", color=QUEUED, linewidth=1.5, label="cores in use"
    )
    axes.axhline(record.slots, color="0.4", linewidth=1, linestyle="--", label="slots")
    _save(axes, path)


def _axis(times: Floats) -> tuple[float, float, str]:
    span = float(times[-1] - times[0])
    unit, name = (HOUR_S, "h") if span > 2 * HOUR_S else (60.0, "min") if span > 180 else (1.0, "s")
    return float(times[0]), unit, name


def _axes(title: str, xlabel: str, ylabel: str) -> Axes:
    from matplotlib.figure import Figure  # noqa: PLC0415 (half a second; only reports draw)

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def _save(axes: Axes, path: Path) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 (as above)

    axes.set_ylim(bottom=0)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    figure = axes.get_figure(root=True)
    assert figure is not None  # an axes is made in a figure
    figure.savefig(path, dpi=150)
