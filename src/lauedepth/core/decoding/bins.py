"""The bins of a footprint, on the experiment's depths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lauedepth.core.arrays import Floats


@dataclass(frozen=True)
class Support:
    """A run of footprint bins: each `bin` depths of the grid, from `first` on."""

    first: int
    count: int

    @property
    def stop(self) -> int:
        """Index after the last bin."""
        return self.first + self.count


@dataclass(frozen=True)
class Bins:
    """Footprint bins on the experiment's depths.

    Attributes
    ----------
    start_um : float
        Lower edge of the first bin.
    width_um : float
        Width of a bin.
    count : int
        Number of bins.
    """

    start_um: float
    width_um: float
    count: int

    def edges_um(self, support: Support) -> Floats:
        """Return the edges of a run of bins."""
        numbers = np.arange(support.first, support.stop + 1, dtype=np.float64)
        return self.start_um + self.width_um * numbers

    def centres_um(self, support: Support) -> Floats:
        """Return the centres of a run of bins."""
        return self.edges_um(support)[:-1] + self.width_um / 2

    def cover(self, begin_um: float, end_um: float) -> Support:
        """Return the bins that a stretch of depth touches, at least one."""
        first = int(np.floor((begin_um - self.start_um) / self.width_um))
        stop = int(np.ceil((end_um - self.start_um) / self.width_um))
        first = min(max(first, 0), self.count - 1)
        return Support(first, max(min(stop, self.count) - first, 1))
