"""What is said of a fly scan, in which the aperture moves on while frames are exposed."""

from __future__ import annotations

import numpy as np

from lauedepth.config import ExperimentConfig
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.geometry import code_coordinate, pixel_positions
from lauedepth.core.notices import Notice, note


def fly_scan_notices(config: ExperimentConfig) -> list[Notice]:
    """Say by how much a fly scan lengthens footprints; nothing of other scans."""
    if not config.motion.exposure_steps:
        return []
    return [
        note(
            "fly-scan",
            "the aperture moves on while frames are exposed: depths belong to the middle, and "
            f"footprints look longer, by {smear_um(config.to_core()):.2g} µm added in quadrature "
            "at the middle of the detector",
            "motion.exposure_steps",
            "nothing to do; take finer steps where widths matter",
        )
    ]


def smear_um(experiment: Experiment) -> float:
    """Return the range of depths that looks the same while a frame is exposed, in µm.

    Light from depth s at a place k of the aperture passes the code where light from s + ds does at
    k - dk, ds = dk (du/dk)/(du/ds): moving by `exposure_steps` is a box of that length over depth.
    """
    columns, rows = experiment.detector.shape
    pixel = pixel_positions(experiment.detector, np.array([rows / 2]), np.array([columns / 2]))
    middle = (experiment.depths.start_um + experiment.depths.stop_um) / 2
    frame = float(np.mean(experiment.frame_positions))
    here, on, deeper = (
        float(code_coordinate(experiment, pixel, depth, at)[0])
        for depth, at in ((middle, frame), (middle, frame + 1), (middle + 1, frame))
    )
    return abs((on - here) / (deeper - here)) * experiment.motion.exposure_steps
