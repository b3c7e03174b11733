"""What of a pixel's counts does not pass the aperture, told by its unlit neighbours.

From a trace alone, light that passes the bars cannot be told from background: with bars that
transmit t, I T + b is I (1 − t) times the open part of the code, on b + I t.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, uniform_filter

from lauedepth.core.arrays import Flags, Floats

TILE: Final = 32
"""Pixels along each side of a tile, in which the background counts as one number."""

MARGIN: Final = 3
"""Pixels next to lit ones that are left out: the tails of spots."""

FEWEST: Final = 30
"""Unlit pixels that a tile needs; others take theirs from tiles at their sides."""

REACH: Final = 3
"""How many tiles away it may be taken from."""

CLIP: Final = 3.0
"""Pixels farther than so many standard deviations from the median are left out."""

CLIP_ROUNDS: Final = 5

MEDIAN_ERROR: Final = 1.2533
"""Standard error of a median, relative to that of a mean, of normal values."""


@dataclass(frozen=True)
class Background:
    """What is known of the background of some pixels.

    Attributes
    ----------
    level, error : (n,) arrays
        Counts per frame and their standard error; NaN where it is not known.
    """

    level: Floats
    error: Floats

    @classmethod
    def of(cls, level: float, pixels: int) -> Self:
        """Return a background that is known, the same for all pixels."""
        return cls(np.full(pixels, level), np.zeros(pixels))

    @classmethod
    def unknown(cls, pixels: int) -> Self:
        """Return that nothing is known."""
        return cls(np.full(pixels, np.nan), np.full(pixels, np.nan))

    def __len__(self) -> int:
        return int(self.level.size)

    def pick(self, which: npt.NDArray[np.generic]) -> Background:
        """Return that of some pixels."""
        return Background(self.level[which], self.error[which])


@dataclass(frozen=True)
class BackgroundMap:
    """The background all over an image, tile by tile.

    Attributes
    ----------
    level, error : (tiles down, tiles across) arrays
        At the middle of each tile; NaN where no unlit pixels are near.
    tile_px : int
        Pixels along each side of a tile.
    """

    level: Floats
    error: Floats
    tile_px: int = TILE

    @classmethod
    def of(cls, mean: Floats, lit: Flags) -> Self:
        """Measure the background between lit pixels.

        Parameters
        ----------
        mean : (rows, columns) array
            Mean counts per frame; NaN where nothing was measured.
        lit : (rows, columns) bool array
            Pixels with a signal.
        """
        near = binary_dilation(lit, iterations=MARGIN)
        level, error = _clipped(_tiles(np.where(near, np.nan, mean)))
        level, error = _filled(level, error)
        return cls(level, np.hypot(error, _unevenness(level)))

    @classmethod
    def even(cls, level: float) -> Self:
        """Return a background that is the same everywhere, and known."""
        return cls(np.full((1, 1), level), np.zeros((1, 1)))

    def at(self, row: npt.NDArray[np.generic], column: npt.NDArray[np.generic]) -> Background:
        """Return the background of image pixels, between the middles of tiles by straight lines."""
        down = _between(np.asarray(row, np.float64), self.level.shape[0], self.tile_px)
        across = _between(np.asarray(column, np.float64), self.level.shape[1], self.tile_px)
        level, error = (np.zeros(down[0].size) for _ in range(2))
        whole = np.zeros(down[0].size)
        for at_row, row_weight in zip(down[:2], (1.0 - down[2], down[2]), strict=True):
            for at_column, column_weight in zip(
                across[:2], (1.0 - across[2], across[2]), strict=True
            ):
                value = self.level[at_row, at_column]
                weight = row_weight * column_weight * np.isfinite(value)
                level += weight * np.nan_to_num(value)
                error += weight * np.nan_to_num(self.error[at_row, at_column])
                whole += weight
        whole[whole < 1e-9] = np.nan
        return Background(level / whole, error / whole)


def _between(
    place: Floats, tiles: int, tile_px: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    """Return the tiles on either side of pixels, and how far they are from the first."""
    at = np.clip((place + 0.5) / tile_px - 0.5, 0.0, tiles - 1.0)
    first = np.minimum(at.astype(np.int64), max(tiles - 2, 0))
    return first, np.minimum(first + 1, tiles - 1), at - first


def _tiles(image: Floats) -> Floats:
    """Cut an image up: (tiles down, tiles across, pixels of a tile), NaN beyond its edge."""
    rows, columns = image.shape
    down, across = -(-rows // TILE), -(-columns // TILE)
    whole = np.full((down * TILE, across * TILE), np.nan)
    whole[:rows, :columns] = image
    cut = whole.reshape(down, TILE, across, TILE).swapaxes(1, 2)
    return np.asarray(cut.reshape(down, across, TILE * TILE))


def _clipped(tiles: Floats) -> tuple[Floats, Floats]:
    """Return the median of each tile and its error, without what stands out; NaN for too few."""
    values = np.sort(tiles, axis=2)  # NaN last
    count = np.isfinite(values).sum(axis=2)
    first, last = np.zeros_like(count), count
    for _ in range(CLIP_ROUNDS):
        middle, spread = _quantiles(values, first, last)
        low, high = middle - CLIP * spread, middle + CLIP * spread
        within = (values >= low[..., None]) & (values <= high[..., None])
        first, last = (
            np.argmax(within, axis=2),
            values.shape[2] - np.argmax(within[..., ::-1], axis=2),
        )
        last = np.where(within.any(axis=2), last, first)
    middle, spread = _quantiles(values, first, last)
    count = last - first
    enough = count >= FEWEST
    error = MEDIAN_ERROR * spread / np.sqrt(np.maximum(count, 1))
    return np.where(enough, middle, np.nan), np.where(enough, error, np.nan)


def _quantiles(
    values: Floats, first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Return the median of sorted values and their spread, from the 16th to the 84th percent."""

    def at(part: float) -> Floats:
        place = first + np.round(part * np.maximum(last - first - 1, 0)).astype(np.int64)
        place = np.minimum(place, values.shape[2] - 1)
        return np.asarray(np.take_along_axis(values, place[..., None], axis=2)[..., 0])

    return at(0.5), (at(0.8413) - at(0.1587)) / 2


def _filled(level: Floats, error: Floats) -> tuple[Floats, Floats]:
    """Give tiles without a background that of tiles near them, less certain with distance."""
    for _ in range(REACH):
        known = np.isfinite(level)
        if known.all() or not known.any():
            break
        weight = uniform_filter(known.astype(np.float64), 3, mode="constant") * 9
        mean = uniform_filter(np.where(known, level, 0.0), 3, mode="constant") * 9
        square = uniform_filter(np.where(known, level, 0.0) ** 2, 3, mode="constant") * 9
        largest = uniform_filter(np.where(known, error, 0.0), 3, mode="constant") * 9
        near = ~known & (weight > 0.5)
        mean, square = mean[near] / weight[near], square[near] / weight[near]
        level[near] = mean
        scatter = np.maximum(square - mean**2, 0.0)
        error[near] = np.sqrt(scatter + (2.0 * largest[near] / weight[near]) ** 2)
    return level, error


def _unevenness(level: Floats) -> Floats:
    """Return by how much tiles differ from the mean of those around them, smoothed (rms)."""
    known = np.isfinite(level)
    value = np.where(known, level, 0.0)
    weight = uniform_filter(known.astype(np.float64), 3, mode="constant")
    mean = uniform_filter(value, 3, mode="constant") / np.maximum(weight, 1e-9)
    square = np.where(known, (value - mean) ** 2, 0.0)
    mean_square = uniform_filter(square, 3, mode="constant") / np.maximum(weight, 1e-9)
    rms = np.sqrt(np.maximum(mean_square, 0.0))  # sums of a filter may be less by rounding
    return np.where(known, rms, np.nan)
