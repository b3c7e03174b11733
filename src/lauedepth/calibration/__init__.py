"""Where the aperture stands, found from scans of a thin sample at a known depth."""

from __future__ import annotations

from lauedepth.calibration.calibrate import calibrate
from lauedepth.calibration.common_errors import CommonError
from lauedepth.calibration.consistency import MINIMUM_PIXELS
from lauedepth.calibration.drift import PoseCheck, check_pose
from lauedepth.calibration.history import CalibrationRecord, HistoryEntry, in_order
from lauedepth.calibration.parameters import FITTABLE, parameters_named
from lauedepth.calibration.pixel_choice import (
    MINIMUM_CONTRAST,
    coded_contrast,
    spot_pixels,
    spread_choice,
)
from lauedepth.calibration.planning import Forecast, forecast
from lauedepth.calibration.pose_fit import FittedParameter, Held, PoseFit
from lauedepth.calibration.positions import MeasuredTraces, Scan
from lauedepth.calibration.report import CalibrationReport, ScanPixels
from lauedepth.calibration.residuals import DecodedTable, ResultCheck, check_residuals

__all__ = [
    "FITTABLE",
    "MINIMUM_CONTRAST",
    "MINIMUM_PIXELS",
    "CalibrationRecord",
    "CalibrationReport",
    "CommonError",
    "DecodedTable",
    "FittedParameter",
    "Forecast",
    "Held",
    "HistoryEntry",
    "MeasuredTraces",
    "PoseCheck",
    "PoseFit",
    "ResultCheck",
    "Scan",
    "ScanPixels",
    "calibrate",
    "check_pose",
    "check_residuals",
    "coded_contrast",
    "forecast",
    "in_order",
    "parameters_named",
    "spot_pixels",
    "spread_choice",
]
