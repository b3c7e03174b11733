"""The commands ``validate``, ``export`` and ``schema``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from lauedepth.cli import options
from lauedepth.cli.reporting import reporter_for


def register(app: typer.Typer) -> None:
    """Add the commands to a program."""
    for command in (validate, export, schema):
        app.command()(command)


def validate(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Points, results or exported images.")
    ],
    *,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Check files against their format: exit code 0 if all are valid, 1 otherwise.

    Results are also checked against NeXus' base classes where nexusformat is installed.
    """
    from lauedepth.io import nexus_checker, nexus_problems, validate_file  # noqa: PLC0415

    reporter = reporter_for(as_json, quiet)
    valid = True
    checker = nexus_checker()
    for path in paths:
        reasons = validate_file(path) or nexus_problems(path)
        valid = valid and not reasons
        lines = [f"[red]{escape(str(path))}: {escape(reason)}[/]" for reason in reasons]
        text = "\n".join(lines) if reasons else f"{escape(str(path))}: valid"
        for reason in reasons if quiet else ():
            reporter.warn(escape(reason), escape(str(path)))
        values = {"path": path, "valid": not reasons, "reasons": reasons, "nexus": checker}
        reporter.show("result", values, text)
    if not valid:
        raise typer.Exit(1)


def export(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="A result file.")],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder for the images.")
    ],
    start: Annotated[float | None, typer.Option(metavar="UM", help="First depth, µm.")] = None,
    stop: Annotated[
        float | None, typer.Option(metavar="UM", help="End of the depth range, µm (excluded).")
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Files are named NAME_I.h5; by default after the result."
        ),
    ] = "",
    compress: Annotated[bool, typer.Option(help="Compress with gzip.")] = True,
    image_format: Annotated[
        Literal["h5", "tiff"], typer.Option("--format", help="HDF5, or 32-bit TIFF.")
    ] = "h5",
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Write one image per depth, for LaueGo and laueanalysis or as TIFF."""
    from lauedepth.io import export_depths  # noqa: PLC0415

    if name:
        options.refuse_path(name, "--name")
    reporter = reporter_for(as_json, quiet)
    with reporter.progress(result.name) as progress:
        written = export_depths(
            result,
            output,
            name=name,
            start_um=float("-inf") if start is None else start,
            stop_um=float("inf") if stop is None else stop,
            compress=compress,
            image_format=image_format,
            progress=lambda done, total: progress("export", done, total),
        )
    values = {"output": output, "files": len(written)}
    reporter.show("result", values, f"{len(written)} images in {escape(str(output))}")


def schema(
    *,
    simulation: Annotated[
        bool, typer.Option("--simulation", help="The schema of simulation files instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of experiment files, for editors."""
    if simulation:
        from lauedepth.tasks.simulate.config import simulation_schema  # noqa: PLC0415

        typer.echo(simulation_schema(), nl=False)
        return
    from lauedepth.config.schema import experiment_schema  # noqa: PLC0415

    typer.echo(experiment_schema(), nl=False)
