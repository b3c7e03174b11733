"""Decode images that are in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Flags, Floats
from lauedepth.core.decoding.decode import Configured, decode
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.pixels import DecodedPixels, DecodeOptions, PixelFlag
from lauedepth.core.instrument.experiment import Experiment, Region


@dataclass(frozen=True)
class DecodedImages:
    """What was decoded of images.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the images.
    row, column : (n,) int64 arrays
        Image pixel of each row of ``pixels``.
    pixels : DecodedPixels
    """

    shape: tuple[int, int]
    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    pixels: DecodedPixels

    def image(self, name: str) -> Floats:
        """Return one of the pixels' values as an image, of pixels with two depths the stronger.

        Parameters
        ----------
        name : str
            An attribute of `DecodedPixels` with one number for each row: "depth_um",
            "intensity", "status", ...

        Returns
        -------
        (rows, columns) array
            NaN where nothing was decoded.
        """
        first = self.pixels.flags & PixelFlag.SECOND_DEPTH == 0
        image = np.full(self.shape, np.nan)
        image[self.row[first], self.column[first]] = getattr(self.pixels, name)[first]
        return image


def decode_images(
    experiment: Experiment | Configured,
    images: npt.NDArray[np.generic],
    *,
    region: Region | None = None,
    pixels: Flags | None = None,
    min_mean_counts: float = 20.0,
    backend: str | Decoder = "auto",
    options: DecodeOptions | None = None,
    usable: Flags | None = None,
) -> DecodedImages:
    """Find the depths from which the light in each pixel of some images came.

    Parameters
    ----------
    experiment : Experiment or ExperimentConfig
    images : (n_frames, rows, columns) array
        The experiment's frames in order; real numbers.
    region : Region, optional
        The part of the detector that the images hold; by default it begins at the detector's
        first pixel and is not binned.
    pixels : (rows, columns) bool array, optional
        The pixels to decode; by default those with `min_mean_counts`.
    min_mean_counts : float
        Least mean counts per frame.
    backend, options, usable
        As for `decode`.

    Returns
    -------
    DecodedImages

    Raises
    ------
    BackendUnavailableError
        The backend asked for cannot run here; says why.
    ValueError
        Shapes that do not fit each other, the detector or the experiment.

    Examples
    --------
    Images of 1 x 2 pixels in the middle of the detector, the first of which is lit from 38 to
    42 µm:

    >>> from lauedepth import load_experiment
    >>> from lauedepth.simulation.forward import Footprints, expected_traces
    >>> config = load_experiment("examples/experiment.yml")
    >>> region = Region(shape=(1, 2), start=(1000, 900))
    >>> light = Footprints(depth_um=40.0, width_um=4.0, intensity=[500.0, 0.0])
    >>> row, column = region.unbinned([0, 0], [0, 1])
    >>> traces = expected_traces(config.to_core(), row, column, light, background=20.0)
    >>> counts = np.random.default_rng(1).poisson(traces).astype(np.uint16)
    >>> images = counts.T.reshape(-1, 1, 2)
    >>> found = decode_images(config, images, region=region, backend="reference")
    >>> [round(depth) if depth == depth else None for depth in found.image("depth_um")[0].tolist()]
    [40, None]
    """
    if images.ndim != 3 or images.dtype.kind not in "fiu":
        raise ValueError(
            f"images are {images.dtype} {images.shape}, not numbers (n_frames, rows, columns)"
        )
    rows, columns = images.shape[1:]
    region = region or Region(shape=(rows, columns))
    chosen = _chosen(images, min_mean_counts, usable) if pixels is None else np.asarray(pixels)
    if region.shape != (rows, columns) or chosen.shape != (rows, columns):
        raise ValueError(
            f"images of {rows} x {columns} pixels do not fit the region {region.shape} "
            f"or the choice of pixels {chosen.shape}"
        )
    if chosen.dtype != np.bool_:
        raise ValueError(f"the choice of pixels is {chosen.dtype}, not bool")
    row, column = np.nonzero(chosen)
    detector_row, detector_column = region.unbinned(row, column)
    found = decode(
        experiment,
        detector_row,
        detector_column,
        _traces(images, chosen),
        backend=backend,
        options=options,
        usable=usable,
    )
    return DecodedImages((rows, columns), row[found.trace], column[found.trace], found)


def _chosen(images: npt.NDArray[Any], least: float, usable: Flags | None) -> Flags:
    """Return which pixels are bright enough in the frames that count."""
    used = images if usable is None else images[np.asarray(usable, bool)]
    return np.asarray(np.mean(used, axis=0, dtype=np.float64) >= least)


def _traces(images: npt.NDArray[np.generic], chosen: Flags) -> npt.NDArray[np.generic]:
    """Return the (n_pixels, n_frames) traces as uint16 or float32."""
    kind = np.uint16 if images.dtype in (np.uint8, np.uint16) else np.float32
    return np.ascontiguousarray(images[:, chosen].T, kind)
