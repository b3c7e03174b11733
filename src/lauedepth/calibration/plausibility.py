"""Whether a pose that fits can be: between sample and detector, near its start, of all scans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from lauedepth.calibration.consistency import MINIMUM_PIXELS
from lauedepth.calibration.depth_error import detector_grid
from lauedepth.calibration.matching import MismatchError
from lauedepth.calibration.parameters import POSE, State, displacement_parameters
from lauedepth.calibration.pose_fit import PoseFit
from lauedepth.calibration.positions import Scan, middle_frame
from lauedepth.core.arrays import Flags
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.geometry import aperture_centres, pixel_positions, pose_matrix

FAR: Final = 10.0
"""A pose further from its start than this many of the parameters' scales is refused."""
MINIMUM_KEPT: Final = 0.5
"""Fraction of a scan's matching pixels that the fit must keep."""
GRID: Final = 3


def refuse_implausible(
    start: State, found: PoseFit, scans: Sequence[Scan], matching: Sequence[Flags]
) -> None:
    """Refuse a pose that fits the traces and cannot be right.

    Parameters
    ----------
    start : State
    found : PoseFit
    scans : sequence of Scan
    matching : sequence of (n_pixels,) bool arrays
        Pixels of each scan that matched the code before the fit.

    Raises
    ------
    MismatchError
        The aperture would not stand between sample and detector, or the fit has dropped most of
        the first scan.
    InputError
        The pose is far from its start, or the fit has dropped most of another scan.
    """
    for number, scan in enumerate(scans):
        _refuse_dropped(scan, matching[number], found.used[number], number == 0)
    if not is_between(found.state.experiment):
        was, now = start.experiment.pose.dist_mm, found.state.experiment.pose.dist_mm
        raise MismatchError(
            "the pose that fits is mirrored through the sample: the aperture would not stand "
            f"between sample and detector (dist_mm {now:.4g}, at the start {was:.4g})",
            scans[0].name,
            "check the sense of the code and of the scan",
        )
    _refuse_far(found, scans[0], len(scans))


def is_between(experiment: Experiment) -> bool:
    """Return whether rays from the sample cross the aperture on their way to the detector."""
    row, column = detector_grid(experiment.detector, GRID)
    normal = pose_matrix(experiment.pose)[:, 1]
    centre = aperture_centres(experiment, middle_frame(experiment.frames))
    reach = (centre @ normal) / (pixel_positions(experiment.detector, row, column) @ normal)
    return bool(np.all((reach > 0) & (reach < 1)))


def _refuse_dropped(scan: Scan, matching: Flags, used: Flags, is_first: bool) -> None:
    """Refuse a fit that has dropped most of a scan; the first anchors the pose."""
    before, after = int(matching.sum()), int(used.sum())
    if after >= max(MINIMUM_PIXELS, MINIMUM_KEPT * before):
        return
    what = f"only {after} of {before} pixels that match the code agree with the pose that fits best"
    if is_first:
        raise MismatchError(what, scan.name, "check code, step and frames")
    raise InputError(
        what,
        scan.name,
        "check that it was made with the same aperture and sample as the first scan, or leave it "
        "out",
    )


def _refuse_far(found: PoseFit, scan: Scan, scans: int) -> None:
    change = {one.name: one.value - one.start for one in found.parameters if one.determined}
    scales = {one.name: one.scale for one in (*POSE, *displacement_parameters(POSE, scans))}
    far = [
        f"{name} by {change[name]:+.3g}"
        for name, scale in scales.items()
        if abs(change.get(name, 0.0)) > FAR * scale
    ]
    if far:
        raise InputError(
            f"what fits is far beyond its start: {', '.join(far)}",
            scan.name,
            "if it can be right, start from there; else check code, step and the detector",
        )
