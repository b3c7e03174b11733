"""Which pixels to calibrate with: bright ones that see the code, spread over the detector."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Flags, Floats
from lauedepth.core.decoding.answers import is_measured

Ints = npt.NDArray[np.int64]

CELLS: Final = 16
"""The image is divided into this many cells per side; each gives its best pixels in turn."""
STANDS_OUT: Final = 6.0
"""Robust standard deviations by which a pixel is brighter than its cell's background."""
MINIMUM_CONTRAST: Final = 100.0
"""Minimum excess of chi-square for a trace to be placed on the code well."""


def spot_pixels(mean: Floats, minimum: float) -> Flags:
    """Return the pixels of a mean image that stand out from the background around them.

    Parameters
    ----------
    mean : (rows, columns) array
        Mean counts per frame.
    minimum : float
        Minimum mean counts per frame.

    Returns
    -------
    (rows, columns) bool array
    """
    bright = np.zeros(mean.shape, np.bool_)
    edges = [np.linspace(0, size, CELLS + 1).astype(int) for size in mean.shape]
    for top, bottom in pairwise(edges[0]):
        for left, right in pairwise(edges[1]):
            cell = mean[top:bottom, left:right]
            if cell.size:
                level = float(np.median(cell))
                spread = 1.4826 * float(np.median(np.abs(cell - level)))
                bright[top:bottom, left:right] = cell > level + STANDS_OUT * spread
    return bright & (mean >= minimum)


def spread_choice(
    row: npt.ArrayLike,
    column: npt.ArrayLike,
    worth: Floats,
    number: int,
    image_shape: tuple[int, int],
) -> Ints:
    """Choose pixels of the highest worth, cell by cell in turn.

    Parameters
    ----------
    row, column : (n,) array_like
        Image pixels.
    worth : (n,) array
    number : int
        The maximum number to choose.
    image_shape : (int, int)
        Rows, columns.

    Returns
    -------
    (m,) int64 array
        Indices, in the order in which they were chosen.
    """
    rows, columns = image_shape
    cell = (np.asarray(row) * CELLS // rows) * CELLS + np.asarray(column) * CELLS // columns
    order = np.lexsort((-worth, cell))
    ordered = cell[order]
    starts = np.searchsorted(ordered, ordered, side="left")
    turn = np.arange(order.size) - starts
    by_turn = np.lexsort((-worth[order], turn))
    return np.asarray(order[by_turn][:number], np.int64)


def coded_contrast(counts: npt.NDArray[np.generic], usable: Flags) -> Floats:
    """Return how much each trace varies beyond counting noise; 0 for saturated ones.

    Parameters
    ----------
    counts : (n_pixels, n_frames) array
    usable : (n_frames,) bool array

    Returns
    -------
    (n_pixels,) array
        Excess of chi-square about the mean over the number of frames, never negative.
    """
    readings = counts[:, usable]
    whole = np.all(is_measured(readings), axis=1)
    values = readings.astype(np.float64)
    values = np.where(whole[:, None], values, 0.0)
    level = values.mean(axis=1)
    chi_square = ((values - level[:, None]) ** 2).sum(axis=1) / np.maximum(level, 1e-12)
    return np.where(whole & (level > 0), np.maximum(chi_square - values.shape[1], 0.0), 0.0)
