"""The command ``simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from lauedepth.cli import options
from lauedepth.cli.reporting import reporter_for
from lauedepth.core.errors import ConfigurationError


def register(app: typer.Typer) -> None:
    """Add the command to a program."""
    app.command()(simulate)


def simulate(
    *,
    experiment: options.ExperimentFile,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder for the scan.")
    ],
    sample: Annotated[
        Path | None,
        typer.Option(
            "--sample", "-s", metavar="FILE", help="Sample, scan and instrument flaws (YAML)."
        ),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Use a measured frame as the light source."),
    ] = None,
    layout: Annotated[
        Literal["stack", "series"], typer.Option(help="One file per point, or one per frame.")
    ] = "stack",
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Points are named NAME_0001 and so on.")
    ] = "point",
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="NUMBER", help="Seed of the random numbers.")
    ] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Simulate a scan: points as the beamline writes them, with the ground truth."""
    from lauedepth.tasks.simulate.config import SimulationConfig, load_simulation  # noqa: PLC0415
    from lauedepth.tasks.simulate.scan_files import simulated_points, write_scan  # noqa: PLC0415

    options.refuse_path(name, "--name")
    reporter = reporter_for(as_json, quiet)
    config = options.load_and_report(reporter, experiment)
    simulation = SimulationConfig() if sample is None else load_simulation(sample)
    if seed is not None:
        simulation = simulation.model_copy(update={"seed": seed})
    if image is not None and simulation.scan.n_x * simulation.scan.n_y > 1:
        raise ConfigurationError(
            "an image gives one point, but the scan has more", str(sample), "remove scan"
        )
    points = simulated_points(
        simulation,
        config.to_core(),
        folder=sample.parent if sample else Path(),
        image=image,
    )
    with reporter.progress("scan") as progress:
        written = write_scan(
            points,
            output,
            config,
            name=name,
            storage=layout,
            records=simulation.to_records(),
            progress=lambda point, done, total: progress(f"simulating {point}", done, total),
        )
    values = {"output": output, "points": written, "seed": simulation.seed}
    reporter.show("result", values, f"{len(written)} points in {escape(str(output))}")
