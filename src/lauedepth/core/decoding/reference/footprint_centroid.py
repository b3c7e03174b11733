"""The centroid of a footprint and its error, whatever the footprint's shape.

Two explanations of a trace are weighed against each other. One is even light: the boxes as they
were fitted. The other lets the values v of the bins be normally distributed about the box's before
the counts are seen, from one bin to the next they wander by a part of the box's height, freely at
its ends and little outside of it. With expected counts S v, weights W and stiffness P,

    v = v_box + (S^T W S + P)^-1 S^T W (counts - S v_box),

with the covariance (S^T W S + P)^-1, of which the centroid's variance is a part: what the trace
does not tell of the shape is in the error. Values may come out negative here, as a bound would
bias the centroid (the footprint that is stored has one). The odds of the second explanation are
the ratio of the evidences (MacKay 2003, chapter 28), each the best fit times the part of what was
possible before that is left: for even light with its ends and intensity known to `limits.BOX_KNOWN`
before the counts are seen. Depth and variance are those of both together, by their odds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.bins import Bins, Support
from lauedepth.core.decoding.limits import WANDER_AT_ENDS, WANDER_INSIDE, WANDER_OUTSIDE
from lauedepth.core.decoding.reference.box_fit import BoxFit, Source


@dataclass(frozen=True)
class Located:
    """Where footprints lie.

    Attributes
    ----------
    centroid_um, error_um : (n_sources,) arrays
    background : float
        Counts per frame.
    chi_square : float
    """

    centroid_um: Floats
    error_um: Floats
    background: float
    chi_square: float


def locate(
    basis: Floats,
    counts: Floats,
    weights: Floats,
    bins: Bins,
    supports: tuple[Support, ...],
    fit: BoxFit,
) -> Located:
    """Find the centroids of footprints in bins.

    Parameters
    ----------
    basis : (n_frames, n_bins + 1) array
        T averaged over each bin of the supports, one after the other, and ones.
    counts, weights : (n_frames,) arrays
    bins : Bins
    supports : tuple of Support
        One for each source of the fit.
    fit : BoxFit
    """
    even = Located(
        np.array([source.centroid_um for source in fit.sources]),
        np.array([source.error_um for source in fit.sources])
        * np.sqrt(max(1.0, fit.chi_square / fit.freedom)),
        fit.background,
        fit.chi_square,
    )
    shaped, log_odds = _free(basis, counts, weights, bins, supports, fit)
    odds = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -700.0, 700.0)))
    part = np.where(np.isnan(shaped.centroid_um), 0.0, odds)
    first, second = even.centroid_um, np.where(part > 0, shaped.centroid_um, 0.0)
    centroid = (1 - part) * first + part * second
    variance = (1 - part) * (even.error_um**2 + (first - centroid) ** 2)
    spread = np.where(part > 0, shaped.error_um**2, 0.0) + (second - centroid) ** 2
    return Located(
        centroid,
        np.sqrt(variance + part * spread),
        (1 - odds) * even.background + odds * shaped.background,
        (1 - odds) * even.chi_square + odds * shaped.chi_square,
    )


def _free(
    basis: Floats,
    counts: Floats,
    weights: Floats,
    bins: Bins,
    supports: tuple[Support, ...],
    fit: BoxFit,
) -> tuple[Located, float]:
    """Locate footprints of free shape; return the logarithm of their odds too.

    A centroid is NaN where the bins hold no light that lies within them.
    """
    before = np.append(np.zeros(basis.shape[1] - 1), fit.background)
    stiffness = np.zeros((before.size, before.size))
    log_possible, begin = 0.0, 0
    for support, source in zip(supports, fit.sources, strict=True):
        part = slice(begin, begin + support.count)
        before[part] = _box(bins, support, source)
        stiffness[part, part] = _stiffness(bins, support, source)
        log_possible += np.linalg.slogdet(stiffness[part, part])[1]
        begin += support.count
    gram = basis.T @ (weights[:, None] * basis)
    covariance = np.linalg.inv(gram + stiffness)
    step = covariance @ (basis.T @ (weights * (counts - basis @ before)))
    values = before + step
    chi_square = float(weights @ (counts - basis @ values) ** 2)
    scale = max(1.0, chi_square / fit.freedom)
    gain = (fit.chi_square - chi_square - step @ stiffness @ step) / scale
    log_left = np.linalg.slogdet(gram + stiffness)[1] - np.log(gram[-1, -1]) - log_possible
    log_odds = 0.5 * (gain - log_left + fit.log_narrowing)
    centroid, variance = np.full(len(supports), np.nan), np.full(len(supports), np.nan)
    begin = 0
    for number, support in enumerate(supports):
        part = slice(begin, begin + support.count)
        depths, total = bins.centres_um(support), values[part].sum()
        begin += support.count
        middle = values[part] @ depths / total if total > 0 else np.nan
        if depths[0] - bins.width_um / 2 < middle < depths[-1] + bins.width_um / 2:
            slope = (depths - middle) / total
            centroid[number] = middle
            variance[number] = slope @ covariance[part, part] @ slope
    background = max(float(values[-1]), 0.0)
    return Located(centroid, np.sqrt(scale * variance), background, chi_square), float(log_odds)


def _box(bins: Bins, support: Support, source: Source) -> Floats:
    """Return the values of a box that the bins share out."""
    edges = bins.edges_um(support)
    shared = np.minimum(edges[1:], source.end_um) - np.maximum(edges[:-1], source.begin_um)
    shared = np.clip(shared, 0.0, None)
    total = shared.sum()
    return np.asarray(source.intensity * shared / total if total > 0 else shared)


def _stiffness(bins: Bins, support: Support, source: Source) -> Floats:
    """Return the inverse covariance of the values about the box's, before the counts are seen."""
    edges, width = bins.edges_um(support), bins.width_um
    near = np.minimum(np.abs(edges - source.begin_um), np.abs(edges - source.end_um)) < width
    inside = (edges > source.begin_um) & (edges < source.end_um)
    wander = np.where(inside, WANDER_INSIDE, WANDER_OUTSIDE) * np.sqrt(width)
    wander[near] = WANDER_AT_ENDS
    height = source.intensity * width / max(source.end_um - source.begin_um, width)
    steps = np.diff(np.eye(support.count), axis=0, prepend=0.0, append=0.0)
    steps /= height * wander[:, None]
    return np.asarray(steps.T @ steps)
