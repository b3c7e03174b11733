"""What the uncertainty of the pose does to depths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from lauedepth.calibration.parameters import Parameter, State, apply_changes
from lauedepth.calibration.pose_fit import PoseFit, slopes_of
from lauedepth.calibration.positions import middle_frame
from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Detector
from lauedepth.core.instrument.raymap import RayMap

GRID: Final = 7
DEPTHS: Final = 5


def detector_grid(detector: Detector, number: int) -> tuple[Floats, Floats]:
    """Return (row, column) of number x number pixels spread evenly over a detector."""
    columns, rows = detector.shape
    fraction = (np.arange(number) + 0.5) / number
    row, column = np.meshgrid(fraction * rows - 0.5, fraction * columns - 0.5, indexing="ij")
    return row.ravel(), column.ravel()


def depth_error_um(fit: PoseFit, parameters: Sequence[Parameter]) -> float:
    """Return what the errors of the fitted parameters do to depths, rms over detector and range."""
    slopes = depth_slopes(fit.state, parameters)
    variance = np.einsum("ij,jk,ik->i", slopes, fit.covariance, slopes)
    return float(np.sqrt(variance.mean()))


def depth_slopes(state: State, parameters: Sequence[Parameter]) -> Floats:
    """Return how depths change with parameters: (n_depths, n_parameters), µm per unit.

    Over the detector and the range of depths. A depth is found from the position on the code:
    that stays, the experiment changes.
    """
    experiment = state.experiment
    row, column = detector_grid(experiment.detector, GRID)
    range_um = experiment.depths
    depth = np.linspace(range_um.start_um, range_um.stop_um, DEPTHS)[:, None]
    frame = middle_frame(experiment.frames)
    place = RayMap.of(experiment, row, column).position_um(depth, frame)

    def depths(changes: Floats) -> Floats:
        turned = apply_changes(state, parameters, changes)
        return RayMap.of(turned.experiment, row, column).depth_um(place, frame).ravel()

    scales = np.array([parameter.scale for parameter in parameters])
    return np.asarray(slopes_of(depths, np.zeros(scales.size), scales) / scales)
