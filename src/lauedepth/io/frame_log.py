"""Columns of a log that was written beside a point: text, one line for each frame."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError
from lauedepth.core.files import read_file

MOST_BYTES: Final = 50_000_000
"""A longer file is no log of one point."""


def read_log_column(path: Path, column: str, frames: int) -> Floats:
    """Read one column of a log: (n_frames,).

    The log has a line of names and then a line of numbers for each frame, separated by commas,
    semicolons, tabs or spaces. Of lines that begin with ``#`` the last before the numbers holds
    the names (``#L`` of SPEC, too); others are comments. What is empty or NaN was not measured.

    Raises
    ------
    InputError
        It cannot be read, has no such column, or another number of lines.
    """
    names, rows = _table(path)
    if names.count(column) != 1:
        raise InputError(
            f"has {names.count(column)} columns {column}; its columns are {', '.join(names)}",
            str(path),
            "name one of them after log:",
        )
    if len(rows) != frames:
        raise InputError(
            f"has {len(rows)} lines of numbers for {frames} frames",
            str(path),
            "give a log with one line for each frame",
        )
    place = names.index(column)
    return np.array([_number(row, place, path) for row in rows])


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the names of columns, and the words of each line of numbers."""
    names: list[str] = []
    rows: list[list[str]] = []
    for line in _text(path).splitlines():
        content = line.strip(" ")
        if content.startswith("#"):
            names = names if rows else _words(re.sub(r"^#(L(?=\s))?\s*", "", content))
        elif content.strip() and not names:
            names = _words(content)
        elif content.strip():
            rows.append(_words(content))
    return names, rows


def _text(path: Path) -> str:
    try:
        return read_file(path, MOST_BYTES).decode("utf-8-sig", errors="replace")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"cannot be read: {reason}", str(path), "check data.frame_log") from error


def _words(line: str) -> list[str]:
    for separator in (",", ";", "\t"):
        if separator in line:
            return [word.strip() for word in line.split(separator)]
    return line.split()


def _number(row: list[str], place: int, path: Path) -> float:
    text = row[place] if place < len(row) else ""
    try:
        return float(text) if text else np.nan
    except ValueError as error:
        raise InputError(f"has {text[:40]!r} where a number should be", str(path)) from error
