"""Calibrations over time: what each found, and how it differs from the one before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from lauedepth.calibration.report import CalibrationReport


@dataclass(frozen=True)
class CalibrationRecord:
    """What one calibration found.

    Attributes
    ----------
    when : datetime
        When it was made.
    values, errors : dict of str to float
        By name of the parameters that were determined.
    depth_error_um : float
    sample_depth_um : float
    scans : list of str
    """

    when: datetime
    values: dict[str, float]
    errors: dict[str, float]
    depth_error_um: float
    sample_depth_um: float
    scans: list[str]

    @classmethod
    def of(cls, report: CalibrationReport, when: datetime) -> CalibrationRecord:
        """Return the record of a calibration."""
        determined = [one for one in report.fit.parameters if one.determined]
        return cls(
            when,
            {one.name: one.value for one in determined},
            {one.name: one.error for one in determined},
            report.depth_error_um,
            report.sample_depth_um,
            [scan.name for scan in report.scans],
        )

    def pulls(self, before: CalibrationRecord) -> dict[str, float]:
        """Return the changes since another calibration, in their standard errors."""
        return {
            name: (value - before.values[name])
            / float(np.hypot(self.errors[name], before.errors[name]))
            for name, value in self.values.items()
            if name in before.values and self.errors[name] + before.errors[name] > 0
        }


@dataclass(frozen=True)
class HistoryEntry:
    """One calibration among others.

    Attributes
    ----------
    name : str
        What to call it.
    record : CalibrationRecord
    pulls : dict of str to float
        Against the calibration before; empty for the first.
    """

    name: str
    record: CalibrationRecord
    pulls: dict[str, float]


def in_order(records: Iterable[tuple[str, CalibrationRecord]]) -> list[HistoryEntry]:
    """Return named calibrations, the oldest first, each compared with the one before."""
    found = sorted(records, key=lambda one: one[1].when)
    befores = [None, *(record for _, record in found[:-1])]
    return [
        HistoryEntry(name, record, record.pulls(before) if before else {})
        for (name, record), before in zip(found, befores, strict=True)
    ]
