"""The footprint in bins of depth: where they lie, and the non-negative solve within."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.bins import Bins, Support
from lauedepth.core.decoding.limits import EDGE_INTENSITY, MARGIN_PART, MARGIN_UM
from lauedepth.core.decoding.reference.box_fit import Source
from lauedepth.core.instrument.pixel_view import PixelView


@dataclass(frozen=True)
class Solution:
    """Non-negative footprints of a trace.

    Attributes
    ----------
    footprints : tuple of (support.count,) arrays
        Counts per frame in each bin.
    chi_square : float
    """

    footprints: tuple[Floats, ...]
    chi_square: float


def basis_of(view: PixelView, bins: Bins, supports: tuple[Support, ...]) -> Floats:
    """Return T averaged over each bin, and ones for the background: (n_frames, n_bins + 1)."""
    columns = [
        view.mean_open_fraction(begin, end)
        for support in supports
        for begin, end in pairwise(bins.edges_um(support))
    ]
    return np.stack([*columns, np.ones_like(view.frames)], axis=1)


def solve_footprint(
    view: PixelView, counts: Floats, weights: Floats, bins: Bins, supports: tuple[Support, ...]
) -> Solution:
    """Solve for non-negative bins and background by weighted least squares."""
    from scipy.optimize import nnls  # noqa: PLC0415  (slow)

    basis, root = basis_of(view, bins, supports), np.sqrt(weights)
    values, norm = nnls(basis * root[:, None], counts * root)
    cuts = np.cumsum([support.count for support in supports])[:-1]
    return Solution(tuple(np.split(values[:-1], cuts)), float(norm**2))


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
