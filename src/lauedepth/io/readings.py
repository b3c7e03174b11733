"""From what a detector writes to counts: what is no measurement, offset, dark image, flat field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Region
from lauedepth.io.hdf5 import Array

FULL_16_BIT: Final = 65535
"""Reading of a 16-bit counter that is full; what decoders take for no measurement."""


@dataclass(frozen=True)
class Readings:
    """How readings become counts: (reading - offset - dark) / (counts_per_photon * flat).

    Attributes
    ----------
    counts_per_photon, offset : float
    saturation : float or None
        Reading at and above which nothing was measured; None for what the type can hold.
    dark, flat : (rows, columns) float32 arrays or None
        Of the detector or of the image.
    bad : (rows, columns) bool array or None
        Pixels that measure nothing.
    """

    counts_per_photon: float = 1.0
    offset: float = 0.0
    saturation: float | None = None
    dark: npt.NDArray[np.float32] | None = field(default=None, repr=False)
    flat: npt.NDArray[np.float32] | None = field(default=None, repr=False)
    bad: npt.NDArray[np.bool_] | None = field(default=None, repr=False)

    def cut(self, region: Region, detector_shape: tuple[int, int], where: str) -> Readings:
        """Return the same for an image: its dark image, flat field and mask cut to the region.

        Parameters
        ----------
        region : Region
        detector_shape : (int, int)
            Unbinned columns and rows.
        where : str
            Named in errors.
        """
        shape = detector_shape[::-1]
        dark = _cut(self.dark, region, shape, f"{where}: detector.dark")
        flat = _cut(self.flat, region, shape, f"{where}: detector.flat")
        bad = _cut_mask(self.bad, region, shape, f"{where}: detector.mask")
        return Readings(self.counts_per_photon, self.offset, self.saturation, dark, flat, bad)

    @property
    def are_counts(self) -> bool:
        """Whether readings are counts already."""
        plain = self.counts_per_photon == 1.0 and self.offset == 0.0
        return plain and self.dark is None and self.flat is None


@dataclass(frozen=True)
class Conversion:
    """The conversion for readings of one type; made by `conversion`.

    Attributes
    ----------
    dtype : dtype
        Of counts: uint16, or float32 where that does not hold them.
    full : float
        Reading at and above which nothing was measured.
    readings : Readings
    """

    dtype: np.dtype[np.generic]
    full: float
    readings: Readings

    @property
    def is_idle(self) -> bool:
        """Whether numbers stay as they are read."""
        return self.dtype == np.uint16 and self.full == FULL_16_BIT

    def apply(self, band: Array, rows: slice) -> None:
        """Turn readings (frames, rows, columns), read as `dtype`, into counts in place.

        What is no measurement becomes 65535, or NaN in float32.
        """
        if self.is_idle:
            return
        if self.dtype == np.uint16:
            band[band >= self.full] = FULL_16_BIT
            return
        for image in band:
            nothing = ~(image < self.full) | (image < 0)
            if not self.readings.are_counts:
                self._convert(image, rows)
            image[nothing] = np.nan

    def _convert(self, image: Array, rows: slice) -> None:
        settings = self.readings
        image -= np.float32(settings.offset)
        if settings.dark is not None:
            image -= settings.dark[rows]
        image /= np.float32(settings.counts_per_photon)
        if settings.flat is not None:
            image /= settings.flat[rows]
        # Below the offset lies its noise: no light, but measured.
        np.maximum(image, 0, out=image)


def conversion(stored: np.dtype[np.generic], readings: Readings) -> Conversion:
    """Return how numbers of a stored type become counts."""
    small = stored.kind == "u" and stored.itemsize <= 2
    plain = small and readings.are_counts
    full = readings.saturation
    if full is None:
        full = float(np.iinfo(stored.str).max) if stored.kind in "iu" else float(FULL_16_BIT)
    # A float32 rounds up to the number that a 32-bit counter stops at.
    full = float(np.float32(full))
    return Conversion(np.dtype(np.uint16 if plain else np.float32), full, readings)


def _cut(
    image: npt.NDArray[np.float32] | None, region: Region, shape: tuple[int, int], where: str
) -> npt.NDArray[np.float32] | None:
    if image is None or image.shape == region.shape:
        return image
    if image.shape != shape or region.binning != (1, 1):
        raise InputError(
            f"is an image of {image.shape} for points of {region.shape}",
            where,
            "give one of the point's images, or of the whole detector for unbinned points",
        )
    return image[_window(region)]


def _cut_mask(
    bad: npt.NDArray[np.bool_] | None, region: Region, shape: tuple[int, int], where: str
) -> npt.NDArray[np.bool_] | None:
    if bad is None or bad.shape == region.shape:
        return bad
    if bad.shape != shape:
        raise InputError(
            f"is an image of {bad.shape}, the detector has {shape}",
            where,
            "give (rows, columns) of the whole detector or of the point's images",
        )
    rows, columns = region.shape
    across, down = region.binning
    part = bad[_window(region)].reshape(rows, down, columns, across)
    return np.asarray(part.any(axis=(1, 3)))


def _window(region: Region) -> tuple[slice, slice]:
    rows, columns = region.shape
    left, top = region.start
    across, down = region.binning
    return slice(top, top + rows * down), slice(left, left + columns * across)
