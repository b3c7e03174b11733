"""Does a point agree with the pose in use? How fast its traces advance on the code shows it.

The advance per frame is step (d.a - m d.n). It hardly depends on depth, so any sample shows
it. The difference from the pose's own prediction is a line in m, over the detector:

    advance - predicted = step (stretch + m turn).

A turn of the aperture about its bars is seen in the slope, a wrong step in the offset. A shift
of the aperture does not show: it needs a sample at a known depth (`calibrate`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from lauedepth.calibration.consistency import MINIMUM_PIXELS
from lauedepth.calibration.positions import (
    Scan,
    fit_scan,
    frames_from_middle,
    measured_traces,
    middle_frame,
)
from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap

ROUNDS: Final = 10
HUBER: Final = 2.0
SIGNIFICANT: Final = 5.0
"""Standard errors."""
MINIMUM_TURN_DEG: Final = 0.02
MINIMUM_STRETCH_PERCENT: Final = 0.05
MAXIMUM_OUTSIDE: Final = 0.2


@dataclass(frozen=True)
class PoseCheck:
    """How a point agrees with a pose.

    Attributes
    ----------
    pixels : int
        Traces that could be placed on the code.
    turn_deg, turn_error_deg : float
        Turn of the aperture about its bars that the traces ask for if the step is right; NaN
        where unknown.
    stretch_percent, stretch_error_percent : float
        Change of the step that they ask for if the aperture is not turned.
    outside : float
        Fraction of the pixels whose light, by this pose, comes from outside the depths asked for.
    warnings : tuple of str
        Empty where nothing speaks against the pose.
    """

    pixels: int
    turn_deg: float
    turn_error_deg: float
    stretch_percent: float
    stretch_error_percent: float
    outside: float
    warnings: tuple[str, ...]


def check_pose(experiment: Experiment, scan: Scan) -> PoseCheck:
    """Compare traces of any sample with the pose in use.

    Parameters
    ----------
    experiment : Experiment
    scan : Scan
        Some tens of bright pixels, spread over the detector.

    Returns
    -------
    PoseCheck
    """
    depths = experiment.depths
    middle = (depths.start_um + depths.stop_um) / 2
    here = scan.experiment(experiment)
    fits = fit_scan(experiment, scan, depth_um=middle)
    measured = measured_traces(fits, scan, frames_from_middle(here))
    rays = RayMap.of(here, scan.row, scan.column)
    found = measured.found
    if found.sum() < MINIMUM_PIXELS:
        missing = (
            f"only {int(found.sum())} of {len(scan)} bright traces match the code: "
            "pose, step or code may be wrong"
        )
        unknown = float("nan")
        return PoseCheck(int(found.sum()), unknown, unknown, unknown, unknown, unknown, (missing,))
    step = experiment.motion.step_um
    off = (measured.values[:, 1] - rays.advance_um(middle))[found] / step
    error = np.sqrt(measured.covariance[found, 1, 1]) / abs(step)
    turn = _amount(rays.slope(middle)[found], off, error)
    stretch = _amount(np.ones(off.size), off, error)
    depth = rays.depth_um(measured.values[:, 0], middle_frame(scan.experiment(experiment).frames))[
        found
    ]
    outside = float(np.mean((depth < depths.start_um) | (depth > depths.stop_um)))
    return PoseCheck(
        pixels=int(found.sum()),
        turn_deg=float(np.rad2deg(turn.value)),
        turn_error_deg=float(np.rad2deg(turn.error)),
        stretch_percent=100 * stretch.value,
        stretch_error_percent=100 * stretch.error,
        outside=outside,
        warnings=(*_advance_warning(turn, stretch), *_outside_warning(outside)),
    )


@dataclass(frozen=True)
class _Amount:
    """How much of one pattern the advances hold."""

    value: float
    error: float

    @property
    def sigma(self) -> float:
        return abs(self.value) / self.error


def _amount(pattern: Floats, off: Floats, error: Floats) -> _Amount:
    """Fit off = value x pattern, robustly (Huber's weights)."""
    weight, value, scale = np.ones_like(off), 0.0, 1.0
    for _ in range(ROUNDS):
        information = float((weight * (pattern / error) ** 2).sum())
        value = float((weight * pattern * off / error**2).sum()) / information
        pull = np.abs(off - value * pattern) / error
        scale = max(1.0, 1.4826 * float(np.median(pull)))
        weight = np.minimum(1.0, HUBER * scale / np.maximum(pull, 1e-9))
    return _Amount(value, scale / float(np.sqrt(information)))


def _advance_warning(turn: _Amount, stretch: _Amount) -> list[str]:
    """Return what explains the advances better: a turn, or another step."""
    better = max(turn, stretch, key=lambda amount: amount.sigma)
    if better.sigma < SIGNIFICANT:
        return []
    if better is turn:
        value, error = np.rad2deg(turn.value), np.rad2deg(turn.error)
        cause = f"the aperture were turned by {value:+.3f} ± {error:.3f}° about its bars"
        if abs(value) < MINIMUM_TURN_DEG:
            return []
    else:
        value, error = 100 * stretch.value, 100 * stretch.error
        cause = f"a step were {value:+.2f} ± {error:.2f} % longer"
        if abs(value) < MINIMUM_STRETCH_PERCENT:
            return []
    return [
        f"traces advance over the detector as if {cause}: the pose no longer holds; calibrate "
        "again with lauedepth calibrate"
    ]


def _outside_warning(outside: float) -> list[str]:
    if outside <= MAXIMUM_OUTSIDE:
        return []
    return [
        f"by this pose, the light of {outside:.0%} of the bright pixels comes from outside the "
        "depths asked for: widen depths, or calibrate again with lauedepth calibrate"
    ]
