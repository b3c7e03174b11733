"""The command ``calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from lauedepth.cli import options
from lauedepth.cli.reporting import Reporter, reporter_for
from lauedepth.core.errors import ConfigurationError

if TYPE_CHECKING:
    from lauedepth.calibration import CalibrationReport, Forecast, HistoryEntry, PoseFit


def register(app: typer.Typer) -> None:
    """Add the command to a program."""
    app.command()(calibrate)


def calibrate(
    points: Annotated[
        list[Path] | None, typer.Argument(metavar="POINT...", help=options.POINT_HELP)
    ] = None,
    *,
    experiment: Annotated[
        list[Path] | None,
        typer.Option(
            "--experiment",
            "-e",
            metavar="FILE",
            help="The experiment, in YAML: one for all, or one for each POINT in order; the first "
            "is the start.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The calibrated experiment."),
    ] = None,
    shift_mm: Annotated[
        list[float] | None,
        typer.Option(
            "--shift-mm",
            metavar="MM",
            help="Displacement of the aperture in each scan, in order of POINT.",
        ),
    ] = None,
    sample_depth: Annotated[
        float,
        typer.Option("--sample-depth", metavar="UM", help="Depth of the middle of the sample."),
    ] = 0.0,
    fit: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="What to fit: pose (all six) or some of its parameters by name, step, "
            "scan-direction, thickness, widening, sample-depth.",
        ),
    ] = "pose",
    pixels: Annotated[
        list[str] | None,
        typer.Option(
            "--pixels",
            metavar="NUMBER|FILE.npy",
            help="Minimum mean counts per frame, or a boolean mask of the full detector: one for "
            "all, or one for each POINT in order.",
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw before and after (PNG, PDF or SVG)."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Report how well planned scans would determine the pose."),
    ] = False,
    history: Annotated[
        bool,
        typer.Option(
            "--history",
            help="Compare calibrations: each POINT is a calibrated experiment, one line for each.",
        ),
    ] = False,
    memory: options.Memory = 2.0,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Find where the aperture stands, from scans of a thin sample at a known depth.

    Pixels are chosen automatically: bright, unsaturated and spread over the detector.
    """
    from lauedepth.tasks.calibrate import CalibrationRequest, calibrate_points  # noqa: PLC0415
    from lauedepth.tasks.calibration_scans import scan_requests  # noqa: PLC0415

    reporter = reporter_for(as_json, quiet)
    names = tuple(name.strip() for name in fit.split(",") if name.strip())
    if figure is not None:
        options.refuse_format(figure)
    if history:
        compare_calibrations(reporter, points or [], figure)
        return
    if not experiment:
        raise ConfigurationError("no experiment given", "--experiment", "give its YAML file")
    if dry_run:
        forecast_scans(reporter, experiment[0], shift_mm or [0.0], names, sample_depth)
        return
    if not points or output is None:
        raise ConfigurationError(
            "needs at least one POINT and --output", remedy="or --dry-run to plan a scan"
        )
    configs = [options.load_and_report(reporter, file) for file in experiment]
    chosen = [options.pixels_of(choice, configs[0]) for choice in pixels or []]
    request = CalibrationRequest(
        scans=scan_requests(points, configs, shift_mm or (), chosen),
        output=output,
        fit=names,
        sample_depth_um=sample_depth,
        memory_bytes=int(memory * 2**30),
    )
    with reporter.progress("calibration") as progress:
        report = calibrate_points(request, progress)
    if figure is not None:
        draw(report, figure)
    show_report(reporter, report, output, figure)


def forecast_scans(
    reporter: Reporter,
    experiment: Path,
    shifts_mm: list[float],
    names: tuple[str, ...],
    sample_depth_um: float,
) -> None:
    """Show how well planned scans would determine the pose."""
    from lauedepth.calibration import forecast  # noqa: PLC0415

    config = options.load_and_report(reporter, experiment)
    show_forecast(
        reporter,
        forecast(config.to_core(), shifts_mm, fit=names, sample_depth_um=sample_depth_um),
    )


def draw(report: CalibrationReport, path: Path) -> None:
    """Draw a calibration."""
    from lauedepth.figures.calibration import plot_calibration  # noqa: PLC0415
    from lauedepth.figures.style import save_figure  # noqa: PLC0415

    save_figure(plot_calibration(report), path)


def compare_calibrations(reporter: Reporter, paths: list[Path], figure: Path | None) -> None:
    """Show calibrated experiments, one line for each, and draw them over time."""
    from lauedepth.tasks.calibration_history import read_history  # noqa: PLC0415

    if not paths:
        raise ConfigurationError("needs calibrated experiments", "--history", "name their files")
    entries = read_history(paths)
    if figure is not None:
        from lauedepth.figures.calibration_history import plot_history  # noqa: PLC0415
        from lauedepth.figures.style import save_figure  # noqa: PLC0415

        save_figure(plot_history(entries), figure)
    values = [
        {"path": one.name, "when": one.record.when.isoformat(), "values": one.record.values}
        | {"errors": one.record.errors, "pulls": one.pulls}
        | {"depth_error_um": one.record.depth_error_um}
        for one in entries
    ]
    reporter.show("history", {"calibrations": values, "figure": figure}, history_table(entries))


def history_table(entries: list[HistoryEntry]) -> Table:
    """Return calibrations as lines: values, and changes since the one before in errors."""
    names = list(dict.fromkeys(name for one in entries for name in one.record.values))
    table = Table(box=None, pad_edge=False)
    for head in ("", "made", *names, "depth error µm"):
        table.add_column(head, justify="left" if not head else "right")
    for one in entries:
        cells = [
            f"{one.record.values[name]:.6g}"
            + (f" ({one.pulls[name]:+.1f} σ)" if name in one.pulls else "")
            if name in one.record.values
            else ""
            for name in names
        ]
        made = f"{one.record.when:%Y-%m-%d %H:%M}"
        table.add_row(escape(one.name), made, *cells, f"{one.record.depth_error_um:.2g}")
    return table


def show_report(
    reporter: Reporter, report: CalibrationReport, output: Path, figure: Path | None
) -> None:
    """Show what a calibration found."""
    from lauedepth.tasks.calibrate import common_line  # noqa: PLC0415

    for warning in report.warnings:
        reporter.warn(warning)
    scans: list[dict[str, Any]] = [
        {
            "name": scan.name,
            "shift_mm": scan.shift_mm,
            "pixels": len(scan),
            "found": int(scan.found.sum()),
            "used": int(scan.used.sum()),
        }
        for scan in report.scans
    ]
    values = fit_values(report.fit) | {
        "output": output,
        "figure": figure,
        "sample_depth_um": report.sample_depth_um,
        "depth_error_um": report.depth_error_um,
        "common_errors_um": {one.cause: one.depth_um for one in report.common},
        "scans": scans,
        "warnings": report.warnings,
    }
    used = ", ".join(f"{one['used']} of {one['pixels']} pixels of {one['name']}" for one in scans)
    table = fit_table(report.fit)
    table.title = escape(f"{output}: calibrated with {used}")
    table.caption = (
        f"depths get an error of {report.depth_error_um:.2g} µm from this\n{common_line(report)}"
    )
    reporter.show("result", values, table)


def show_forecast(reporter: Reporter, expected: Forecast) -> None:
    """Show what planned scans would give."""
    seen = ", ".join(str(number) for number in expected.pixels)
    table = fit_table(expected.fit)
    table.title = f"with {seen} pixels of {expected.peak_counts:g} counts per frame"
    table.caption = f"depths would get an error of {expected.depth_error_um:.2g} µm from this"
    values = fit_values(expected.fit) | {
        "pixels": expected.pixels,
        "shifts_mm": expected.shifts_mm,
        "peak_counts": expected.peak_counts,
        "depth_error_um": expected.depth_error_um,
    }
    reporter.show("plan", values, table)


def fit_values(fit: PoseFit) -> dict[str, object]:
    """Return a fit as values for programs."""
    return {
        "parameters": {
            one.name: {"value": one.value, "error": one.error, "held": not one.determined}
            for one in fit.parameters
        },
        "covariance": fit.covariance,
        "correlation": fit.correlation,
        "singular_values": fit.singular_values,
        "directions": fit.directions,
        "held": [{"name": held.name, "direction": held.direction} for held in fit.held],
        "reduced_chi_square": fit.reduced_chi_square,
        "degrees_of_freedom": fit.freedom,
    }


def fit_table(fit: PoseFit) -> Table:
    """Return a fit as a table for people."""
    table = Table(box=None, pad_edge=False)
    for head in ("", "start", "value", "error"):
        table.add_column(head, justify="left" if not head else "right")
    for one in fit.parameters:
        error = f"{one.error:.2g}" if one.determined else "held"
        table.add_row(one.name, f"{one.start:.6g}", f"{one.value:.7g}", error)
    for held in fit.held:
        table.add_row(f"[dim]held: {held.name}[/]")
    return table
