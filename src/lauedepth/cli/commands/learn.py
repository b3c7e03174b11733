"""The command ``learn``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from lauedepth.cli import options
from lauedepth.cli.reporting import Reporter, reporter_for

if TYPE_CHECKING:
    from lauedepth.tasks.learn import Learnt


def register(app: typer.Typer) -> None:
    """Add the command to a program."""
    app.command()(learn)


def learn(
    points: Annotated[list[Path], typer.Argument(metavar="POINT...", help=options.POINT_HELP)],
    *,
    experiment: options.ExperimentFile,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The instrument (HDF5)."),
    ],
    backend: options.BackendName = "auto",
    pixels: options.PixelChoice = None,
    memory: options.Memory = 2.0,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Learn the aperture as it is from some points, for all that are measured with it.

    Name the file in the experiment (instrument: {learn: auto, file: FILE}); points then learn
    only motion and beam anew.
    """
    from lauedepth.core.decoding.registry import choose_decoder  # noqa: PLC0415
    from lauedepth.tasks.learn import learn_points  # noqa: PLC0415

    reporter = reporter_for(as_json, quiet)
    config = options.load_and_report(reporter, experiment)
    decoder = choose_decoder(backend, "footprint").decoder
    with reporter.progress("learn") as progress:
        learn_points(
            points,
            config,
            output,
            decoder,
            pixels=options.pixels_of(pixels, config),
            memory_bytes=int(memory * 2**30),
            report=lambda told: _report(reporter, told),
            progress=progress,
        )
    reporter.show("summary", {"output": output}, f"wrote {escape(str(output))}")


def _report(reporter: Reporter, told: Learnt) -> None:
    options.report_notices(reporter, told.notices)
    if told.pixels_used:
        text = (
            f"{told.pixels_used} pixels, chi-square per degree of freedom "
            f"{told.misfit_before:.2f} → {told.misfit_after:.2f}, "
            f"{told.edges_seen:.0%} of the edges known"
        )
    else:
        text = "nothing learnt"
    reporter.show("result", vars(told), f"[bold]{escape(str(told.point))}[/]: {text}")
