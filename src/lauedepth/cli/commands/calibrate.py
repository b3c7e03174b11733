"""The command ``calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lauedepth.cli import options
from lauedepth.cli.reporting import Reporter, Tell, reporter_for
from lauedepth.core.errors import ConfigurationError

if TYPE_CHECKING:
    from lauedepth.calibration import Calibration, PoseFit
    from lauedepth.config import ExperimentConfig
    from lauedepth.tasks.reconstruct import Pixels


def register(app: typer.Typer) -> None:
    """Add the command to a program."""
    app.command()(calibrate)


def calibrate(
    points: Annotated[
        list[Path] | None, typer.Argument(metavar="POINT...", help=options.POINT_HELP)
    ] = None,
    *,
    experiment: options.ExperimentFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The calibrated experiment."),
    ] = None,
    shift_mm: Annotated[
        list[float] | None,
        typer.Option(
            "--shift-mm", help="Displacement of the aperture in each scan, in order of POINT."
        ),
    ] = None,
    sample_depth: Annotated[
        float, typer.Option("--sample-depth", metavar="UM", help="Depth of the sample's middle.")
    ] = 0.0,
    fit: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="What to fit: pose (all six) or some of its parameters by name, step, "
            "scan-direction, thickness, widening, sample-depth.",
        ),
    ] = "pose",
    pixels: options.PixelChoice = None,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw before and after (PNG, PDF or SVG)."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Tell how well planned scans would fix the pose."),
    ] = False,
    memory: options.Memory = 2.0,
    as_json: options.AsJson = False,
) -> None:
    """Find where the aperture stands, from scans of a thin sample at a known depth.

    Pixels are chosen by themselves: bright, unsaturated and spread over the detector.
    """
    reporter = reporter_for(as_json)
    config = options.load_and_tell(reporter, experiment)
    names = [name.strip() for name in fit.split(",") if name.strip()]
    shifts = shift_mm or []
    if dry_run:
        _plan(reporter, config, shifts or [0.0], names, sample_depth)
        return
    if not points or output is None:
        raise ConfigurationError(
            "needs at least one POINT and --output", remedy="or --dry-run to plan a scan"
        )
    if figure is not None:
        options.refuse_format(figure)
    if output.resolve() in {point.resolve() for point in points}:
        raise ConfigurationError("a scan would be overwritten", str(output), "name another file")
    with reporter.progress("calibration") as progress:
        found = _find(
            points,
            config,
            shifts,
            names,
            sample_depth,
            options.pixels_of(pixels, config),
            int(memory * 2**30),
            progress,
        )
    _write(config, found, points, output, figure)
    for warning in found.warnings:
        reporter.warn(warning)
    _tell(reporter, config, found, output, figure)


def _find(
    points: list[Path],
    config: ExperimentConfig,
    shifts_mm: list[float],
    names: list[str],
    sample_depth_um: float,
    pixels: Pixels | None,
    memory_bytes: int,
    progress: Tell,
) -> Calibration:
    from lauedepth.calibration import calibrate, parameters_named  # noqa: PLC0415
    from lauedepth.tasks.calibrate import read_scans  # noqa: PLC0415

    parameters_named(names)  # refuses unknown ones before anything is read
    scans = read_scans(
        points, config, shifts_mm, pixels=pixels, memory_bytes=memory_bytes, progress=progress
    )
    return calibrate(
        config.to_core(), scans, fit=names, sample_depth_um=sample_depth_um, progress=progress
    )


def _write(
    config: ExperimentConfig,
    found: Calibration,
    points: list[Path],
    output: Path,
    figure: Path | None,
) -> None:
    from lauedepth.tasks.calibrate import write_calibration  # noqa: PLC0415

    write_calibration(output, config, found, points)
    if figure is not None:
        from lauedepth.figures.calibration import plot_calibration  # noqa: PLC0415
        from lauedepth.figures.style import save_figure  # noqa: PLC0415

        save_figure(plot_calibration(found), figure)


def _tell(
    reporter: Reporter,
    config: ExperimentConfig,
    found: Calibration,
    output: Path,
    figure: Path | None,
) -> None:
    from lauedepth.tasks.calibrate import fit_values  # noqa: PLC0415

    values = fit_values(found.fit) | {
        "output": output,
        "figure": figure,
        "sample_depth_um": found.sample_depth_um,
        "depth_error_um": found.depth_error_um,
        "scans": [
            {"name": scan.name, "shift_mm": scan.shift_mm}
            | {"pixels": scan.used.size, "found": int(scan.found.sum())}
            | {"used": int(scan.used.sum())}
            for scan in found.scans
        ],
        "warnings": found.warnings,
    }
    used = ", ".join(
        f"{int(scan.used.sum())} of {scan.used.size} pixels of {scan.name}" for scan in found.scans
    )
    table = _table(found.fit, config)
    table.title = escape(f"{output}: calibrated with {used}")
    table.caption = f"depths get an error of {found.depth_error_um:.2g} µm from this"
    reporter.show("result", values, table)


def _table(fit: PoseFit, config: ExperimentConfig) -> Table:
    start = config.pose.model_dump() | config.aperture.model_dump()
    table = Table(box=None, pad_edge=False)
    for head in ("", "start", "value", "error"):
        table.add_column(head, justify="left" if not head else "right")
    for name, value, error, told in zip(fit.names, fit.values, fit.errors, fit.told, strict=True):
        before = f"{start[name]:.6g}" if name in start else ""
        table.add_row(name, before, f"{value:.7g}", f"{error:.2g}" if told else "held")
    for held in fit.held:
        table.add_row(f"[dim]held: {held.name}[/]")
    return table


def _plan(
    reporter: Reporter,
    config: ExperimentConfig,
    shifts_mm: list[float],
    names: list[str],
    sample_depth_um: float,
) -> None:
    from lauedepth.calibration import plan  # noqa: PLC0415
    from lauedepth.tasks.calibrate import fit_values  # noqa: PLC0415

    outlook = plan(config.to_core(), shifts_mm, fit=names, sample_depth_um=sample_depth_um)
    table = _table(outlook.fit, config)
    seen = ", ".join(str(number) for number in outlook.pixels)
    table.title = f"with {seen} pixels of {outlook.peak_counts:g} counts a frame"
    table.caption = f"depths would get an error of {outlook.depth_error_um:.2g} µm from this"
    values = fit_values(outlook.fit) | {
        "pixels": outlook.pixels,
        "shifts_mm": shifts_mm,
        "peak_counts": outlook.peak_counts,
        "depth_error_um": outlook.depth_error_um,
    }
    reporter.show("plan", values, table)
