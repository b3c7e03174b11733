"""The command ``inspect``."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.markup import escape

from lauedepth.cli import options
from lauedepth.cli.reporting import facts, reporter_for
from lauedepth.core.errors import ConfigurationError

if TYPE_CHECKING:
    from lauedepth.core.decoding.inspected import InspectedPixel

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 72


def register(app: typer.Typer) -> None:
    """Add the command to a program."""
    app.command()(inspect)


def inspect(
    point: Annotated[Path, typer.Argument(metavar="POINT", help=options.POINT_HELP)],
    *,
    experiment: options.ExperimentFile,
    pixel: Annotated[
        str, typer.Option("--pixel", metavar="ROW,COLUMN", help="Image pixel, counted from 0.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Figure (PNG, PDF or SVG)."),
    ] = None,
    backend: options.BackendName = "auto",
    method: options.Method = None,
    energy: options.WithEnergy = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Decode one pixel and show its trace, the fit and its footprint."""
    from lauedepth.core.decoding.registry import choose_decoder  # noqa: PLC0415
    from lauedepth.tasks.reconstruct import fit_to_point, inspect_pixel, open_for  # noqa: PLC0415

    row, column = _row_and_column(pixel)
    if output is not None:
        options.refuse_format(output)
    reporter = reporter_for(as_json, quiet)
    config = options.load_and_report(reporter, experiment, method, energy)
    decoder = choose_decoder(backend, config.decode.method).decoder
    fitted = fit_to_point(config, point)
    with open_for(fitted, point) as opened:
        found = inspect_pixel(opened, fitted, decoder, row, column)
        options.report_notices(reporter, (*fitted.notices, *opened.notices), config.notices)
    if output is not None:
        from lauedepth.figures.pixel import plot_pixel  # noqa: PLC0415
        from lauedepth.figures.style import save_figure  # noqa: PLC0415

        save_figure(plot_pixel(found), output)
    text = Group(facts(_rows(found), f"{escape(str(point))}: pixel {row},{column}"), *_bars(found))
    reporter.show("pixel", vars(found) | {"point": point, "figure": output}, text)


def _row_and_column(text: str) -> tuple[int, int]:
    row, _, column = text.partition(",")
    try:
        return int(row), int(column)
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is not a pixel", "--pixel", "give ROW,COLUMN, for example 812,1040"
        ) from None


def _rows(found: InspectedPixel) -> dict[str, object]:
    rows: dict[str, object] = {
        "status": found.status,
        "detector": f"row {found.detector_row:g}, column {found.detector_column:g}",
        "mean": f"{found.counts[found.usable].mean():.1f} counts per frame",
        "background": f"{found.background:.1f} counts per frame",
    }
    if isfinite(found.residual):
        rows["residual"] = f"{found.residual:.2f} chi-square per degree of freedom"
    for number, one in enumerate(found.found, 1):
        which = f" {number}" if len(found.found) > 1 else ""
        rows[f"depth{which}"] = one.depth_text()
        rows[f"width{which}"] = f"{one.width_um:.1f} µm"
        rows[f"intensity{which}"] = f"{one.intensity:.1f} counts per frame"
        rows[f"code position{which}"] = f"{one.mask_position_um:.2f} µm at frame 0"
        if isfinite(one.energy_kev):
            rows[f"energy{which}"] = f"{one.energy_kev:.2f} keV"
        if one.flags:
            rows[f"flags{which}"] = ", ".join(one.flags)
    return rows


def _bars(found: InspectedPixel) -> list[str]:
    """Return trace, fit and footprints as rows of block characters."""
    lines = [f"trace      {_sparkline(found.counts.tolist())}"]
    if found.fit is not None:
        lines.append(f"fit        {_sparkline(found.fit.tolist())}")
    for one in found.found:
        span = f"{one.depths_um[0]:g}...{one.depths_um[-1]:g} µm"
        lines.append(f"footprint  {_sparkline(one.footprint.tolist())}  {span}")
    return lines


def _sparkline(values: list[float]) -> str:
    """Return values as block characters; long series are averaged."""
    size = -(-len(values) // WIDTH)
    parts = [values[first : first + size] for first in range(0, len(values), size)]
    means = [sum(part) / len(part) for part in parts]
    low, high = min(means), max(means)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(BLOCKS[round((mean - low) * scale)] for mean in means)
