"""Where the aperture stands, found from scans of a thin sample at a known depth."""

from __future__ import annotations

from lauedepth.calibration.calibrate import calibrate
from lauedepth.calibration.consistency import LEAST_PIXELS
from lauedepth.calibration.drift import PoseCheck, check_pose
from lauedepth.calibration.parameters import KNOWN, parameters_named
from lauedepth.calibration.pixel_choice import (
    LEAST_CONTRAST,
    bright_pixels,
    coded_contrast,
    spread_choice,
)
from lauedepth.calibration.planning import Outlook, plan
from lauedepth.calibration.pose_fit import Held, PoseFit
from lauedepth.calibration.positions import Measured, Scan, measure
from lauedepth.calibration.residuals import DecodedTable, ResultCheck, check_residuals
from lauedepth.calibration.result import Calibration, ScanPixels

__all__ = [
    "KNOWN",
    "LEAST_CONTRAST",
    "LEAST_PIXELS",
    "Calibration",
    "DecodedTable",
    "Held",
    "Measured",
    "Outlook",
    "PoseCheck",
    "PoseFit",
    "ResultCheck",
    "Scan",
    "ScanPixels",
    "bright_pixels",
    "calibrate",
    "check_pose",
    "check_residuals",
    "coded_contrast",
    "measure",
    "parameters_named",
    "plan",
    "spread_choice",
]
