"""Calibration as files: points in, a calibrated experiment out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.calibration import (
    MINIMUM_CONTRAST,
    MINIMUM_PIXELS,
    CalibrationReport,
    PoseFit,
    Scan,
    calibrate,
    coded_contrast,
    parameters_named,
    spot_pixels,
    spread_choice,
)
from lauedepth.config import ExperimentConfig, dump_experiment
from lauedepth.core.arrays import Flags
from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.core.progress import Progress, no_progress, of_stage
from lauedepth.io import Point, publish
from lauedepth.tasks.reconstruct.blocks import plan_blocks, plan_readings, traces_of
from lauedepth.tasks.reconstruct.opening import open_for
from lauedepth.tasks.reconstruct.selection import Pixels, select_pixels, with_threshold

PIXELS: Final = 50
"""Pixels that are chosen in each scan."""
CANDIDATES: Final = 4 * PIXELS
"""Bright pixels among which they are chosen by how clearly they see the code."""
MAXIMUM_MASK_PIXELS: Final = 2000
"""Pixels that a mask may hold: each takes some 50 ms."""
MEMORY_BYTES: Final = 2**31


@dataclass(frozen=True)
class CalibrationRequest:
    """What to calibrate, from which scans, and where to write it.

    Attributes
    ----------
    points : tuple of Path
        Scans of a thin sample.
    config : ExperimentConfig
        The start.
    output : Path
        The calibrated experiment.
    shifts_mm : tuple of float
        How far the aperture was displaced in each scan, beyond the start's own shift.
    fit : tuple of str
        Names of parameters or groups.
    sample_depth_um : float
        Where the middle of the sample is along the beam.
    pixels : float or (ny, nx) bool array, optional
        Minimum mean counts per frame, or a mask of the detector: all its pixels are used.
    memory_bytes : int
        For the frames read at a time.
    """

    points: tuple[Path, ...]
    config: ExperimentConfig
    output: Path
    shifts_mm: tuple[float, ...] = ()
    fit: tuple[str, ...] = ("pose",)
    sample_depth_um: float = 0.0
    pixels: Pixels | None = None
    memory_bytes: int = MEMORY_BYTES


def calibrate_points(
    request: CalibrationRequest, progress: Progress = no_progress
) -> CalibrationReport:
    """Read scans, find where the aperture stands, and write the calibrated experiment.

    Parameters
    ----------
    request : CalibrationRequest
    progress : callable, optional
        Called with (stage, done, total).

    Raises
    ------
    ConfigurationError
        An unknown parameter, not one shift for each point, or a scan would be overwritten.
    InputError
        A point cannot be read, or its traces cannot be calibrated with.
    """
    _refuse_wrong(request)
    scans = read_scans(request, progress)
    report = calibrate(
        request.config.to_core(),
        scans,
        fit=request.fit,
        sample_depth_um=request.sample_depth_um,
        progress=progress,
    )
    write_calibration(request.output, request.config, report, request.points)
    return report


def _refuse_wrong(request: CalibrationRequest) -> None:
    """Refuse what cannot work before anything is read."""
    parameters_named(request.fit)
    points, shifts = len(request.points), len(request.shifts_mm)
    if request.output.resolve() in {point.resolve() for point in request.points}:
        raise ConfigurationError(
            "a scan would be overwritten", str(request.output), "name another file"
        )
    if shifts != points and (points > 1 or shifts > 1):
        raise ConfigurationError(
            f"{points} POINT and {shifts} times --shift-mm",
            "--shift-mm",
            "give one for each point, in order; 0 where the aperture was not displaced",
        )


def read_scans(request: CalibrationRequest, progress: Progress = no_progress) -> list[Scan]:
    """Read calibration scans and choose their pixels."""
    shifts_mm = request.shifts_mm or (0.0,)
    scans = []
    for path, shift_mm in zip(request.points, shifts_mm, strict=True):
        with open_for(request.config, path) as point:
            scans.append(
                read_scan(
                    point,
                    request.config,
                    shift_mm,
                    pixels=request.pixels,
                    memory_bytes=request.memory_bytes,
                    progress=progress,
                )
            )
    return scans


def read_scan(
    point: Point,
    config: ExperimentConfig,
    shift_mm: float = 0.0,
    *,
    pixels: Pixels | None = None,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress = no_progress,
) -> Scan:
    """Choose pixels of an open point and read their traces.

    Parameters
    ----------
    point : Point
    config : ExperimentConfig
    shift_mm : float
        How far the aperture was displaced.
    pixels, memory_bytes
        As in `CalibrationRequest`.
    progress : callable, optional
        Called with (stage, done, total).

    Raises
    ------
    InputError
        It has no pixel to calibrate with.
    """
    if isinstance(pixels, np.ndarray):
        lit = _masked(point, config, pixels)
        traces = _read_traces(point, lit, memory_bytes, progress)
    else:
        lit = _candidates(point, with_threshold(config, pixels), progress)
        traces = _coded(point, _read_traces(point, lit, memory_bytes, progress))
    row, column = point.region.unbinned(traces.row, traces.column)
    return Scan(row, column, traces.counts, point.usable, shift_mm, point.path.name)


@dataclass(frozen=True)
class _Traces:
    """Traces of some image pixels: (n_pixels,) rows and columns, (n_pixels, n_frames) counts."""

    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    counts: npt.NDArray[np.generic]


def _masked(point: Point, config: ExperimentConfig, mask: Flags) -> Flags:
    """Return the image pixels of a mask of the detector."""
    lit = select_pixels(point, config, mask)
    if lit.sum() > MAXIMUM_MASK_PIXELS:
        raise InputError(
            f"the mask holds {int(lit.sum())} pixels of this point",
            str(point.path),
            f"give {MAXIMUM_MASK_PIXELS} at most; 50 are enough",
        )
    return lit


def _candidates(point: Point, config: ExperimentConfig, progress: Progress) -> Flags:
    """Return the brightest pixels, spread over the image."""
    mean = point.mean_image(progress=of_stage(progress, "select"))
    window = config.selection.window(point.region)
    bright = np.zeros(mean.shape, np.bool_)
    bright[window] = spot_pixels(mean, config.selection.min_mean_counts)[window]
    row, column = np.nonzero(bright)
    chosen = spread_choice(row, column, mean[row, column], CANDIDATES, mean.shape)
    lit = np.zeros(mean.shape, np.bool_)
    lit[row[chosen], column[chosen]] = True
    return lit


def _read_traces(point: Point, lit: Flags, memory_bytes: int, progress: Progress) -> _Traces:
    """Read the traces of the pixels chosen."""
    if not lit.any():
        raise InputError(
            "has no pixel to calibrate with", str(point.path), "lower --pixels or give a mask"
        )
    blocks = plan_blocks(lit)
    readings = plan_readings(blocks, point.row_bytes, memory_bytes)
    counts = []
    for number, reading in enumerate(readings):
        band = point.read_rows(reading.row_start, reading.row_stop)
        counts += [traces_of(band, reading.row_start, block) for block in reading.blocks]
        progress("read", number + 1, len(readings))
    return _Traces(
        np.concatenate([block.rows for block in blocks]),
        np.concatenate([block.columns for block in blocks]),
        np.concatenate(counts),
    )


def _coded(point: Point, traces: _Traces) -> _Traces:
    """Return the traces that see the code most clearly, spread over the image."""
    contrast = coded_contrast(traces.counts, point.usable)
    best = spread_choice(traces.row, traces.column, contrast, PIXELS, point.region.shape)
    best = np.sort(best[contrast[best] > MINIMUM_CONTRAST])
    if best.size < MINIMUM_PIXELS:
        raise InputError(
            f"only {best.size} of {traces.row.size} bright pixels vary as behind a code",
            str(point.path),
            "check that the aperture is in the path of the light, or count longer",
        )
    return _Traces(traces.row[best], traces.column[best], traces.counts[best])


def calibrated_config(config: ExperimentConfig, report: CalibrationReport) -> ExperimentConfig:
    """Return an experiment with the fitted values put in."""
    stated = ExperimentConfig.from_core(report.experiment)
    return config.model_copy(
        update={"pose": stated.pose, "motion": stated.motion, "aperture": stated.aperture}
    )


def write_calibration(
    path: Path, config: ExperimentConfig, report: CalibrationReport, points: Sequence[Path]
) -> None:
    """Write the calibrated experiment, with the uncertainties in comments before it."""
    lines = [
        "Calibrated by lauedepth from " + ", ".join(str(point) for point in points),
        *_fit_lines(report.fit),
        f"sample_depth_um {report.sample_depth_um:g}",
        f"The pose's uncertainty gives depths an error of {report.depth_error_um:.2g} µm.",
        common_line(report),
        *(f"Warning: {text}" for text in report.warnings),
    ]
    text = dump_experiment(calibrated_config(config, report), "\n".join(lines))
    with publish(path) as partial:
        partial.write_text(text, encoding="utf-8")


def common_line(report: CalibrationReport) -> str:
    """Return in one line what depths take over from what was assumed."""
    each = "; ".join(f"{one.depth_um:.2g} µm {one.cause}" for one in report.common)
    return f"Not in that error, and common to all pixels: {each}."


def _fit_lines(fit: PoseFit) -> list[str]:
    """Return the fitted values, their errors, and what is held, one per line."""
    lines = [
        f"{one.name} {one.value:.7g} " + (f"± {one.error:.2g}" if one.determined else "(held)")
        for one in fit.parameters
    ]
    lines += [f"Held at its start, not determined by the data: {held.name}." for held in fit.held]
    total = sum(mask.size for mask in fit.used)
    lines.append(
        f"{fit.pixels} of {total} pixels used, chi-square per degree of freedom "
        f"{fit.reduced_chi_square:.2f}."
    )
    return lines
