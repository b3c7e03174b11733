"""The command ``plot``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from lauedepth.cli import options
from lauedepth.cli.reporting import reporter_for


def register(app: typer.Typer) -> None:
    """Add the command to a program."""
    app.command()(plot)


def plot(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="A result file.")],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The figure: PNG, PDF or SVG.")
    ],
    kind: Annotated[
        Literal[
            "overview",
            "sum",
            "depth-map",
            "error",
            "width",
            "energy",
            "residual",
            "status",
            "histogram",
            "profile",
            "slices",
            "instrument",
        ],
        typer.Option(help="What to plot."),
    ] = "overview",
    depth: Annotated[
        list[float] | None,
        typer.Option(metavar="UM", help="Depth of a slice, µm; may be repeated."),
    ] = None,
    dpi: Annotated[
        int,
        typer.Option(
            min=20, max=1200, metavar="NUMBER", help="Dots per inch of PNG, and of maps in PDF."
        ),
    ] = 150,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Plot a result: sums, maps of its pixels, depths found, slices, or the instrument."""
    from lauedepth.figures.instrument import plot_instrument  # noqa: PLC0415
    from lauedepth.figures.results import plot_result  # noqa: PLC0415
    from lauedepth.figures.style import save_figure  # noqa: PLC0415
    from lauedepth.io import read_result  # noqa: PLC0415

    options.refuse_format(output)
    reporter = reporter_for(as_json, quiet)
    opened = read_result(result)
    if kind == "instrument":
        figure = plot_instrument(opened)
    else:
        figure = plot_result(opened, kind, depth or ())
    save_figure(figure, output, dpi)
    reporter.show("result", {"result": result, "figure": output}, escape(str(output)))
