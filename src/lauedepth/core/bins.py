"""The footprint in bins of depth: where they lie, and the non-negative solve within."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from lauedepth.core.footprint import PixelView, Source
from lauedepth.core.limits import EDGE_INTENSITY, MARGIN_PART, MARGIN_UM

Floats = npt.NDArray[np.float64]


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


@dataclass(frozen=True)
class Solution:
    """Non-negative footprints of a trace.

    Attributes
    ----------
    footprints : tuple of (support.count,) arrays
        Counts a frame in each bin.
    background : float
    chi_square : float
    """

    footprints: tuple[Floats, ...]
    background: float
    chi_square: float


def solve_footprint(
    view: PixelView, counts: Floats, weights: Floats, bins: Bins, supports: tuple[Support, ...]
) -> Solution:
    """Solve for non-negative bins and background by weighted least squares."""
    from scipy.optimize import nnls  # noqa: PLC0415  (slow)

    columns = [
        view.mean_open_fraction(begin, end)
        for support in supports
        for begin, end in pairwise(bins.edges_um(support))
    ]
    basis = np.stack([*columns, np.ones_like(counts)], axis=1)
    root = np.sqrt(weights)
    values, norm = nnls(basis * root[:, None], counts * root)
    cuts = np.cumsum([support.count for support in supports])[:-1]
    return Solution(tuple(np.split(values[:-1], cuts)), float(values[-1]), float(norm**2))


def centroid_of(bins: Bins, support: Support, footprint: Floats) -> float:
    """Return the centroid of a footprint, µm."""
    return float(footprint @ bins.centres_um(support) / footprint.sum())


def supports_of(bins: Bins, sources: tuple[Source, ...]) -> tuple[Support, ...]:
    """Return the bins of each source with a margin, neighbours kept apart."""
    spans = []
    for source in sources:
        width = source.end_um - source.begin_um
        margin = max(MARGIN_UM, MARGIN_PART * width)
        spans.append([source.begin_um - margin, source.end_um + margin])
    if len(sources) == 1:
        return (bins.cover(*spans[0]),)
    low, high = sorted((0, 1), key=lambda index: sources[index].begin_um)
    middle = (sources[low].end_um + sources[high].begin_um) / 2
    spans[low][1] = min(spans[low][1], middle)
    spans[high][0] = max(spans[high][0], middle)
    supports = [bins.cover(*span) for span in spans]
    shared = max(0, supports[low].stop - supports[high].first)
    supports[high] = Support(supports[high].first + shared, supports[high].count - shared)
    return tuple(supports)


def widened(
    bins: Bins, supports: tuple[Support, ...], footprints: tuple[Floats, ...]
) -> tuple[Support, ...]:
    """Return supports grown at the ends where the footprint has not fallen off."""
    if len(supports) > 1:
        return supports
    (support,), (footprint,) = supports, footprints
    edge = EDGE_INTENSITY * footprint.max(initial=0.0)
    grow = max(2, support.count // 4)
    first = max(0, support.first - grow) if footprint[0] > edge else support.first
    stop = min(bins.count, support.stop + grow) if footprint[-1] > edge else support.stop
    return (Support(first, stop - first),)
