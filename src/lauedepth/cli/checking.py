"""The command ``check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from lauedepth.cli import options
from lauedepth.cli.reporting import Reporter, facts, reporter_for

if TYPE_CHECKING:
    from lauedepth.config import ExperimentConfig
    from lauedepth.io import Point
    from lauedepth.reconstruct import Estimate


def register(app: typer.Typer) -> None:
    """Add the command to a program."""
    app.command()(check)


def check(
    points: Annotated[
        list[Path] | None, typer.Argument(metavar="[POINT]...", help=options.POINT_HELP)
    ] = None,
    *,
    experiment: options.ExperimentFile,
    backend: options.BackendName = "auto",
    method: options.Method = None,
    pixels: options.PixelChoice = None,
    energy: options.WithEnergy = False,
    pose: Annotated[
        bool,
        typer.Option("--pose", help="See whether the points agree with the aperture's pose."),
    ] = False,
    memory: options.Memory = 2.0,
    as_json: options.AsJson = False,
) -> None:
    """Check an experiment and points, and estimate memory and time, before any work."""
    reporter = reporter_for(as_json)
    config = options.load(experiment, method, energy)
    _tell_experiment(reporter, experiment, config)
    if not points:
        return
    import numpy as np  # noqa: PLC0415

    from lauedepth.core.backends.registry import choose_backend  # noqa: PLC0415
    from lauedepth.io import open_point  # noqa: PLC0415
    from lauedepth.parallel.ranks import rank_memory  # noqa: PLC0415
    from lauedepth.reconstruct import (  # noqa: PLC0415
        compile_backend,
        estimate_point,
        with_threshold,
    )

    chosen, decoder = options.pixels_of(pixels, config), choose_backend(backend)
    mask = chosen if isinstance(chosen, np.ndarray) else None
    config = with_threshold(config, chosen)
    core = config.to_core()
    with reporter.progress("decoder") as tell:
        compile_backend(
            decoder,
            core,
            config.decode_options(),
            lambda done, total: tell("compile", done, total),
        )
    for path in points:
        with open_point(
            path,
            config.data.key,
            core.frames,
            detector=core.detector,
            first_number=config.data.first_number,
        ) as point:
            estimate = estimate_point(point, config, decoder, mask, int(memory * 2**30))
            _tell_point(
                reporter, point, estimate, decoder.name, rank_memory(point, int(memory * 2**30))
            )
            if pose:
                _tell_pose(reporter, point, config, int(memory * 2**30))


def _tell_experiment(reporter: Reporter, path: Path, config: ExperimentConfig) -> None:
    core = config.to_core()
    depths, frames = core.depths, core.frames
    rows = {
        "frames": f"{len(frames)} ({frames.first}...{frames.stop - 1}, every {frames.stride})",
        "detector": f"{core.detector.shape[0]} × {core.detector.shape[1]} {core.detector.name}",
        "aperture": f"{len(core.aperture.code)} bits, {core.aperture.length_um:g} µm long",
        "step": f"{core.motion.step_um:g} µm a frame",
        "depths": f"{len(depths)} from {depths.start_um:g} µm by {depths.step_um:g} µm",
        "method": config.decode.method,
        "threshold": f"mean of {config.selection.min_mean_counts:g} counts a frame",
    }
    values = {"path": path, "valid": True, "configuration": config.model_dump(mode="json")}
    reporter.show("experiment", values, facts(rows, f"{escape(str(path))}: valid"))


def _tell_point(
    reporter: Reporter, point: Point, estimate: Estimate, backend: str, rank_bytes: int
) -> None:
    frames, rows, columns = point.shape
    lost = int((~point.usable).sum())
    region = point.region
    told = {
        "frames": f"{frames} of {rows} rows × {columns} columns, {point.dtype}",
        "lost frames": lost,
        "region": f"from column {region.start[0]}, row {region.start[1]}, "
        f"binned {region.binning[0]} × {region.binning[1]}",
        "pixels to decode": f"about {estimate.pixels} in {estimate.blocks} blocks",
        "memory": f"about {estimate.memory_bytes / 2**30:.1f} GiB "
        f"for {estimate.input_bytes / 2**30:.2f} GiB of frames",
        "memory of each MPI rank": f"about {rank_bytes / 2**30:.1f} GiB",
        "reading": f"about {estimate.read_seconds:.0f} s in {estimate.readings} bands",
        "decoding": f"about {estimate.decode_seconds:.0f} s on backend {backend} "
        f"({estimate.pixels_per_second:.0f} pixels/s)",
    }
    values = {"path": point.path, "shape": point.shape, "lost_frames": lost, "backend": backend}
    values["rank_memory_bytes"] = rank_bytes
    title = f"{escape(str(point.path))}: can be reconstructed"
    reporter.show("point", values | vars(estimate), facts(told, title))


def _tell_pose(
    reporter: Reporter, point: Point, config: ExperimentConfig, memory_bytes: int
) -> None:
    """Compare how fast bright traces advance along the code with what the pose foretells."""
    from lauedepth.calibrate import read_scan  # noqa: PLC0415
    from lauedepth.calibration import check_pose  # noqa: PLC0415

    with reporter.progress(point.path.name) as tell:
        scan = read_scan(point, config, memory_bytes=memory_bytes, progress=tell)
    told = check_pose(config.to_core(), scan)
    for warning in told.warnings:
        reporter.warn(warning, str(point.path))
    rows = {
        "traces on the code": f"{told.pixels} of {len(scan)} bright ones",
        "turn about the bars": f"{told.turn_deg:+.3f} ± {told.turn_error_deg:.3f}°",
        "change of the step": f"{told.stretch_percent:+.3f} ± {told.stretch_error_percent:.3f} %",
    }
    title = f"{escape(str(point.path))}: the pose {'does not hold' if told.warnings else 'holds'}"
    reporter.show("pose", vars(told) | {"point": point.path}, facts(rows, title))
