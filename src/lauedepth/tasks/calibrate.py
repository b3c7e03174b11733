"""Calibration as files: points in, a calibrated experiment out; results checked for drift."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.calibration import (
    LEAST_CONTRAST,
    LEAST_PIXELS,
    Calibration,
    PoseFit,
    Scan,
    bright_pixels,
    coded_contrast,
    spread_choice,
)
from lauedepth.config import ExperimentConfig, dump_experiment
from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.io import Point, publish
from lauedepth.tasks.reconstruct import (
    Pixels,
    open_for,
    plan_blocks,
    plan_readings,
    select_pixels,
    traces_of,
    with_threshold,
)

Progress = Callable[[str, int, int], None]
Mask = npt.NDArray[np.bool_]

PIXELS: Final = 50
"""Pixels of each scan that are chosen."""
CANDIDATES: Final = 4 * PIXELS
"""Bright pixels among which they are chosen by how clearly they see the code."""
MOST_GIVEN: Final = 2000
"""Pixels that a mask may hold: each takes some 50 ms."""


def read_scans(
    points: Sequence[Path],
    config: ExperimentConfig,
    shifts_mm: Sequence[float] = (),
    *,
    pixels: Pixels | None = None,
    memory_bytes: int = 2**31,
    progress: Progress | None = None,
) -> list[Scan]:
    """Read calibration scans and choose their pixels.

    Parameters
    ----------
    points : sequence of Path
    config : ExperimentConfig
        The start.
    shifts_mm : sequence of float
        How far the aperture was displaced in each, beyond the start's own shift.
    pixels : float or (ny, nx) bool array, optional
        Least mean counts a frame, or a mask of the detector: all its pixels are taken.
    memory_bytes : int
        For the frames read at a time.
    progress : callable, optional
        Called with (stage, done, total).

    Raises
    ------
    ConfigurationError
        Not one shift a point.
    InputError
        A point cannot be read, or no pixel of it is bright enough.
    """
    if len(points) > 1 and len(shifts_mm) != len(points):
        raise ConfigurationError(
            f"{len(points)} points and {len(shifts_mm)} times --shift-mm",
            "--shift-mm",
            "give one for each point, in order; 0 where the aperture was not displaced",
        )
    shifts = list(shifts_mm) or [0.0]
    if len(shifts) != len(points):
        raise ConfigurationError(f"{len(shifts)} shifts for {len(points)} points", "--shift-mm")
    scans = []
    for path, shift in zip(points, shifts, strict=True):
        with open_for(config, path) as point:
            scans.append(
                read_scan(
                    point,
                    config,
                    shift,
                    pixels=pixels,
                    memory_bytes=memory_bytes,
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
    memory_bytes: int = 2**31,
    progress: Progress | None = None,
) -> Scan:
    """Choose pixels of an open point and read their traces; see `read_scans`."""
    given = isinstance(pixels, np.ndarray)
    if isinstance(pixels, np.ndarray):
        lit = select_pixels(point, config, pixels)
        if lit.sum() > MOST_GIVEN:
            raise InputError(
                f"the mask holds {int(lit.sum())} pixels of this point",
                str(point.path),
                f"give {MOST_GIVEN} at most, 50 do",
            )
    else:
        lit = _candidates(point, with_threshold(config, pixels), progress)
    if not lit.any():
        raise InputError(
            "has no pixel to calibrate with", str(point.path), "lower --pixels or give a mask"
        )
    row, column, counts = _read_traces(point, lit, memory_bytes, progress)
    if not given:
        contrast = coded_contrast(counts, point.usable)
        best = spread_choice(row, column, contrast, PIXELS, point.region.shape)
        best = np.sort(best[contrast[best] > LEAST_CONTRAST])
        if best.size < LEAST_PIXELS:
            raise InputError(
                f"only {best.size} of {row.size} bright pixels vary as behind a code",
                str(point.path),
                "see that the aperture is in the way of the light, or count longer",
            )
        row, column, counts = row[best], column[best], counts[best]
    at_row, at_column = point.region.unbinned(row, column)
    return Scan(at_row, at_column, counts, point.usable, shift_mm, point.path.name)


def _candidates(point: Point, config: ExperimentConfig, progress: Progress | None) -> Mask:
    """Return the brightest pixels, spread over the image."""
    mean = point.mean_image(progress=lambda done, total: _tell(progress, "select", done, total))
    window = config.selection.window(point.region)
    bright = np.zeros(mean.shape, np.bool_)
    bright[window] = bright_pixels(mean, config.selection.min_mean_counts)[window]
    row, column = np.nonzero(bright)
    chosen = spread_choice(row, column, mean[row, column], CANDIDATES, mean.shape)
    lit = np.zeros(mean.shape, np.bool_)
    lit[row[chosen], column[chosen]] = True
    return lit


def _read_traces(
    point: Point, lit: Mask, memory_bytes: int, progress: Progress | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.generic]]:
    """Read the traces of some pixels: rows, columns, (n_pixels, n_frames) counts."""
    blocks = plan_blocks(lit)
    row_bytes = len(point.frames) * point.shape[2] * point.dtype.itemsize
    readings = plan_readings(blocks, row_bytes, memory_bytes)
    traces = []
    for number, reading in enumerate(readings):
        band = point.read_rows(reading.row_start, reading.row_stop)
        traces += [traces_of(band, reading.row_start, block) for block in reading.blocks]
        _tell(progress, "read", number + 1, len(readings))
    return (
        np.concatenate([block.rows for block in blocks]),
        np.concatenate([block.columns for block in blocks]),
        np.concatenate(traces),
    )


def _tell(progress: Progress | None, stage: str, done: int, total: int) -> None:
    if progress:
        progress(stage, done, total)


def calibrated_config(config: ExperimentConfig, calibration: Calibration) -> ExperimentConfig:
    """Return an experiment with what was fitted put in."""
    stated = ExperimentConfig.from_core(calibration.experiment)
    return config.model_copy(
        update={"pose": stated.pose, "motion": stated.motion, "aperture": stated.aperture}
    )


def write_calibration(
    path: Path, config: ExperimentConfig, calibration: Calibration, scans: Sequence[Path]
) -> None:
    """Write the calibrated experiment, the uncertainties in comments before it."""
    lines = [
        "Calibrated by lauedepth from " + ", ".join(str(scan) for scan in scans),
        *report_lines(calibration.fit),
        f"sample_depth_um {calibration.sample_depth_um:g}",
        f"The pose's uncertainty gives depths an error of {calibration.depth_error_um:.2g} µm.",
        *(f"Warning: {text}" for text in calibration.warnings),
    ]
    text = dump_experiment(calibrated_config(config, calibration), "\n".join(lines))
    with publish(path) as partial:
        partial.write_text(text, encoding="utf-8")


def report_lines(fit: PoseFit) -> list[str]:
    """Return the fitted values, their errors, and what is held, a line each."""
    lines = [
        f"{name} {value:.7g} " + (f"± {error:.2g}" if told else "(held)")
        for name, value, error, told in zip(
            fit.names, fit.values, fit.errors, fit.told, strict=True
        )
    ]
    lines += [f"Held at its start, not told by the data: {held.name}." for held in fit.held]
    pixels = sum(int(mask.sum()) for mask in fit.used)
    total = sum(mask.size for mask in fit.used)
    lines.append(
        f"{pixels} of {total} pixels used, chi-square per degree of freedom "
        f"{fit.reduced_chi_square:.2f}."
    )
    return lines


def fit_values(fit: PoseFit) -> dict[str, object]:
    """Return a fit as JSON can hold it."""
    return {
        "parameters": {
            name: {"value": value, "error": error, "held": not told}
            for name, value, error, told in zip(
                fit.names, fit.values.tolist(), fit.errors.tolist(), fit.told, strict=True
            )
        },
        "covariance": fit.covariance,
        "correlation": fit.correlation,
        "singular_values": fit.singular_values,
        "directions": fit.directions,
        "held": [{"name": held.name, "direction": held.direction} for held in fit.held],
        "reduced_chi_square": fit.reduced_chi_square,
        "degrees_of_freedom": fit.freedom,
    }
