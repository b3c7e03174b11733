"""A measured frame as the light source of a simulated scan: each spot is assigned a depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Detector, Region
from lauedepth.simulation.flaws import generator
from lauedepth.simulation.sources import LightSources

TILE = 64
"""Size in pixels of the tiles in which the background is estimated."""

WIDTHS_UM = (2.0, 20.0)
"""Range of the random lengths of the spots' depth intervals."""


@dataclass(frozen=True)
class SpotImage:
    """A measured frame, separated into spots and background.

    Attributes
    ----------
    light : (rows, columns) array
        Counts above the background inside spots, 0 elsewhere.
    label : (rows, columns) int32 array
        Number of the spot from 1, 0 outside.
    background : (rows, columns) array
        Smooth background counts.
    region : Region
        The part of the detector that the frame covers.
    """

    light: Floats
    label: npt.NDArray[np.int32]
    background: Floats
    region: Region

    @property
    def n_spots(self) -> int:
        """Number of spots found."""
        return int(self.label.max(initial=0))


def place_image(
    image: npt.NDArray[np.generic], detector: Detector, start: tuple[int, int] | None = None
) -> tuple[npt.NDArray[np.generic], Region]:
    """Place a frame on a detector of another size, pixel by pixel.

    Parameters
    ----------
    image : (rows, columns) array
    detector : Detector
    start : (int, int), optional
        Detector (column, row) of the image's first pixel; by default the image is centred.
        Parts outside the detector are cut off.

    Returns
    -------
    image : array
        The part on the detector.
    region : Region
        Its position.

    Raises
    ------
    InputError
        If it is not an image, or lies entirely outside the detector.
    """
    if image.ndim != 2 or image.size == 0:
        raise InputError(f"shape {image.shape} is not a frame", "image", "give rows x columns")
    nx, ny = detector.shape
    rows, columns = image.shape
    left, top = start or ((nx - columns) // 2, (ny - rows) // 2)
    cut = image[max(0, -top) : max(0, ny - top), max(0, -left) : max(0, nx - left)]
    if cut.size == 0:
        raise InputError(
            f"start {(left, top)} puts it outside the detector of {nx} x {ny} pixels",
            "image",
            "choose a start on the detector, or omit it",
        )
    return cut, Region((cut.shape[0], cut.shape[1]), (max(0, left), max(0, top)))


def segment_image(
    image: npt.NDArray[np.generic],
    region: Region,
    *,
    threshold_sigma: float = 6.0,
    min_pixels: int = 4,
) -> SpotImage:
    """Find the spots of a frame.

    A pixel belongs to a spot where it is more than `threshold_sigma` times the local noise
    above the local background (median and median absolute deviation, in tiles); neighbouring
    pixels form one spot.

    Parameters
    ----------
    image : (rows, columns) array
    region : Region
        Its position on the detector (`place_image`).
    threshold_sigma : float
    min_pixels : int
        Smaller spots are taken as noise.
    """
    values = np.nan_to_num(np.asarray(image, np.float64), nan=0.0)
    level, noise = _local_background(values)
    above = values > level + threshold_sigma * noise
    label, count = ndimage.label(above, structure=np.ones((3, 3), int))
    sizes = np.bincount(np.ravel(label), minlength=count + 1)
    kept = sizes >= min_pixels
    kept[0] = False
    number = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    label = number[label]
    light = np.where(label > 0, np.maximum(values - level, 0.0), 0.0)
    return SpotImage(light, label, np.maximum(level, 0.0), region)


def sources_from_image(
    spots: SpotImage,
    *,
    depths_um: tuple[float, float],
    widths_um: tuple[float, float] = WIDTHS_UM,
    intervals_um: Floats | None = None,
    seed: int = 0,
) -> LightSources:
    """Assign each spot of a frame a depth interval.

    Parameters
    ----------
    spots : SpotImage
    depths_um : (float, float)
        Range within which random intervals lie.
    widths_um : (float, float)
        Range of their lengths.
    intervals_um : (n_spots, 2) array, optional
        Start and end of each spot, instead of random ones.
    seed : int
        Of the random numbers.
    """
    rows, columns = np.nonzero(spots.light)
    grain = spots.label[rows, columns]
    if intervals_um is None:
        rng = generator(seed)
        width = rng.uniform(*widths_um, spots.n_spots)
        begin = rng.uniform(depths_um[0], np.maximum(depths_um[0], depths_um[1] - width))
        intervals = np.stack([begin, begin + width], axis=1)
    else:
        intervals = np.asarray(intervals_um, np.float64)
    if intervals.shape != (spots.n_spots, 2):
        raise InputError(
            f"{len(intervals)} depth intervals for {spots.n_spots} spots",
            "image",
            "give a start and an end for each spot",
        )
    begin, end = intervals[grain - 1].T
    return LightSources.of(rows, columns, begin, end, spots.light[rows, columns], grain=grain)


def _local_background(values: Floats) -> tuple[Floats, Floats]:
    """Return the level between spots and its noise, smooth over the frame."""
    level = _median_field(values)
    scatter = 1.4826 * _median_field(np.abs(values - level))
    return level, np.maximum(scatter, np.sqrt(np.maximum(level, 1.0)))


def _median_field(values: Floats) -> Floats:
    """Return medians of tiles, interpolated linearly between their centres and to the edges."""
    counts = [max(1, size // TILE) for size in values.shape]
    medians = np.array(
        [
            [np.median(piece) for piece in np.array_split(band, counts[1], axis=1)]
            for band in np.array_split(values, counts[0], axis=0)
        ]
    )
    medians = np.pad(medians, 1, mode="reflect", reflect_type="odd")
    places = [
        (np.arange(size) + 0.5) * count / size + 0.5
        for size, count in zip(values.shape, counts, strict=True)
    ]
    where = np.meshgrid(*places, indexing="ij")
    return np.asarray(ndimage.map_coordinates(medians, where, order=1, mode="nearest"))
