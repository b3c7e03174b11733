"""The command ``check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from lauedepth.cli import options
from lauedepth.cli.agreement import report_agreement, report_pose
from lauedepth.cli.decoders import report_decoder
from lauedepth.cli.reporting import Reporter, facts, reporter_for
from lauedepth.core.errors import ConfigurationError

if TYPE_CHECKING:
    from lauedepth.config import ExperimentConfig
    from lauedepth.core.decoding.decoder import Decoder
    from lauedepth.io import Point
    from lauedepth.tasks.reconstruct import Estimate


def register(app: typer.Typer) -> None:
    """Add the command to a program."""
    app.command()(check)


def check(
    points: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[POINT|RESULT]...",
            help=f"{options.POINT_HELP} Or a result, to check against its pose.",
        ),
    ] = None,
    *,
    experiment: Annotated[
        Path | None,
        typer.Option(
            "--experiment",
            "-e",
            metavar="FILE",
            help="The experiment (YAML); a result holds its own.",
        ),
    ] = None,
    point: Annotated[
        Path | None,
        typer.Option(metavar="POINT", help="Where the point of a RESULT is now, if it has moved."),
    ] = None,
    backend: options.BackendName = "auto",
    method: options.Method = None,
    pixels: options.PixelChoice = None,
    energy: options.WithEnergy = False,
    pose: Annotated[
        bool,
        typer.Option("--pose", help="Check whether the points agree with the aperture's pose."),
    ] = False,
    memory: options.Memory = 2.0,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Check an experiment and points before decoding, or a result against its aperture pose."""
    from lauedepth.tasks.check_result import is_result  # noqa: PLC0415

    given = points or []
    results = [path for path in given if is_result(path)]
    left = [path for path in given if path not in results]
    reporter, memory_bytes = reporter_for(as_json, quiet), int(memory * 2**30)
    if experiment is None and (left or not results):
        raise ConfigurationError("no experiment given", "--experiment", "give its YAML file")
    if point is not None and len(results) != 1:
        raise ConfigurationError(
            f"{len(results)} results given", "--point", "give exactly one RESULT"
        )
    if experiment is not None:
        config = options.load_and_report(reporter, experiment, method, energy)
        _report_experiment(reporter, experiment, config)
        if left:
            _check_points(reporter, left, config, backend, pixels, pose, memory_bytes)
    for path in results:
        report_agreement(reporter, path, point, memory_bytes)


def _check_points(
    reporter: Reporter,
    points: list[Path],
    config: ExperimentConfig,
    backend: str,
    pixels: str | None,
    pose: bool,
    memory_bytes: int,
) -> None:
    """Report what reconstructing points would take and, if asked, whether the pose holds."""
    import numpy as np  # noqa: PLC0415

    from lauedepth.core.decoding.registry import choose_decoder  # noqa: PLC0415
    from lauedepth.tasks.parallel.memory import rank_memory  # noqa: PLC0415
    from lauedepth.tasks.reconstruct import (  # noqa: PLC0415
        estimate_point,
        fit_to_point,
        open_for,
        start_decoder,
        with_threshold,
    )

    chosen = options.pixels_of(pixels, config)
    choice = choose_decoder(backend, config.decode.method)
    decoder = choice.decoder
    mask = chosen if isinstance(chosen, np.ndarray) else None
    config = with_threshold(config, chosen)
    with reporter.progress("decoder") as progress:
        start_decoder(
            decoder,
            config.to_core(),
            config.decode_options(),
            lambda done, total: progress("compile", done, total),
        )
    report_decoder(reporter, choice, config)
    for path in points:
        fitted = fit_to_point(config, path)
        with open_for(fitted, path) as point:
            estimate = estimate_point(point, fitted, decoder, mask, memory_bytes)
            rank_bytes = rank_memory(point, memory_bytes, decoder)
            _report_point(reporter, point, estimate, decoder, rank_bytes)
            found = (*fitted.notices, *point.notices, *estimate.conclusion.notices)
            options.report_notices(reporter, found, config.notices)
            if pose:
                report_pose(reporter, point, fitted, memory_bytes)


def _report_experiment(reporter: Reporter, path: Path, config: ExperimentConfig) -> None:
    core = config.to_core()
    depths, frames = core.depths, core.frames
    columns_of, rows_of = core.detector.shape
    rows = {
        "frames": f"{len(frames)} ({frames.first}...{frames.stop - 1}, every {frames.stride})",
        "detector": f"{rows_of} rows × {columns_of} columns {core.detector.name}",
        "aperture": f"{len(core.aperture.code)} bits, {core.aperture.length_um:g} µm long",
        "step": f"{core.motion.step_um:g} µm per frame",
        "depths": f"{len(depths)} from {depths.start_um:g} µm in steps of {depths.step_um:g} µm",
        "method": config.decode.method,
        "threshold": f"mean of {config.selection.min_mean_counts:g} counts per frame",
    }
    values = {"path": path, "valid": True, "configuration": config.model_dump(mode="json")}
    reporter.show("experiment", values, facts(rows, f"{escape(str(path))}: valid"))


def _report_point(
    reporter: Reporter, point: Point, estimate: Estimate, decoder: Decoder, rank_bytes: int
) -> None:
    frames, rows, columns = point.shape
    lost = int((~point.usable).sum())
    region = point.region
    shown = {
        "frames": f"{frames} of {rows} rows × {columns} columns, {point.dtype}",
        "lost frames": lost,
        "region": f"from row {region.start[1]}, column {region.start[0]}, "
        f"binned {region.binning[1]} × {region.binning[0]}",
        "pixels to decode": f"about {estimate.pixels}, in {estimate.blocks} blocks",
        "memory": f"about {estimate.memory_bytes / 2**30:.1f} GiB "
        f"for {estimate.input_bytes / 2**30:.2f} GiB of frames",
        "memory per MPI rank": f"about {rank_bytes / 2**30:.1f} GiB",
        "reading": f"about {estimate.read_seconds:.0f} s, in {estimate.readings} bands of rows",
        "decoding": f"about {estimate.decode_seconds:.0f} s with backend {decoder.name} "
        f"({estimate.pixels_per_second:.0f} pixels/s)",
    }
    values = {"path": point.path, "shape": point.shape, "lost_frames": lost}
    values |= {"backend": decoder.name, "rank_memory_bytes": rank_bytes}
    if estimate.conclusion.verdict.chosen:
        shown["of a sample"] = str(estimate.conclusion.verdict)
    title = f"{escape(str(point.path))}: can be reconstructed"
    reporter.show("point", values | vars(estimate), facts(shown, title))
