"""What a calibration found, for files, figures and people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lauedepth.calibration.pose_fit import PoseFit
from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Experiment

Mask = npt.NDArray[np.bool_]


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
    """

    name: str
    shift_mm: float
    row: Floats
    column: Floats
    used: Mask
    found: Mask
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


@dataclass(frozen=True)
class Calibration:
    """What a calibration found.

    Attributes
    ----------
    experiment : Experiment
        With the pose, and what else was fitted.
    sample_depth_um : float
    fit : PoseFit
    scans : tuple of ScanPixels
    depth_error_um : float
        Error that the pose's own uncertainty gives to depths, rms over detector and depths.
    warnings : tuple of str
    """

    experiment: Experiment
    sample_depth_um: float
    fit: PoseFit
    scans: tuple[ScanPixels, ...]
    depth_error_um: float
    warnings: tuple[str, ...]
