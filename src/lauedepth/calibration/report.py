"""What a calibration found: the one report that commands, files and figures read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lauedepth.calibration.common_errors import CommonError
from lauedepth.calibration.parameters import State
from lauedepth.calibration.pose_fit import PoseFit
from lauedepth.calibration.positions import MeasuredTraces, Scan, middle_frame
from lauedepth.core.arrays import Flags, Floats
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap


@dataclass(frozen=True)
class ScanPixels:
    """The pixels of one scan, before and after.

    Attributes
    ----------
    name : str
    shift_mm : float
    row, column : (n,) arrays
        Unbinned detector coordinates.
    used : (n,) bool array
        Fitted; the others had no clear match or did not agree.
    found : (n,) bool array
        Had a clear match.
    position_um, position_error_um : (n,) arrays
        On the code at the middle frame.
    advance_um, advance_error_um : (n,) arrays
        Per frame.
    depth_before_um, depth_after_um, depth_error_um : (n,) arrays
        Where the ray meets the beam with the pose at the start and as fitted; its error by
        counting statistics.
    width_um : (n,) array
        Extent of the source in depth.
    residual : (n,) array
        Chi-square per degree of freedom of the trace.
    pulls : (n, n_measured) array
        What the fit leaves, in standard errors.
    drift_um : float
        Of the aperture during the scan; 0 where none stands out.
    origin : str
        When and where it was measured, in words.
    """

    name: str
    shift_mm: float
    row: Floats
    column: Floats
    used: Flags
    found: Flags
    position_um: Floats
    position_error_um: Floats
    advance_um: Floats
    advance_error_um: Floats
    depth_before_um: Floats
    depth_after_um: Floats
    depth_error_um: Floats
    width_um: Floats
    residual: Floats
    pulls: Floats
    drift_um: float = 0.0
    origin: str = ""

    def __len__(self) -> int:
        return int(self.row.size)


@dataclass(frozen=True)
class CalibrationReport:
    """What a calibration found.

    Attributes
    ----------
    experiment : Experiment
        With the pose, and what else was fitted.
    sample_depth_um : float
    fit : PoseFit
    scans : tuple of ScanPixels
    depth_error_um : float
        Error that the uncertainty of the pose gives to depths, rms over detector and depths.
    common : tuple of CommonError
        What is not in that error: what depths take over from what was assumed.
    warnings : tuple of str
    """

    experiment: Experiment
    sample_depth_um: float
    fit: PoseFit
    scans: tuple[ScanPixels, ...]
    depth_error_um: float
    common: tuple[CommonError, ...]
    warnings: tuple[str, ...]


def scan_pixels(
    start: State, fit: PoseFit, number: int, scan: Scan, measured: MeasuredTraces
) -> ScanPixels:
    """Trace the measured positions of a scan back to depths, with the pose before and after."""
    frame = middle_frame(scan.experiment(start.experiment).frames)
    position = measured.values[:, 0]
    before = RayMap.of(scan.experiment(start.displaced(number)), scan.row, scan.column)
    after = RayMap.of(scan.experiment(fit.state.displaced(number)), scan.row, scan.column)
    depth = fit.state.depth_um
    per_depth = np.abs(
        after.position_um(depth + 0.5, frame) - after.position_um(depth - 0.5, frame)
    )
    error = np.sqrt(measured.covariance[:, 0, 0])
    return ScanPixels(
        name=scan.name,
        shift_mm=scan.shift_mm,
        row=scan.row,
        column=scan.column,
        used=fit.used[number],
        found=measured.found,
        position_um=position,
        position_error_um=error,
        advance_um=measured.values[:, 1],
        advance_error_um=np.sqrt(measured.covariance[:, 1, 1]),
        depth_before_um=before.depth_um(position, frame),
        depth_after_um=after.depth_um(position, frame),
        depth_error_um=error / per_depth,
        width_um=measured.extent_um / per_depth,
        residual=measured.residual,
        pulls=fit.pulls[number],
        drift_um=measured.drift_um,
        origin=scan.origin,
    )
