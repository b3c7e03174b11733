"""Traces of a scan that one aperture and one depth explain; scans without enough are refused."""

from __future__ import annotations

from lauedepth.calibration.consistency import MINIMUM_PIXELS, consistent
from lauedepth.calibration.parameters import State
from lauedepth.calibration.positions import MeasuredTraces, Scan, advances_to_try
from lauedepth.core.arrays import Flags
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.raymap import RayMap


class MismatchError(InputError):
    """Traces do not go with the experiment: code or scan may run in the opposite sense."""


def refuse_few_pixels(scan: Scan) -> None:
    """Refuse a scan of too few pixels, before anything is measured.

    Raises
    ------
    InputError
        It has fewer than `MINIMUM_PIXELS`.
    """
    if len(scan) < MINIMUM_PIXELS:
        raise InputError(
            f"{len(scan)} pixels are too few to calibrate with",
            scan.name,
            f"give at least {MINIMUM_PIXELS}, better 50, spread over the detector",
        )


def matching_pixels(start: State, scan: Scan, measured: MeasuredTraces) -> Flags:
    """Return the pixels of a scan whose positions on the code belong together.

    Parameters
    ----------
    start : State
        What the traces were searched with.
    scan : Scan
    measured : MeasuredTraces
        Of this scan.

    Returns
    -------
    (n_pixels,) bool array

    Raises
    ------
    MismatchError
        Too few traces match the code, or too few of them go together.
    """
    used = consistent(scan.row, scan.column, measured.values[:, 0], measured.found)
    if used.any():
        return used
    found = int(measured.found.sum())
    if found < MINIMUM_PIXELS:
        raise MismatchError(
            f"{found} of {len(scan)} traces match the code; searched {_searched(start, scan)}",
            scan.name,
            "check code, step, frames and that the sample is thin, or start from a closer pose",
        )
    raise MismatchError(
        f"{found} of {len(scan)} traces match the code, but no {MINIMUM_PIXELS} of them are "
        "consistent with one aperture and one depth",
        scan.name,
        "calibrate with a thin sample, so that all light comes from one depth",
    )


def _searched(start: State, scan: Scan) -> str:
    """Return in words where on the code, and for which advances, a scan was searched."""
    experiment = scan.experiment(start.experiment)
    rays = RayMap.of(experiment, scan.row, scan.column)
    frames = experiment.frames.indices
    tried = [
        advances_to_try(advance, abs(slope), experiment.motion.step_um, frames[-1] - frames[0])
        for advance, slope in zip(
            rays.advance_um(start.depth_um), rays.slope(start.depth_um), strict=True
        )
    ]
    low, high = min(one.min() for one in tried), max(one.max() for one in tried)
    return (
        f"the whole code (0 to {experiment.aperture.length_um:.0f} µm) for advances of "
        f"{low:.3f} to {high:.3f} µm per frame (turns up to 2°)"
    )
