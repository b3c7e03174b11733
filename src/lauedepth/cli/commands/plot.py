"""The command ``plot``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from lauedepth.cli import options
from lauedepth.cli.reporting import reporter_for
from lauedepth.cli.views import view_of
from lauedepth.core.errors import ConfigurationError


def register(app: typer.Typer) -> None:
    """Add the command to a program."""
    app.command()(plot)


def plot(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="A result file.")],
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The figure: PNG, PDF or SVG; for an animation GIF.",
        ),
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
            "animation",
        ],
        typer.Option(help="What to plot."),
    ] = "overview",
    depth: Annotated[
        list[float] | None,
        typer.Option(metavar="UM", help="Depth of a slice, µm; may be repeated."),
    ] = None,
    zoom: Annotated[
        str | None,
        typer.Option(
            metavar="ROWS,COLUMNS", help="Part of the image, such as 100:300,0:250; ends excluded."
        ),
    ] = None,
    limits: Annotated[
        str | None,
        typer.Option(
            metavar="LOW:HIGH", help="Values at the ends of the colours; one may be missing."
        ),
    ] = None,
    colour_map: Annotated[
        str | None, typer.Option(metavar="NAME", help="One of matplotlib's colour maps.")
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

    options.refuse_format(output, (".gif",) if kind == "animation" else options.FIGURES)
    view = view_of(zoom, limits, colour_map)
    reporter = reporter_for(as_json, quiet)
    opened = read_result(result)
    if kind == "animation":
        from lauedepth.figures.animation import save_animation  # noqa: PLC0415

        if depth:
            raise ConfigurationError(
                "the kind animation shows all depths", "--depth", "leave it out"
            )
        save_animation(opened, output, view, dpi)
    elif kind == "instrument":
        if any(choice is not None for choice in (zoom, limits, colour_map)) or depth:
            raise ConfigurationError("the kind instrument takes no depth, part or colours")
        save_figure(plot_instrument(opened), output, dpi)
    else:
        save_figure(plot_result(opened, kind, depth or (), view), output, dpi)
    reporter.show("result", {"result": result, "figure": output}, escape(str(output)))
