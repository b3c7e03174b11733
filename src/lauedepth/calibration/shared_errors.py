"""Errors that pixels have in common: the aperture's jitter and drift, and its bars' edges.

Counting noise averages out over pixels; what they share does not. All pixels of a scan see the
same jitter, frame by frame. Pixels that look through the same stretch of code see the same
edges, in whatever scan: where edges stand off by e(x), a pixel's position is off by the mean of e
over the stretch that it sees, and its advance by the slope of e there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from lauedepth.calibration.positions import MeasuredTraces
from lauedepth.core.arrays import Flags, Floats

CELL_UM: Final = 11.25
"""Stretch of code whose edges err together: the mean width of a bit."""
RATIOS: Final = (1e-3, 1e5)
"""Variance of the largest pattern of edges, in units of the noise: what is tried."""
TRIED: Final = 200


def shared_jitter(
    measured: Sequence[MeasuredTraces], used: Sequence[Flags], combinations: Floats
) -> Floats:
    """Return what the pixels' common jitter adds to the covariance of combinations of pulls.

    Parameters
    ----------
    measured : sequence of MeasuredTraces
        Of each scan.
    used : sequence of (n_pixels,) bool arrays
    combinations : (n_pulls, n) array

    Returns
    -------
    (n, n) array
        Without what each pixel's own pulls have of it already.
    """
    added = np.zeros((combinations.shape[1], combinations.shape[1]))
    begin = 0
    for one, mask in zip(measured, used, strict=True):
        size = one.values.shape[1]
        mine = combinations[begin : begin + size * int(mask.sum())]
        begin += len(mine)
        if one.shared_jitter is not None:
            factor = np.linalg.cholesky(one.covariance[mask])
            shaken = np.linalg.solve(factor, one.shared_jitter[mask])
            each = mine.reshape(-1, size, mine.shape[1]).transpose(0, 2, 1) @ shaken
            together = each.sum(axis=0)
            added += together @ together.T - np.einsum("pkf,plf->kl", each, each)
    return added


def shared_drift(
    measured: Sequence[MeasuredTraces],
    used: Sequence[Flags],
    reaches: Sequence[float],
    combinations: Floats,
) -> Floats:
    """Return what a drift of each scan adds to the covariance of combinations of pulls.

    Its mean moves the positions of all pixels of the scan, its slope their advances.

    Parameters
    ----------
    measured, used
        As in `shared_jitter`.
    reaches : sequence of float
        Frames from the middle of each scan to its ends.
    combinations : (n_pulls, n) array

    Returns
    -------
    (n, n) array
    """
    added = np.zeros((combinations.shape[1], combinations.shape[1]))
    begin = 0
    for one, mask, reach in zip(measured, used, reaches, strict=True):
        size = one.values.shape[1]
        mine = combinations[begin : begin + size * int(mask.sum())]
        begin += len(mine)
        if one.drift_um > 0 and len(mine):
            line = np.zeros((size, 2))
            line[[0, 1], [0, 1]] = one.drift_um, one.drift_um / reach
            moved = np.linalg.solve(np.linalg.cholesky(one.covariance[mask]), line)
            together = mine.T @ moved.reshape(-1, 2)
            added += together @ together.T
    return added


def pulls_of_edges(
    length_um: float,
    measured: Sequence[MeasuredTraces],
    used: Sequence[Flags],
    reaches: Sequence[float],
) -> Floats:
    """Return what edges that are off by 1 µm in one cell of the code do to pulls.

    Parameters
    ----------
    length_um : float
        Of the code.
    measured, used, reaches
        As in `shared_drift`.

    Returns
    -------
    (n_used, n_measured, n_cells) array
        Of the pixels of all scans in turn.
    """
    cells = (np.arange(max(int(length_um / CELL_UM), 1)) + 0.5) * CELL_UM
    pulls = []
    for one, mask, reach in zip(measured, used, reaches, strict=True):
        values = one.values[mask]
        frame = (cells - values[:, :1]) / values[:, 1:2]  # in which a cell is seen
        seen = np.abs(frame) <= reach
        count = np.maximum(seen.sum(axis=1, keepdims=True), 1)
        centred = np.where(seen, frame, 0.0)
        shifts = np.zeros((len(values), values.shape[1], cells.size))
        shifts[:, 0] = seen / count
        shifts[:, 1] = centred / np.maximum((centred**2).sum(axis=1, keepdims=True), 1e-300)
        pulls.append(np.linalg.solve(np.linalg.cholesky(one.covariance[mask]), shifts))
    return np.concatenate(pulls)


def variances(residuals: Floats, fitted: Floats, edges: Floats) -> tuple[float, float]:
    """Return the variances of pulls: of what each has alone, and of the edges, µm².

    By restricted maximum likelihood, which allows for what the fit takes up.

    Parameters
    ----------
    residuals : (n_pulls,) array
    fitted : (n_pulls, n_fitted) array
        Orthonormal directions that the fit takes up.
    edges : (n_pixels, n_measured, n_cells) array
        See `pulls_of_edges`.
    """
    flat = edges.reshape(len(residuals), -1)
    freedom = max(residuals.size - fitted.shape[1], 1)
    squares = float(residuals @ residuals)
    patterns, sizes, _ = np.linalg.svd(flat - fitted @ (fitted.T @ flat), full_matrices=False)
    seen = sizes > 1e-9 * max(float(sizes.max(initial=0.0)), 1e-300)
    along, power = (patterns[:, seen].T @ residuals) ** 2, sizes[seen] ** 2
    if not squares or not power.size:
        return squares / freedom, 0.0
    rest = max(squares - float(along.sum()), 0.0)
    ratios = np.concatenate([[0.0], np.geomspace(*RATIOS, TRIED) / power.max()])
    grown = 1 + ratios[:, None] * power
    white = ((along / grown).sum(axis=1) + rest) / freedom
    cost = freedom * np.log(white) + np.log(grown).sum(axis=1)
    best = int(np.argmin(cost))
    return float(white[best]), float(ratios[best] * white[best])
