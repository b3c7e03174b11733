"""Calibration as files: points in, a calibrated experiment out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from lauedepth.calibration import (
    CalibrationRecord,
    CalibrationReport,
    PoseFit,
    ScanPixels,
    calibrate,
    parameters_named,
)
from lauedepth.config import ExperimentConfig, dump_experiment, load_experiment
from lauedepth.core.errors import ConfigurationError, LaueDepthError, OutputError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.notices import Level
from lauedepth.core.progress import Progress, no_progress
from lauedepth.core.version import __version__
from lauedepth.io import publish
from lauedepth.tasks.calibration_bounds import start_within_bounds, warnings_of_bounds
from lauedepth.tasks.calibration_history import record_line
from lauedepth.tasks.calibration_scans import (
    MEMORY_BYTES,
    ScanRequest,
    read_scans,
    with_measured_frames,
)


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
    OutputError
        The output is there and is no experiment.
    InputError
        A point cannot be read, or its traces cannot be calibrated with.
    """
    _refuse_wrong(request)
    fitted, notices = with_measured_frames(request.scans)
    scans = read_scans(fitted, request.memory_bytes, progress)
    found = calibrate(
        start_within_bounds(request.config).to_core(),
        scans,
        fit=request.fit,
        sample_depth_um=request.sample_depth_um,
        progress=progress,
    )
    outside = warnings_of_bounds(request.config, found)
    odd = (str(one) for one in notices if one.level == Level.WARNING)
    report = replace(found, warnings=(*odd, *found.warnings, *outside))
    points = [scan.point for scan in request.scans]
    said = [str(one) for one in notices if one.level == Level.NOTE]
    write_calibration(request.output, request.config, report, points, datetime.now(UTC), said)
    return report


def _refuse_wrong(request: CalibrationRequest) -> None:
    """Refuse what cannot work before anything is read."""
    parameters_named(request.fit)
    if request.output.resolve() in {scan.point.resolve() for scan in request.scans}:
        raise ConfigurationError(
            "a scan would be overwritten", str(request.output), "name another file"
        )
    _refuse_to_overwrite(request.output)
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


def _refuse_to_overwrite(output: Path) -> None:
    """Refuse an output that is a file of another kind, notes for instance."""
    if not output.exists():
        return
    try:
        load_experiment(output)
    except LaueDepthError:
        raise OutputError(
            "is there already and is not an experiment", str(output), "name another file"
        ) from None


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
    said: Sequence[str] = (),
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
        *(f"Note: {text}" for text in said),
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
