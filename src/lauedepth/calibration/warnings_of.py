"""What a user should know of a calibration, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from lauedepth.calibration.pose_fit import SLIDING, PoseFit
from lauedepth.calibration.result import ScanPixels

THICK_UM: Final = 10.0
"""A sample thicker along the beam leaves open which depth of it is the known one."""
LEAST_COVER: Final = 0.3
"""Pixels that span less of the detector are called clustered."""
LEAST_FOUND: Final = 0.5
MOST_WRONG: Final = 0.2
NOISY: Final = 2.0


def remarks(fit: PoseFit, scans: Sequence[ScanPixels]) -> list[str]:
    """Return warnings: clustered pixels, what cannot be told, a thick sample, bad agreement."""
    return [*_cover(fit, scans), *_held(fit), *_thick(scans), *_agreement(fit, scans)]


def _cover(fit: PoseFit, scans: Sequence[ScanPixels]) -> list[str]:
    columns, rows = fit.state.experiment.detector.shape
    row = np.concatenate([scan.row[scan.used] for scan in scans])
    column = np.concatenate([scan.column[scan.used] for scan in scans])
    across, down = np.ptp(column) / columns, np.ptp(row) / rows
    if min(across, down) >= LEAST_COVER:
        return []
    return [
        f"the pixels are clustered: they span {across:.0%} of the detector's columns and "
        f"{down:.0%} of its rows; spread them for a better pose"
    ]


def _held(fit: PoseFit) -> list[str]:
    return [
        f"these data cannot tell a change of {held.name}; it is held at its start"
        for held in fit.held
        if held.name != SLIDING
    ]


def _thick(scans: Sequence[ScanPixels]) -> list[str]:
    told = []
    for scan in scans:
        width = float(np.median(scan.width_um[scan.used])) if scan.used.any() else 0.0
        if width > THICK_UM:
            told.append(
                f"the sample of {scan.name} is not thin: light comes from {width:.0f} µm along "
                "the beam; its middle is taken to lie at the sample depth"
            )
    return told


def _agreement(fit: PoseFit, scans: Sequence[ScanPixels]) -> list[str]:
    told = []
    for scan in scans:
        found, used = int(scan.found.sum()), int(scan.used.sum())
        if found < LEAST_FOUND * scan.found.size:
            told.append(f"only {found} of {scan.found.size} traces of {scan.name} match the code")
        if found - used > MOST_WRONG * found:
            told.append(
                f"{found - used} of {found} pixels of {scan.name} do not agree with the others"
            )
    if fit.reduced_chi_square > NOISY:
        told.append(
            f"positions scatter {np.sqrt(fit.reduced_chi_square):.1f} times more than counting "
            "statistics; the errors are scaled to that"
        )
    return told
