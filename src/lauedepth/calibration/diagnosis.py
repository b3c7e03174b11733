"""Why a point does not decode: common mistakes in an experiment, tried one by one.

Some lit traces are decoded again with each mistake undone. The one that makes them decode is
named. What no mistake of the list explains is left to how the traces advance on the code
(`drift.check_pose`), which needs no depth range: it tells light from outside the range, a wrong
step and a turned aperture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lauedepth.calibration.detector_gain import GainEstimate, estimate_gain
from lauedepth.calibration.drift import check_pose
from lauedepth.calibration.positions import Scan
from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.pixels import DecodeOptions, PixelFlag, PixelStatus
from lauedepth.core.instrument.experiment import Experiment, Pose
from lauedepth.core.notices import Notice, warning

CAUSE_DECODED: Final = 0.6
"""Share of the traces that must decode, to noise, with a mistake undone for it to be the cause."""
CAUSE_GAIN: Final = 0.3
"""How much more than as described."""
MAXIMUM_RESIDUAL: Final = 3.0
"""Chi-square per degree of freedom of a trace that counts as explained."""
COUNTS_PER_PHOTON: Final = (0.7, 1.4)
"""Range in which readings count as photons: the estimate is good to a fifth."""
POSE_SCAN: Final = 24
"""Traces that are placed on the code without regard to the depth range."""


@dataclass(frozen=True)
class Mistake:
    """A mistake in an experiment, and how it is undone.

    Attributes
    ----------
    code, what, remedy : str
        Of the notice that names it.
    undo : callable
        (experiment, scan) -> (experiment, scan) without the mistake.
    can_be : callable
        Whether an experiment can hold it.
    """

    code: str
    what: str
    remedy: str
    undo: Callable[[Experiment, Scan], tuple[Experiment, Scan]]
    can_be: Callable[[Experiment], bool] = lambda experiment: True


def _with_code_reversed(experiment: Experiment, scan: Scan) -> tuple[Experiment, Scan]:
    aperture = replace(experiment.aperture, code=experiment.aperture.code[::-1])
    return replace(experiment, aperture=aperture), scan


def _with_step_reversed(experiment: Experiment, scan: Scan) -> tuple[Experiment, Scan]:
    motion = replace(experiment.motion, step_um=-experiment.motion.step_um)
    return replace(experiment, motion=motion), scan


def _with_frames_reversed(experiment: Experiment, scan: Scan) -> tuple[Experiment, Scan]:
    return experiment, replace(scan, counts=scan.counts[:, ::-1], usable=scan.usable[::-1])


def _with_widths_swapped(experiment: Experiment, scan: Scan) -> tuple[Experiment, Scan]:
    old = experiment.aperture
    swapped = replace(old, open_width_um=old.bar_width_um, bar_width_um=old.open_width_um)
    return replace(experiment, aperture=swapped), scan


def _with_angles_from_radians(experiment: Experiment, scan: Scan) -> tuple[Experiment, Scan]:
    old = experiment.pose
    angles = np.rad2deg([old.anglex_deg, old.angley_deg, old.anglez_deg])
    pose = Pose(old.cenx_mm, old.dist_mm, old.cenz_mm, *map(float, angles))
    return replace(experiment, pose=pose), scan


def _with_shift_at_first_frame(experiment: Experiment, scan: Scan) -> tuple[Experiment, Scan]:
    motion, first = experiment.motion, experiment.frames.first
    shift = motion.shift_mm - first * motion.step_um / 1000
    return replace(experiment, motion=replace(motion, shift_mm=shift)), scan


def _with_shift_reversed(experiment: Experiment, scan: Scan) -> tuple[Experiment, Scan]:
    motion = replace(experiment.motion, shift_mm=-experiment.motion.shift_mm)
    return replace(experiment, motion=motion), scan


def _with_axis_reversed(experiment: Experiment, scan: Scan) -> tuple[Experiment, Scan]:
    x, y, z = experiment.motion.axis
    return replace(experiment, motion=replace(experiment.motion, axis=(-x, -y, -z))), scan


def _with_far_side_pose(experiment: Experiment, scan: Scan) -> tuple[Experiment, Scan]:
    pose = replace(experiment.pose, dist_mm=-experiment.pose.dist_mm)
    return replace(experiment, pose=pose), scan


def _with_detector_turned_from_degrees(
    experiment: Experiment, scan: Scan
) -> tuple[Experiment, Scan]:
    x, y, z = (float(np.deg2rad(angle)) for angle in experiment.detector.rotation_rad)
    return replace(experiment, detector=replace(experiment.detector, rotation_rad=(x, y, z))), scan


MISTAKES: Final = (
    Mistake(
        "code-reversed",
        "the traces follow the code in the opposite direction",
        "set aperture.reversed the other way",
        _with_code_reversed,
    ),
    Mistake(
        "step-reversed",
        "the aperture moves against the direction that the experiment says",
        "change the sign of motion.step_um",
        _with_step_reversed,
    ),
    Mistake(
        "frames-reversed",
        "the frames are stored from the last to the first",
        "put the frames into the order in which they were taken",
        _with_frames_reversed,
    ),
    Mistake(
        "widths-swapped",
        "the widths of open and absorbing bits are exchanged",
        "exchange aperture.open_width_um and aperture.bar_width_um",
        _with_widths_swapped,
    ),
    Mistake(
        "angles-in-radians",
        "the aperture's angles are given in radians",
        "give pose.anglex_deg, angley_deg and anglez_deg in degrees",
        _with_angles_from_radians,
    ),
    Mistake(
        "shift-at-first-frame",
        "motion.shift_mm belongs to the first frame used, not to frame 0 of the file",
        "subtract data.first_frame times motion.step_um from motion.shift_mm",
        _with_shift_at_first_frame,
    ),
    Mistake(
        "shift-reversed",
        "the aperture is displaced against the direction that the experiment says",
        "change the sign of motion.shift_mm",
        _with_shift_reversed,
    ),
    Mistake(
        "axis-reversed",
        "the scan axis points the opposite way",
        "change the sign of motion.axis",
        _with_axis_reversed,
    ),
    Mistake(
        "aperture-below-beam",
        "the aperture stands on the other side of the beam",
        "change the sign of pose.dist_mm",
        _with_far_side_pose,
        lambda experiment: experiment.pose.dist_mm < 0,  # it always stands above the beam
    ),
    Mistake(
        "detector-rotation-in-degrees",
        "the detector's rotation is given in degrees",
        "give detector.rotation_rad in radians",
        _with_detector_turned_from_degrees,
    ),
)
"""In the order in which they are named where two explain the traces equally well."""


def find_cause(
    experiment: Experiment, scan: Scan, decoder: Decoder, options: DecodeOptions
) -> tuple[Notice, ...]:
    """Name what makes traces not decode.

    Parameters
    ----------
    experiment : Experiment
        As described.
    scan : Scan
        Some tens of traces that hold coded light, spread over the detector.
    decoder : Decoder
    options : DecodeOptions

    Returns
    -------
    tuple of Notice
        The likely cause; empty where the traces decode as described, or nothing is found.
    """
    detector = _detector_warning(estimate_gain(scan.counts, scan.usable))
    if detector:
        return detector
    described = _explained(experiment, scan, decoder, options)
    shares = [
        _explained(*one.undo(experiment, scan), decoder, options) if one.can_be(experiment) else 0.0
        for one in MISTAKES
    ]
    best = int(np.argmax(shares))
    if shares[best] >= max(CAUSE_DECODED, described + CAUSE_GAIN):
        cause = MISTAKES[best]
        text = f"{cause.what}: so {shares[best]:.0%} of {len(scan)} lit traces decode, "
        return (warning(cause.code, f"{text}as described {described:.0%}", "", cause.remedy),)
    return _pose_warnings(experiment, scan)


def _explained(
    experiment: Experiment, scan: Scan, decoder: Decoder, options: DecodeOptions
) -> float:
    """Return the share of traces that one depth explains to about their counting noise."""
    found = decode(
        experiment,
        scan.row,
        scan.column,
        scan.counts,
        backend=decoder,
        options=options,
        usable=scan.usable,
    )
    second = found.trace[found.flags & PixelFlag.SECOND_DEPTH != 0]
    good = (found.status == PixelStatus.DECODED) & ~np.isin(found.trace, second)
    return float((good & (found.residual < MAXIMUM_RESIDUAL)).sum()) / len(scan)


def _detector_warning(gain: GainEstimate) -> tuple[Notice, ...]:
    """Name a detector whose readings are not single photons."""
    low, high = COUNTS_PER_PHOTON
    if not gain.has_offset and (np.isnan(gain.error) or low < gain.counts_per_photon < high):
        return ()
    found = f"detector.counts_per_photon: {gain.counts_per_photon:.3g}"
    scatter = f"readings scatter as if a photon gave {gain.counts_per_photon:.2g} counts"
    if gain.has_offset:
        found += f" and detector.offset: {gain.offset:.0f}"
        scatter += f" above an offset of {gain.offset:.0f}"
    return (warning("detector-gain", scatter, "", f"set {found}"),)


def _pose_warnings(experiment: Experiment, scan: Scan) -> tuple[Notice, ...]:
    some = slice(0, POSE_SCAN)
    part = replace(scan, row=scan.row[some], column=scan.column[some], counts=scan.counts[some])
    return tuple(warning("pose-disagrees", text) for text in check_pose(experiment, part).warnings)
