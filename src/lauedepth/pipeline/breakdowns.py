"""Internal errors of the pipeline: one line for the user, the traceback in a file."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

from lauedepth.pipeline.catalog import plain_cause

LOG: Final = logging.getLogger("lauedepth.live")

BREAKDOWNS: Final = 5
"""Internal errors on one point after which the point is marked as failed."""

FILE: Final = "internal-error.txt"


class Breakdowns:
    """Counts the internal errors on each point.

    Parameters
    ----------
    folder : Path
        Where the last traceback is kept, in a file that never grows.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._counts: Counter[int] = Counter()

    def add(self, point_id: int, error: Exception) -> None:
        """Count an error, and tell it."""
        self._counts[point_id] += 1
        with suppress(OSError):
            self._path.write_text("".join(traceback.format_exception(error)))
        what = f"{type(error).__name__}: {plain_cause(error)}"
        LOG.error(
            "point %d: internal error of the pipeline (%s); see %s", point_id, what, self._path
        )

    def verdict(self, point_id: int) -> str:
        """Return why a point has failed, empty while it may be tried again."""
        number = self._counts[point_id]
        if number < BREAKDOWNS:
            return ""
        return f"the pipeline failed internally on this point {number} times; see {self._path}"
