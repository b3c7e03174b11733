"""The two published geometries of 34-ID-E, as plain numbers: for tests and benchmarks."""

from __future__ import annotations

from typing import Final

from lauedepth.core.instrument.aperture import prefer_same_code
from lauedepth.core.instrument.experiment import (
    Aperture,
    Depths,
    Detector,
    Experiment,
    Frames,
    Motion,
    Pose,
)

DETECTOR: Final = Detector(
    shape=(2048, 2048),
    size_mm=(409.6, 409.6),
    rotation_rad=(-1.20161887, -1.21404493, -1.21852276),
    translation_mm=(28.828, 2.715, 512.993),
)
SCANNER_ROTATION_RAD: Final = (0.0045, -0.00684, -3.375e-05)

NORCADA: Final = Experiment(
    DETECTOR,
    Aperture(prefer_same_code()),
    Pose(0.44223633, 1.60844727, 0.75195312, 0.09179688, -0.47070312, 43.84902344),
    Motion(step_um=0.5, shift_mm=0.21, rotation_rad=SCANNER_ROTATION_RAD),
    Frames(0, 541),
    Depths(-200.0, 200.0),
)

TWIN: Final = Experiment(
    DETECTOR,
    Aperture(prefer_same_code()),
    Pose(0.443310547, 1.60405273, 0.935546875, -0.001953125, -0.662109375, 43.3119141),
    Motion(step_um=1.0, shift_mm=0.22, rotation_rad=SCANNER_ROTATION_RAD),
    Frames(0, 261),
    Depths(-100.0, 300.0),
)
