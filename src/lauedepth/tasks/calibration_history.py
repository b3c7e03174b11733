"""Calibrations over time: what each found is kept in its file, and compared with the one before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from lauedepth.calibration import CalibrationReport
from lauedepth.core.errors import InputError

MARK: Final = "# record: "
"""Begins the line of a calibrated experiment that programs read."""


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

    def line(self) -> str:
        """Return the record as one line, without the mark."""
        return json.dumps(asdict(self) | {"when": self.when.isoformat()})

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
    path : Path
    record : CalibrationRecord
    pulls : dict of str to float
        Against the calibration before; empty for the first.
    """

    path: Path
    record: CalibrationRecord
    pulls: dict[str, float]


def read_history(paths: Sequence[Path]) -> list[HistoryEntry]:
    """Read calibrated experiments, the oldest first.

    Raises
    ------
    InputError
        A file cannot be read, or holds no calibration.
    """
    found = sorted(((read_record(path), path) for path in paths), key=lambda one: one[0].when)
    befores = [None, *(record for record, _ in found[:-1])]
    return [
        HistoryEntry(path, record, record.pulls(before) if before else {})
        for (record, path), before in zip(found, befores, strict=True)
    ]


def read_record(path: Path) -> CalibrationRecord:
    """Read what a calibration found from the experiment that it wrote.

    Raises
    ------
    InputError
        The file cannot be read, or holds no calibration.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot be read as a calibrated experiment", str(path)) from error
    for line in lines:
        if line.startswith(MARK):
            return _parsed(line.removeprefix(MARK), path)
    raise InputError(
        "holds no calibration", str(path), "give files that lauedepth calibrate has written"
    )


def _parsed(text: str, path: Path) -> CalibrationRecord:
    try:
        data: dict[str, Any] = json.loads(text)
        data["when"] = datetime.fromisoformat(data["when"])
        return CalibrationRecord(**data)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "the record of the calibration is damaged", str(path), "calibrate again"
        ) from error
