"""How long a job may run before it counts as hanging."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Final

from lauedepth.pipeline.catalog import Catalog

FACTOR: Final = 20.0
"""A job may run this many times as long as the others did, whose points differ in size."""

LEAST_S: Final = 600.0
"""Where jobs are short, the machine may be busy with something else for as long."""

ENOUGH: Final = 3
"""Successful jobs from which a limit is taken; before them, there is none."""

HUNG: Final = "hung and was ended"


def time_limit(catalog: Catalog, limit_s: float) -> float:
    """Return the time after which a job counts as hanging (s).

    Parameters
    ----------
    catalog : Catalog
        Tells how long the newest successful jobs ran.
    limit_s : float
        What the settings say; 0 to take it from the catalog.
    """
    if limit_s:
        return limit_s
    seconds = catalog.job_seconds()
    if len(seconds) < ENOUGH:
        return float("inf")
    return max(LEAST_S, FACTOR * statistics.median(seconds))


class Stopwatch:
    """Tells when a job has run too long; time in the queue does not count.

    Parameters
    ----------
    limit_s : float
    clock : callable
        Seconds from a clock that never jumps.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit_s, self._clock = limit_s, clock
        self._began: float | None = None

    def is_over(self) -> bool:
        """Return whether the job has run too long; call it only while the job runs."""
        if self._began is None:
            self._began = self._clock()
        return self._clock() - self._began > self.limit_s
