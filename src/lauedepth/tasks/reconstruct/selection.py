"""Which pixels of a point are decoded: by their mean count, or by a mask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lauedepth.config import ExperimentConfig
from lauedepth.config.array_file import read_array
from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Frames, Region
from lauedepth.core.progress import StageProgress, no_progress
from lauedepth.io import Point
from lauedepth.io.odd_pixels import odd_pixels

Mask = npt.NDArray[np.bool_]
Pixels = float | Mask
"""Minimum of the mean counts per frame, or a (rows, columns) mask of the whole detector."""


@dataclass(frozen=True)
class Selection:
    """The pixels to decode.

    Attributes
    ----------
    lit : (rows, columns) bool array
    mean : (rows, columns) array or None
        Mean counts per frame, where whoever chose knows them.
    """

    lit: Mask
    mean: Floats | None = None


def read_mask(path: Path | str, shape: tuple[int, int]) -> Mask:
    """Read a mask of the whole detector from a ``.npy`` file.

    Parameters
    ----------
    path : Path or str
    shape : (int, int)
        Unbinned (columns, rows) of the detector.

    Raises
    ------
    InputError
        Not a boolean array of the detector's rows and columns.
    """
    try:
        mask = read_array(Path(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"mask cannot be read: {reason}", str(path)) from error
    if mask.dtype != np.bool_ or mask.shape != shape[::-1]:
        raise InputError(
            f"mask is {mask.dtype} {mask.shape}, not bool {shape[::-1]}",
            str(path),
            "give a boolean (rows, columns) array of the full detector",
        )
    return np.asarray(mask, np.bool_)


def with_threshold(config: ExperimentConfig, pixels: Pixels | None) -> ExperimentConfig:
    """Return the experiment with the threshold that was asked for, if one was.

    It takes the place of the experiment's mask.
    """
    if pixels is None or isinstance(pixels, np.ndarray):
        return config
    changes = {"min_mean_counts": float(pixels), "mask": None}
    selection = config.selection.model_copy(update=changes)
    return config.model_copy(update={"selection": selection})


def select_pixels(
    point: Point,
    config: ExperimentConfig,
    mask: Mask | None = None,
    *,
    frames: Frames | None = None,
    progress: StageProgress = no_progress,
) -> Mask:
    """Return the image pixels to decode.

    Parameters
    ----------
    point : Point
    config : ExperimentConfig
        Its selection's window always holds; its threshold where there is no mask.
    mask : (ny, nx) bool array, optional
        Of the whole detector, unbinned; the experiment's own by default. A binned pixel is
        taken when all of it is.
    frames : Frames, optional
        Which frames the mean is taken over; those of the experiment by default.
    progress : callable, optional
        Called with the numbers of frames done and in all.

    Returns
    -------
    (rows, columns) bool array
    """
    if mask is None:
        mask = config.selection.mask_pixels()
    if mask is None:
        return pixels_above_threshold(point.mean_image(frames, progress), point, config)
    return _within(_image_mask(mask, point.region), point, config)


def pixels_above_threshold(mean: Floats, point: Point, config: ExperimentConfig) -> Mask:
    """Return the image pixels whose mean count (rows, columns) reaches the threshold."""
    for notice in odd_pixels(mean, config.selection.min_mean_counts, str(point.path)):
        point.add_notice(notice)
    # A mean that is NaN was never measured.
    return _within(mean >= config.selection.min_mean_counts, point, config)


def _within(wanted: Mask, point: Point, config: ExperimentConfig) -> Mask:
    """Return which of some image pixels lie in the selection's window and are good."""
    chosen = np.zeros(point.shape[1:], np.bool_)
    window = config.selection.window(point.region)
    chosen[window] = wanted[window]
    return chosen if point.bad is None else chosen & ~point.bad


def _image_mask(mask: Mask, region: Region) -> Mask:
    """Return a detector's mask as the image sees it: cut and binned."""
    rows, columns = region.shape
    across, down = region.binning
    top, left = region.start[1], region.start[0]
    part = mask[top : top + rows * down, left : left + columns * across]
    return np.asarray(part.reshape(rows, down, columns, across).all(axis=(1, 3)))
