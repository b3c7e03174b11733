"""Spots: neighbouring pixels whose light comes from the same depths."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from lauedepth.core.arrays import Flags, Floats

REACH_PX: Final = 2.3
"""Pixels this near belong together: a pixel that was not decoded may lie between them."""
DEPTH_SIGMAS: Final = 4.0
DEPTH_SLACK_UM: Final = 2.0
"""Depths agree within `DEPTH_SIGMAS` standard errors and this."""
LEAST_ERROR_UM, MOST_ERROR_UM = 1e-3, 3.0
"""Errors outside are no measurement's: a depth that may be anywhere would join what is apart."""


@dataclass(frozen=True)
class FoundPixels:
    """Depths found in pixels, one row per pixel and depth.

    Attributes
    ----------
    row, column : (n,) arrays
        Unbinned detector coordinates of the pixels' centres (`Region.unbinned`).
    depth_um, depth_error_um, width_um : (n,) arrays
        Centroid of the light's depth, its standard error, full width.
    intensity, background : (n,) arrays
        Counts per frame, as in `DecodedPixels`.
    """

    row: Floats
    column: Floats
    depth_um: Floats
    depth_error_um: Floats
    width_um: Floats
    intensity: Floats
    background: Floats

    def __post_init__(self) -> None:
        sizes = {field.name: np.shape(getattr(self, field.name)) for field in fields(self)}
        if len(set(sizes.values())) > 1 or len(self.row.shape) != 1:
            raise ValueError(f"columns of one length are needed, not {sizes}")

    def __len__(self) -> int:
        return int(self.row.size)

    def chosen(self, rows: Flags | npt.NDArray[np.intp]) -> FoundPixels:
        """Return rows chosen by a mask or by indices."""
        return FoundPixels(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def usable(self) -> Flags:
        """Rows in which everything that a spot is made of is known, and the depth well enough."""
        known = self.row + self.column + self.depth_um + self.width_um + self.background
        errors = (self.depth_error_um >= LEAST_ERROR_UM) & (self.depth_error_um <= MOST_ERROR_UM)
        light = np.isfinite(self.intensity) & (self.intensity > 0)
        return np.asarray(np.isfinite(known) & errors & light)


@dataclass(frozen=True)
class Spots:
    """Spots, the brightest first.

    Attributes
    ----------
    row, column : (n,) arrays
        Centroid of the light, unbinned detector coordinates.
    row_error, column_error : (n,) arrays
        Their standard errors from counting.
    depth_um, depth_error_um : (n,) arrays
        Centroid in depth and its standard error.
    begin_um, end_um : (n,) arrays
        The interval of depth that the light comes from.
    edge_error_um : (n,) array
        Standard error of either end.
    intensity : (n,) array
        Counts per frame, summed over the pixels.
    pixels : (n,) int64 array
        How many rows of the table each was made of.
    member : (n_rows,) int64 array
        The spot of each row of the table of pixels; -1 for none.
    """

    row: Floats
    column: Floats
    row_error: Floats
    column_error: Floats
    depth_um: Floats
    depth_error_um: Floats
    begin_um: Floats
    end_um: Floats
    edge_error_um: Floats
    intensity: Floats
    pixels: npt.NDArray[np.int64]
    member: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.row.size)


def join_pixels(
    found: FoundPixels,
    frames: int,
    *,
    binning: tuple[int, int] = (1, 1),
    least_pixels: int = 2,
) -> Spots:
    """Join pixels to spots.

    Two pixels belong together where they are within 2.3 image pixels of each other and their
    depths agree within four standard errors and 2 µm; a spot is all that hangs together so.
    Rows without a depth, light or an error from 0.001 to 3 µm are left out.

    Parameters
    ----------
    found : FoundPixels
    frames : int
        Frames that the depths were decoded from; counting errors follow from it.
    binning : (int, int)
        Unbinned pixels per image pixel along (columns, rows).
    least_pixels : int
        A spot of fewer pixels is none.

    Returns
    -------
    Spots

    Raises
    ------
    ValueError
        There are no frames.
    """
    if frames < 1:
        raise ValueError(f"{frames} frames cannot have told depths")
    rows = np.flatnonzero(found.usable)
    table = found.chosen(rows)
    label = _joined(table, binning)
    size = np.bincount(label)
    light = np.bincount(label, table.intensity)
    order = np.argsort(-light, kind="stable")
    order = order[size[order] >= least_pixels]
    number = np.full(size.size, -1)
    number[order] = np.arange(order.size)
    member = np.full(len(found), -1)
    member[rows] = number[label]
    kept = number[label] >= 0
    return _measured(table.chosen(kept), number[label][kept], order.size, frames, member)


def _joined(table: FoundPixels, binning: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Return the group that each row belongs to."""
    place = np.stack([table.row / binning[1], table.column / binning[0]], axis=1)
    if not len(table):
        return np.zeros(0, np.int64)
    first, second = cKDTree(place).query_pairs(REACH_PX, output_type="ndarray").T
    apart = np.abs(table.depth_um[first] - table.depth_um[second])
    error = np.hypot(table.depth_error_um[first], table.depth_error_um[second])
    close = apart <= DEPTH_SIGMAS * error + DEPTH_SLACK_UM
    links = coo_array((np.ones(close.sum()), (first[close], second[close])), (len(table),) * 2)
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def _measured(
    table: FoundPixels,
    spot: npt.NDArray[np.int64],
    count: int,
    frames: int,
    member: npt.NDArray[np.int64],
) -> Spots:
    def total(values: Floats) -> Floats:
        return np.asarray(np.bincount(spot, values, count), np.float64)

    light = total(table.intensity)
    # an intensity is the difference of the means of two halves of the frames
    variance = 2 * (table.intensity + 2 * np.maximum(table.background, 0.0)) / frames

    def centroid(place: Floats) -> tuple[Floats, Floats]:
        mean = total(table.intensity * place) / light
        return mean, np.sqrt(total(variance * (place - mean[spot]) ** 2)) / light

    row, row_error = centroid(table.row)
    column, column_error = centroid(table.column)
    weight = table.depth_error_um**-2.0
    information = total(weight)

    def average(values: Floats) -> tuple[Floats, Floats]:
        mean = total(weight * values) / information
        freedom = np.maximum(np.bincount(spot, minlength=count) - 1, 1)
        scatter = total(weight * (values - mean[spot]) ** 2) / freedom
        return mean, np.sqrt(np.maximum(scatter, 1.0) / information)

    half = table.width_um / 2
    depth, depth_error = average(table.depth_um)
    begin, begin_error = average(table.depth_um - half)
    end, end_error = average(table.depth_um + half)
    # the centroid of a box is the mean of two ends, which err independently
    edge_error = np.maximum(np.sqrt(2) * depth_error, np.maximum(begin_error, end_error))
    return Spots(
        row=row,
        column=column,
        row_error=row_error,
        column_error=column_error,
        depth_um=depth,
        depth_error_um=depth_error,
        begin_um=begin,
        end_um=end,
        edge_error_um=edge_error,
        intensity=light,
        pixels=np.bincount(spot, minlength=count),
        member=member,
    )
