"""How far the aperture was displaced between scans, against what was stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from lauedepth.calibration.parameters import State, parameters_named
from lauedepth.calibration.pose_fit import PoseFit, Problem, fit_pose, predicted
from lauedepth.calibration.positions import MeasuredTraces, Scan
from lauedepth.calibration.report import ScanPixels
from lauedepth.core.arrays import Flags
from lauedepth.core.errors import InputError

CONTRADICTION_MM: Final = 0.005
"""Scans whose shifts disagree by more cannot be fitted together as stated."""
SIGNIFICANT: Final = 5.0
"""Standard errors."""
REMARKABLE_MM: Final = 1e-3
"""Displacements that were not stated are named from this size on."""
PROBE_MM: Final = 1e-3
"""Displacement by which the slope of positions is found."""


def refuse_contradictions(
    start: State,
    scans: Sequence[Scan],
    measured: Sequence[MeasuredTraces],
    used: Sequence[Flags],
) -> None:
    """Refuse scans whose shifts contradict the first, where they are taken as stated.

    Raises
    ------
    InputError
        A scan disagrees by more than `CONTRADICTION_MM`.
    """
    alone = Problem(start, parameters_named(("pose",)), tuple(scans[:1]), tuple(measured[:1]))
    state = fit_pose(alone, used[:1]).state
    for scan, traces, mask in zip(scans[1:], measured[1:], used[1:], strict=True):
        off_mm, error_mm = _off_mm(state, scan, traces, mask)
        if abs(off_mm) < max(SIGNIFICANT * error_mm, CONTRADICTION_MM):
            continue
        raise InputError(
            f"contradicts the first scan: it stands {off_mm:+.5f} ± {error_mm:.5f} mm from where "
            f"its shift of {scan.shift_mm:g} mm puts it",
            scan.name,
            f"give --shift-mm {scan.shift_mm + off_mm:.4f} if that is possible, or leave it out",
        )


def displacement_warnings(fit: PoseFit, scans: Sequence[ScanPixels]) -> list[str]:
    """Return where scans stand elsewhere than their shifts put them, which was fitted."""
    warnings = []
    fitted = {one.name: one for one in fit.parameters}
    for number, scan in enumerate(scans[1:], 2):
        names = [f"displacement_{number}_{axis}_mm" for axis in "xyz"]
        parts = [fitted[name] for name in names if name in fitted]
        seen = [one for one in parts if one.determined and abs(one.value) > SIGNIFICANT * one.error]
        if any(abs(one.value) > REMARKABLE_MM for one in seen):
            where = ", ".join(f"{one.value:+.4f}" for one in parts)
            warnings.append(
                f"the aperture of {scan.name} stood ({where}) mm (x, y, z) from where its shift of "
                f"{scan.shift_mm:g} mm puts it, judged by {scans[0].name}; the fit allows for it"
            )
    return warnings


def _off_mm(state: State, scan: Scan, measured: MeasuredTraces, used: Flags) -> tuple[float, float]:
    """Return how far a scan's aperture stands from where it should, and a robust error."""
    here = predicted(state, scan)[:, 0]
    moved = predicted(state, replace(scan, shift_mm=scan.shift_mm + PROBE_MM))[:, 0]
    off = (measured.values[used, 0] - here[used]) / (moved - here)[used] * PROBE_MM
    middle = float(np.median(off))
    spread = 1.4826 * float(np.median(np.abs(off - middle)))
    return middle, max(spread, 1e-6) * 1.25 / np.sqrt(used.sum()) + 1e-5
