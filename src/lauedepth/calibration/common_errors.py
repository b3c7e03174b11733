"""What depths take over from what a calibration assumes: the sample, the aperture, the detector.

None of it shows in the scatter of the positions. With a wrong assumption the fit finds another
pose; depths decoded with that pose, and that assumption, are then off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lauedepth.calibration.depth_error import depth_slopes
from lauedepth.calibration.parameters import DETECTOR, FITTABLE, TILT, Parameter
from lauedepth.calibration.pose_fit import HELD_PART, PoseFit, Problem, slopes
from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.geometry import scan_direction

ASSUMED: Final[tuple[tuple[str, tuple[Parameter, ...], float], ...]] = (
    ("per µm of the sample's depth", FITTABLE["sample-depth"], 1.0),
    ("per µm that the sample's depth grows over the detector", TILT, 1.0),
    ("per mm of the detector's place", DETECTOR[:3], 1.0),
    ("per 0.1° of its rotation", DETECTOR[3:], 0.1),
)
"""In words, parameters (the root of the sum of their squares is given), and by how much."""


@dataclass(frozen=True)
class CommonError:
    """An error that all pixels have in common.

    Attributes
    ----------
    cause : str
        Such as "per µm of the sample's depth".
    depth_um : float
        What it does to depths, rms over the detector and the range of depths.
    """

    cause: str
    depth_um: float


def common_errors(problem: Problem, found: PoseFit) -> tuple[CommonError, ...]:
    """Return what depths take over from assumptions, and from the aperture moving later.

    Parameters
    ----------
    problem : Problem
    found : PoseFit
        Its solution.
    """
    here = replace(problem, start=found.state)
    assumed = [
        CommonError(words, _taken_over(here, found, parameters, amount))
        for words, parameters, amount in ASSUMED
        if not any(one in problem.parameters for one in parameters)
    ]
    moved = CommonError(
        "per µm that the aperture moves along its scan afterwards", _of_moving(here)
    )
    return (*assumed, moved)


def _taken_over(
    problem: Problem, found: PoseFit, parameters: Sequence[Parameter], amount: float
) -> float:
    """Return the error of depths where assumed parameters are off, and the fit makes up for it."""
    wider = replace(problem, parameters=(*problem.parameters, *parameters))
    size, scales = len(problem.parameters), wider.scales
    pulls = slopes(wider, found.used, np.zeros(scales.size))
    left, sizes, rows = np.linalg.svd(pulls[:, :size], full_matrices=False)
    kept = sizes > 1 / HELD_PART
    answer = -rows[kept].T @ ((left[:, kept].T @ pulls[:, size:]) / sizes[kept, None])
    change = scales[:, None] * np.concatenate([answer, np.eye(len(parameters))])
    depth = depth_slopes(problem.start, wider.parameters) @ change
    return amount * _rms(depth / scales[size:])


def _of_moving(problem: Problem) -> float:
    pose = depth_slopes(problem.start, FITTABLE["pose"][:3])
    along = scan_direction(problem.start.experiment.motion)
    return _rms((pose @ along)[:, None]) * 1e-3


def _rms(depth: Floats) -> float:
    """Return the rms over depths (n_depths, n_parameters), parameters summed in quadrature."""
    return float(np.sqrt((depth**2).sum(axis=1).mean()))
