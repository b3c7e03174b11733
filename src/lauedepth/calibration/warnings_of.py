"""What a user should know about a calibration, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from lauedepth.calibration.displacements import displacement_warnings
from lauedepth.calibration.pose_fit import SLIDING, PoseFit
from lauedepth.calibration.report import ScanPixels

THICK_UM: Final = 10.0
"""In a sample thicker along the beam it is unclear which depth is the known one."""
MINIMUM_SPAN: Final = 0.3
"""Pixels that span a smaller fraction of the detector are called clustered."""
MINIMUM_FOUND: Final = 0.5
MAXIMUM_DISAGREEING: Final = 0.2
NOISY: Final = 2.0


def calibration_warnings(fit: PoseFit, scans: Sequence[ScanPixels]) -> list[str]:
    """Return warnings.

    Of clustered pixels, what is not determined, thick samples, scans that stand elsewhere than
    stated, and bad agreement.

    Parameters
    ----------
    fit : PoseFit
    scans : sequence of ScanPixels
        Those that were fitted.
    """
    return [
        *_clustered(fit, scans),
        *_undetermined(fit),
        *_thick(scans),
        *_drifting(scans),
        *displacement_warnings(fit, scans),
        *_unmatched(scans),
        *_scattered(fit),
    ]


def _clustered(fit: PoseFit, scans: Sequence[ScanPixels]) -> list[str]:
    columns, rows = fit.state.experiment.detector.shape
    row = np.concatenate([scan.row[scan.used] for scan in scans])
    column = np.concatenate([scan.column[scan.used] for scan in scans])
    across, down = np.ptp(column) / columns, np.ptp(row) / rows
    if min(across, down) >= MINIMUM_SPAN:
        return []
    return [
        f"the pixels are clustered: they span {across:.0%} of the detector's columns and "
        f"{down:.0%} of its rows; spread them for a better pose"
    ]


def _undetermined(fit: PoseFit) -> list[str]:
    return [
        f"these data do not determine {held.name}; it is held at its start"
        for held in fit.held
        if held.name != SLIDING
    ]


def _thick(scans: Sequence[ScanPixels]) -> list[str]:
    warnings = []
    for scan in scans:
        width = float(np.median(scan.width_um[scan.used])) if scan.used.any() else 0.0
        if width > THICK_UM:
            warnings.append(
                f"the sample of {scan.name} is not thin: light comes from {width:.0f} µm along "
                "the beam; its middle is assumed to lie at the sample depth"
            )
    return warnings


def _drifting(scans: Sequence[ScanPixels]) -> list[str]:
    return [
        f"the aperture did not move evenly during {scan.name}: it may have drifted by "
        f"{scan.drift_um:.2g} µm, which the errors allow for; check its motor"
        for scan in scans
        if scan.drift_um > 0
    ]


def _unmatched(scans: Sequence[ScanPixels]) -> list[str]:
    warnings = []
    for scan in scans:
        found, used = int(scan.found.sum()), int(scan.used.sum())
        if found < MINIMUM_FOUND * len(scan):
            warnings.append(f"only {found} of {len(scan)} traces of {scan.name} match the code")
        if found - used > MAXIMUM_DISAGREEING * found:
            warnings.append(
                f"{found - used} of {found} pixels of {scan.name} do not agree with the others"
            )
    return warnings


def _scattered(fit: PoseFit) -> list[str]:
    if fit.reduced_chi_square <= NOISY:
        return []
    return [
        f"positions scatter {np.sqrt(fit.reduced_chi_square):.1f} times more than counting "
        "statistics allow; the errors are scaled accordingly"
    ]
