"""How well a planned calibration scan would determine the pose, before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lauedepth.calibration.depth_error import depth_error_um, detector_grid
from lauedepth.calibration.parameters import (
    State,
    displacement_parameters,
    parameters_named,
    shapes_for,
)
from lauedepth.calibration.pose_fit import PoseFit, Problem, evaluate, predicted
from lauedepth.calibration.positions import MeasuredTraces, Scan, frames_from_middle, middle_frame
from lauedepth.calibration.trace_fit import Shape, expected_covariance
from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap

GRID: Final = 7
SAMPLE_WIDTH_UM: Final = 2.0


@dataclass(frozen=True)
class Forecast:
    """What a planned calibration would give.

    Attributes
    ----------
    fit : PoseFit
        Values as planned, errors as expected.
    depth_error_um : float
        Error that they give to depths, rms over detector and range.
    shifts_mm : tuple of float
        Displacement of the aperture in each scan.
    pixels : tuple of int
        Number of pixels of each scan whose rays cross the code.
    peak_counts : float
        Counts per frame that each was assumed to have with no bar in the way.
    """

    fit: PoseFit
    depth_error_um: float
    shifts_mm: tuple[float, ...]
    pixels: tuple[int, ...]
    peak_counts: float


def forecast(
    experiment: Experiment,
    shifts_mm: Sequence[float] = (0.0,),
    *,
    fit: Sequence[str] = ("pose",),
    sample_depth_um: float = 0.0,
    peak_counts: float = 1000.0,
    background: float = 20.0,
    pixels: tuple[Floats, Floats] | None = None,
) -> Forecast:
    """Return how well scans of a thin sample would determine the pose.

    Parameters
    ----------
    experiment : Experiment
        The planned one.
    shifts_mm : sequence of float
        Displacement of the aperture in each scan.
    fit : sequence of str
        Names of parameters or groups.
    sample_depth_um : float
    peak_counts, background : float
        Counts per frame of each pixel with no bar in the way, and of light that passes no
        aperture.
    pixels : (row, column), optional
        Unbinned detector coordinates; a grid of 7 x 7 by default.

    Raises
    ------
    InputError
        Hardly any ray crosses the code.
    """
    state = State.of(experiment, sample_depth_um, len(shifts_mm))
    asked = parameters_named(fit)
    parameters = (*asked, *displacement_parameters(asked, len(shifts_mm)))
    shapes = shapes_for(parameters)
    row, column = pixels or detector_grid(experiment.detector, GRID)
    nothing = np.zeros((0, 0), np.uint16)
    usable = np.ones(len(experiment.frames), bool)
    scans = tuple(
        Scan(row, column, nothing, usable, shift, f"planned scan {number + 1}")
        for number, shift in enumerate(shifts_mm)
    )
    measured = tuple(
        _expected_traces(state, scan, shapes, peak_counts, background) for scan in scans
    )
    seen = tuple(int(one.found.sum()) for one in measured)
    if 2 * sum(seen) < len(parameters):
        raise InputError(
            f"only {sum(seen)} of the planned pixels' rays cross the code",
            remedy="check pose, shift and frames",
        )
    problem = Problem(state, parameters, scans, measured, shapes)
    found = evaluate(problem, [one.found for one in measured], np.zeros(len(parameters)))
    error_um = depth_error_um(found, parameters)
    return Forecast(found, error_um, tuple(shifts_mm), seen, peak_counts)


def _expected_traces(
    state: State, scan: Scan, shapes: tuple[Shape, ...], peak: float, background: float
) -> MeasuredTraces:
    """Return what would be measured: the values expected, with their errors."""
    experiment = scan.experiment(state.experiment)
    aperture = experiment.aperture
    values = predicted(state, scan, shapes)
    rays = RayMap.of(experiment, scan.row, scan.column)
    frames = frames_from_middle(experiment)
    half = SAMPLE_WIDTH_UM / 2
    ends = [
        rays.position_um(state.depth_um + side, middle_frame(experiment.frames))
        for side in (-half, half)
    ]
    extent = np.abs(ends[1] - ends[0])
    window = rays.window_um(state.depth_um)
    size = values.shape[1]
    covariance = np.full((len(scan), size, size), np.nan)
    theta = np.full((len(scan), 9), np.nan)
    found = (values[:, 0] > 0) & (values[:, 0] < aperture.length_um)
    for index in np.flatnonzero(found):
        covariance[index] = expected_covariance(
            aperture,
            frames,
            position_um=values[index, 0],
            advance_um=values[index, 1],
            extent_um=extent[index],
            window_um=window[index],
            intensity=peak,
            background=background,
            shapes=shapes,
        )
    residual = np.where(found, 1.0, np.nan)
    return MeasuredTraces(found, values, covariance, extent, residual, theta, ~found)
