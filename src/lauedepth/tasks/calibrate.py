"""Calibration as files: points in, a calibrated experiment out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from lauedepth.calibration import (
    MINIMUM_CONTRAST,
    MINIMUM_PIXELS,
    CalibrationRecord,
    CalibrationReport,
    PoseFit,
    Scan,
    ScanPixels,
    calibrate,
    coded_contrast,
    parameters_named,
    spot_pixels,
    spread_choice,
)
from lauedepth.config import ExperimentConfig, dump_experiment
from lauedepth.core.arrays import Flags
from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.progress import Progress, no_progress, of_stage
from lauedepth.core.version import __version__
from lauedepth.io import Point, publish
from lauedepth.tasks.calibration_history import record_line
from lauedepth.tasks.reconstruct.opening import open_for
from lauedepth.tasks.reconstruct.sampling import SampledTraces, sample_traces
from lauedepth.tasks.reconstruct.selection import Pixels, select_pixels, with_threshold

PIXELS: Final = 50
"""Pixels that are chosen in each scan."""
CANDIDATES: Final = 4 * PIXELS
"""Bright pixels among which they are chosen by how clearly they see the code."""
MAXIMUM_MASK_PIXELS: Final = 2000
"""Pixels that a mask may hold: each takes some 50 ms."""
MEMORY_BYTES: Final = 2**31
ORIGIN: Final = {
    "entry1/scanNum": "scan {}",
    "@file_time": "measured {}",
    "entry1/sample/sampleX": "sampleX {:g}",
    "entry1/sample/sampleY": "sampleY {:g}",
    "entry1/sample/sampleZ": "sampleZ {:g}",
}
"""Metadata of a point that say when and where it was measured, and how they are written."""

T = TypeVar("T")


@dataclass(frozen=True)
class ScanRequest:
    """One scan to calibrate with.

    Attributes
    ----------
    point : Path
    config : ExperimentConfig
        Its frames, and where the aperture was stated to stand.
    shift_mm : float
        How far the aperture was displaced along its scan, beyond that.
    pixels : float or (ny, nx) bool array, optional
        Minimum mean counts per frame, or a mask of the detector: all its pixels are used.
    """

    point: Path
    config: ExperimentConfig
    shift_mm: float = 0.0
    pixels: Pixels | None = None


@dataclass(frozen=True)
class CalibrationRequest:
    """What to calibrate, from which scans, and where to write it.

    Attributes
    ----------
    scans : tuple of ScanRequest
        Of a thin sample. The first anchors the pose; its experiment is the start.
    output : Path
        The calibrated experiment.
    fit : tuple of str
        Names of parameters or groups.
    sample_depth_um : float
        Where the middle of the sample is along the beam.
    memory_bytes : int
        For the frames read at a time.
    """

    scans: tuple[ScanRequest, ...]
    output: Path
    fit: tuple[str, ...] = ("pose",)
    sample_depth_um: float = 0.0
    memory_bytes: int = MEMORY_BYTES

    @property
    def config(self) -> ExperimentConfig:
        """The start."""
        return self.scans[0].config


def scan_requests(
    points: Sequence[Path],
    configs: Sequence[ExperimentConfig],
    shifts_mm: Sequence[float] = (),
    pixels: Sequence[Pixels | None] = (),
) -> tuple[ScanRequest, ...]:
    """Put together what was given once for all points, or once for each.

    Raises
    ------
    ConfigurationError
        Neither one nor as many as there are points; several points without a displacement.
    """
    number = len(points)
    if len(configs) == 1 and number > 1 and not shifts_mm:
        raise ConfigurationError(
            f"{number} POINT and no --shift-mm",
            "--shift-mm",
            "give one for each point, in order; 0 where the aperture was not displaced",
        )
    shifts = shifts_mm or [0.0] * number
    if len(shifts) != number:
        raise _miscounted(number, len(shifts), "--shift-mm")
    each_config = _for_each(number, configs, "--experiment")
    each_pixels = _for_each(number, pixels or [None], "--pixels")
    return tuple(
        ScanRequest(*one) for one in zip(points, each_config, shifts, each_pixels, strict=True)
    )


def _for_each(number: int, given: Sequence[T], option: str) -> Sequence[T]:
    if len(given) not in {1, number}:
        raise _miscounted(number, len(given), option)
    return given if len(given) == number else [given[0]] * number


def _miscounted(points: int, given: int, option: str) -> ConfigurationError:
    return ConfigurationError(
        f"{points} POINT and {given} times {option}", option, "give one for each point, in order"
    )


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
        An unknown parameter, experiments that do not go together, or a scan would be overwritten.
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
    points = [scan.point for scan in request.scans]
    write_calibration(request.output, request.config, report, points, datetime.now(UTC))
    return report


def _refuse_wrong(request: CalibrationRequest) -> None:
    """Refuse what cannot work before anything is read."""
    parameters_named(request.fit)
    if request.output.resolve() in {scan.point.resolve() for scan in request.scans}:
        raise ConfigurationError(
            "a scan would be overwritten", str(request.output), "name another file"
        )
    start = request.config.to_core()
    for scan in request.scans[1:]:
        differing = _differing(start, scan.config.to_core())
        if differing:
            raise ConfigurationError(
                f"the experiment differs from the first in {', '.join(differing)}",
                str(scan.point),
                "experiments of one calibration may differ in frames, shift and the aperture's "
                "centre",
            )


def _differing(start: Experiment, other: Experiment) -> list[str]:
    """Return what may not differ between the experiments of one calibration, and does."""
    pose = replace(
        other.pose,
        cenx_mm=start.pose.cenx_mm,
        dist_mm=start.pose.dist_mm,
        cenz_mm=start.pose.cenz_mm,
    )
    parts = {
        "detector": start.detector == other.detector,
        "aperture": start.aperture == other.aperture,
        "angles of the pose": start.pose == pose,
        "motion": start.motion == replace(other.motion, shift_mm=start.motion.shift_mm),
    }
    return [name for name, same in parts.items() if not same]


def read_scans(request: CalibrationRequest, progress: Progress = no_progress) -> list[Scan]:
    """Read calibration scans and choose their pixels."""
    start, scans = request.config.to_core(), []
    for one in request.scans:
        with open_for(one.config, one.point) as point:
            scan = read_scan(
                point,
                one.config,
                pixels=one.pixels,
                memory_bytes=request.memory_bytes,
                progress=progress,
            )
        scans.append(_placed(scan, start, one))
    return scans


def _placed(scan: Scan, start: Experiment, request: ScanRequest) -> Scan:
    """Return a scan with where its aperture was stated to stand, seen from the start."""
    stated = request.config.to_core()
    here, there = start.pose, stated.pose
    return replace(
        scan,
        shift_mm=request.shift_mm + stated.motion.shift_mm - start.motion.shift_mm,
        frames=stated.frames,
        stands_mm=(
            there.cenx_mm - here.cenx_mm,
            there.dist_mm - here.dist_mm,
            there.cenz_mm - here.cenz_mm,
        ),
    )


def read_scan(
    point: Point,
    config: ExperimentConfig,
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
    pixels : float or (ny, nx) bool array, optional
        As in `ScanRequest`.
    memory_bytes : int
        For the frames read at a time.
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
    return Scan(
        row, column, traces.counts, point.usable, name=point.path.name, origin=origin_of(point)
    )


def origin_of(point: Point) -> str:
    """Return when and where a point was measured, as far as its metadata say."""
    parts = []
    for path, words in ORIGIN.items():
        value = point.metadata.get(path)
        if value is not None and value.size == 1:
            one = value.item()
            parts.append(words.format(os.fsdecode(one) if isinstance(one, bytes) else one))
    return ", ".join(parts)


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


def _read_traces(point: Point, lit: Flags, memory_bytes: int, progress: Progress) -> SampledTraces:
    """Read the traces of the pixels chosen."""
    if not lit.any():
        raise InputError(
            "has no pixel to calibrate with", str(point.path), "lower --pixels or give a mask"
        )
    return sample_traces(point, lit, memory_bytes, of_stage(progress, "read"))


def _coded(point: Point, traces: SampledTraces) -> SampledTraces:
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
    return traces.pick(best)


def calibrated_config(config: ExperimentConfig, report: CalibrationReport) -> ExperimentConfig:
    """Return an experiment with the fitted values put in."""
    stated = ExperimentConfig.from_core(report.experiment)
    return config.model_copy(
        update={"pose": stated.pose, "motion": stated.motion, "aperture": stated.aperture}
    )


def write_calibration(
    path: Path,
    config: ExperimentConfig,
    report: CalibrationReport,
    points: Sequence[Path],
    when: datetime,
) -> None:
    """Write the calibrated experiment, with how it was found in comments before it."""
    lines = [
        f"Calibrated by lauedepth {__version__} on {when:%Y-%m-%d %H:%M} from "
        + ", ".join(str(point) for point in points),
        *(_scan_line(scan) for scan in report.scans),
        *_fit_lines(report.fit),
        f"sample_depth_um {report.sample_depth_um:g}"
        + ("" if "sample_depth_um" in report.fit.names else " (assumed)"),
        f"The pose's uncertainty gives depths an error of {report.depth_error_um:.2g} µm.",
        common_line(report),
        *(f"Warning: {text}" for text in report.warnings),
        record_line(CalibrationRecord.of(report, when)),
    ]
    text = dump_experiment(calibrated_config(config, report), "\n".join(lines))
    with publish(path) as partial:
        partial.write_text(text, encoding="utf-8")


def common_line(report: CalibrationReport) -> str:
    """Return in one line what depths take over from what was assumed."""
    each = "; ".join(f"{one.depth_um:.2g} µm {one.cause}" for one in report.common)
    return f"Not in that error, and common to all pixels: {each}."


def _scan_line(scan: ScanPixels) -> str:
    origin = f"{scan.origin}, " if scan.origin else ""
    used = int(scan.used.sum())
    return f"{scan.name}: {origin}shift {scan.shift_mm:g} mm, {used} of {len(scan)} pixels used"


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
