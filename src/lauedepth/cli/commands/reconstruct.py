"""The command ``reconstruct``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from lauedepth.cli import options
from lauedepth.cli.decoders import report_passed_over
from lauedepth.cli.ranks import ranks_of_launcher, reporter_of
from lauedepth.cli.reporting import Reporter, report_error
from lauedepth.core.errors import ConfigurationError, OutputError
from lauedepth.core.notices import Notice

if TYPE_CHECKING:
    from lauedepth.config import ExperimentConfig
    from lauedepth.tasks.parallel.team import Team
    from lauedepth.tasks.reconstruct import Pixels, Summary

Points = Annotated[list[Path], typer.Argument(metavar="POINT...", help=options.POINT_HELP)]
Output = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="PATH", help="Result file of one point; folder for several."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to a program."""
    app.command()(reconstruct)


def reconstruct(
    points: Points,
    *,
    experiment: options.ExperimentFile,
    output: Output,
    backend: options.BackendName = "auto",
    method: options.Method = None,
    pixels: options.PixelChoice = None,
    energy: options.WithEnergy = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume what a stopped run left.")
    ] = False,
    carry: Annotated[
        Path | None,
        typer.Option(
            "--carry",
            metavar="FILE",
            help="Begin with what earlier points told of the aperture, and add to it.",
        ),
    ] = None,
    memory: options.Memory = 2.0,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Reconstruct points: depth-resolved images and a table of pixels.

    One bad point does not stop the others; the exit code is 1 then. Started by mpiexec or
    srun, all ranks work on one point after the other.
    """
    with ranks_of_launcher() as team:

        def prepare() -> _Task:
            config = options.load(experiment, method, energy)
            chosen = options.pixels_of(pixels, config)
            return _Task(config, chosen, outputs_for(points, output))

        task = prepare() if team is None else team.agree(prepare)
        reporter, failed = reporter_of(team, as_json, quiet), 0
        options.report_notices(reporter, task.config.notices)
        name, one = _runner(team, backend, task.config, reporter)
        for point, result in zip(points, task.outputs, strict=True):
            values = {"point": point, "output": result, "backend": name}
            reporter.show(
                "start",
                values | {"method": task.config.decode.method},
                f"[bold]{escape(str(point))}[/] → {escape(str(result))}  (backend {name})",
            )
            try:
                with reporter.progress(point.name) as report:
                    summary = one(
                        point_path=point,
                        output=result,
                        pixels=task.pixels,
                        resume=resume,
                        progress=report,
                        memory_bytes=int(memory * 2**30),
                        carry=carry,
                    )
            except Exception as error:
                if len(points) == 1 or (team is not None and team.broken):
                    raise
                failed += 1
                if team is None or team.is_first:
                    report_error(error, as_json)
            else:
                _report_result(reporter, summary, task.config.notices)
        _report_all(reporter, len(points), failed)


@dataclass(frozen=True)
class _Task:
    """What the command line asks for."""

    config: ExperimentConfig
    pixels: Pixels | None
    outputs: list[Path]


def _runner(
    team: Team | None, backend: str, config: ExperimentConfig, reporter: Reporter
) -> tuple[str, Callable[..., Summary]]:
    """Return the backend's name and what reconstructs one point, alone or with other ranks."""
    if team is None:
        from lauedepth.core.decoding.registry import choose_decoder  # noqa: PLC0415
        from lauedepth.tasks.reconstruct import reconstruct_point  # noqa: PLC0415

        chosen = choose_decoder(backend, config.decode.method)
        report_passed_over(reporter, [one for one in chosen.passed_over if one.installed])
        decoder = chosen.decoder
        return decoder.name, partial(reconstruct_point, config=config, backend=decoder)
    from lauedepth.tasks.parallel.equipment import equip_ranks  # noqa: PLC0415
    from lauedepth.tasks.parallel.ranks import reconstruct_together  # noqa: PLC0415

    equipment = equip_ranks(team, backend, config.decode.method)
    report_passed_over(reporter, [one for one in equipment.passed_over if one.installed])
    return equipment.backends, partial(reconstruct_together, team, equipment, config=config)


def _report_all(reporter: Reporter, points: int, failed: int) -> None:
    """Report how many of several points went well, and end with a failure if not all did."""
    if points > 1:
        done = points - failed
        text = f"{done} of {points} points done"
        reporter.show("summary", {"points": points, "done": done, "failed": failed}, text)
    if failed:
        raise typer.Exit(1)


def outputs_for(points: list[Path], output: Path) -> list[Path]:
    """Return the result file of each point.

    Raises
    ------
    ConfigurationError
        Two points would have the same result.
    OutputError
        The folder cannot be made.
    """
    if len(points) == 1 and not output.is_dir():
        return [output]
    results = [output / f"{point.stem if point.is_file() else point.name}.h5" for point in points]
    for number, result in enumerate(results):
        if result in results[:number]:
            raise ConfigurationError(
                f"two points are called {result.stem}", str(output), "reconstruct them one by one"
            )
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot be created: {(error.strerror or str(error)).lower()}", str(output)
        ) from error
    return results


def _report_result(reporter: Reporter, summary: Summary, shown: Iterable[Notice] = ()) -> None:
    options.report_notices(reporter, summary.notices, shown)
    counted = ", ".join(f"{number} {name}" for name, number in summary.statuses.items())
    seconds = ", ".join(f"{name} {value:.1f} s" for name, value in summary.seconds.items())
    text = f"  {summary.pixels} pixels: {counted or 'none'}; {summary.depths_found} depths"
    if summary.resumed_blocks:
        text += f"; {summary.resumed_blocks} of {summary.blocks} blocks were there already"
    if summary.verdict is not None:
        text += f"\n  {summary.verdict}"
    reporter.show("result", vars(summary), f"{text}\n  [dim]{seconds}[/]" if seconds else text)
