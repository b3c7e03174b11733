"""How far the aperture was displaced between scans, against what was stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lauedepth.calibration.parameters import State, parameters_named
from lauedepth.calibration.pose_fit import Problem, fit_pose, predicted
from lauedepth.calibration.positions import MeasuredTraces, Scan
from lauedepth.core.arrays import Flags
from lauedepth.core.errors import InputError

CONTRADICTION_MM: Final = 0.005
"""Scans whose shifts disagree by more cannot be fitted together."""
SIGNIFICANT: Final = 5.0
"""Standard errors."""
PROBE_MM: Final = 1e-3
"""Displacement by which the slope of positions is found."""


@dataclass(frozen=True)
class Displacement:
    """How far a scan's aperture stands from where its shift puts it.

    Attributes
    ----------
    scan, reference : Scan
        The scan, and the one that it is compared with.
    off_mm, error_mm : float
        Beyond the shift stated, along the scan, and its standard error.
    """

    scan: Scan
    reference: Scan
    off_mm: float
    error_mm: float

    def __str__(self) -> str:
        return (
            f"{self.scan.name} stands {self.off_mm:+.5f} ± {self.error_mm:.5f} mm from where its "
            f"shift of {self.scan.shift_mm:g} mm puts it, judged by {self.reference.name}"
        )


def unstated_displacements(
    start: State,
    scans: Sequence[Scan],
    measured: Sequence[MeasuredTraces],
    used: Sequence[Flags],
) -> list[Displacement]:
    """Return where scans disagree with the shifts stated for them, significantly but little.

    Raises
    ------
    InputError
        A scan disagrees by more than `CONTRADICTION_MM`.
    """
    best = int(np.argmax([mask.sum() for mask in used]))
    alone = Problem(start, parameters_named(("pose",)), (scans[best],), (measured[best],))
    state = fit_pose(alone, [used[best]]).state
    significant = []
    for number, scan in enumerate(scans):
        off_mm, error_mm = _off_mm(state, scan, measured[number], used[number])
        if number == best or abs(off_mm) < SIGNIFICANT * error_mm:
            continue
        found = Displacement(scan, scans[best], off_mm, error_mm)
        if abs(off_mm) > CONTRADICTION_MM:
            raise InputError(
                f"contradicts another scan: {found}",
                scan.name,
                f"give --shift-mm {scan.shift_mm + off_mm:.4f} if that is possible, or leave the "
                "scan out",
            )
        significant.append(found)
    return significant


def _off_mm(state: State, scan: Scan, measured: MeasuredTraces, used: Flags) -> tuple[float, float]:
    """Return how far a scan's aperture stands from where it should, and a robust error."""
    here = predicted(state, scan)[:, 0]
    moved = predicted(state, replace(scan, shift_mm=scan.shift_mm + PROBE_MM))[:, 0]
    off = (measured.values[used, 0] - here[used]) / (moved - here)[used] * PROBE_MM
    middle = float(np.median(off))
    spread = 1.4826 * float(np.median(np.abs(off - middle)))
    return middle, max(spread, 1e-6) * 1.25 / np.sqrt(used.sum()) + 1e-5
