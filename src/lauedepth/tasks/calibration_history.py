"""What calibrations found, kept in the files that they wrote and read back from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from lauedepth.calibration import CalibrationRecord, HistoryEntry, in_order
from lauedepth.core.errors import InputError
from lauedepth.core.files import read_file

MARK: Final = "# record: "
"""Begins the line of a calibrated experiment that programs read."""


def record_line(record: CalibrationRecord) -> str:
    """Return a record as a line of a comment, without what begins it."""
    mark = MARK.removeprefix("# ")
    return mark + json.dumps(asdict(record) | {"when": record.when.isoformat()})


def read_history(paths: Sequence[Path]) -> list[HistoryEntry]:
    """Read calibrated experiments, the oldest first.

    Raises
    ------
    InputError
        A file cannot be read, or holds no calibration.
    """
    return in_order((str(path), read_record(path)) for path in paths)


def read_record(path: Path) -> CalibrationRecord:
    """Read what a calibration found from the experiment that it wrote.

    Raises
    ------
    InputError
        The file cannot be read, or holds no calibration.
    """
    try:
        lines = read_file(path).decode("utf-8").splitlines()
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
