"""Which pixels to decode, kept in the experiment itself."""

from __future__ import annotations

import base64
import binascii
import zlib
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from lauedepth.config.array_file import read_array
from lauedepth.config.section import Section
from lauedepth.core.arrays import Flags
from lauedepth.core.errors import ConfigurationError


class PixelMask(Section):
    """A mask of the whole detector, unbinned, packed into text."""

    rows: Annotated[int, Field(ge=1, le=65_536)]
    """Rows of the detector."""
    columns: Annotated[int, Field(ge=1, le=65_536)]
    """Columns of the detector."""
    bits: str
    """Its pixels row by row, eight to a byte, deflated, in base 64."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        self.pixels()
        return self

    @classmethod
    def of(cls, mask: Flags) -> PixelMask:
        """Pack a mask (rows, columns)."""
        packed = zlib.compress(np.packbits(mask).tobytes(), 9)
        rows, columns = mask.shape
        return cls(rows=rows, columns=columns, bits=base64.b64encode(packed).decode("ascii"))

    def pixels(self) -> Flags:
        """Return the mask, (rows, columns).

        Raises
        ------
        ValueError
            The text does not hold as many pixels.
        """
        size = self.rows * self.columns
        expected = -(-size // 8)
        try:
            inflater = zlib.decompressobj()
            packed = inflater.decompress(base64.b64decode(self.bits, validate=True), expected + 1)
        except (binascii.Error, zlib.error, ValueError) as error:
            raise ValueError("the mask's bits are damaged") from error
        if len(packed) != expected or not inflater.eof:
            raise ValueError(f"the mask's bits are not {self.rows} × {self.columns} pixels")
        flags = np.unpackbits(np.frombuffer(packed, np.uint8), count=size)
        return flags.astype(np.bool_).reshape(self.rows, self.columns)


def read_pixel_mask(
    path: Path, shape: tuple[int, int], window: tuple[slice, slice] | None = None
) -> PixelMask:
    """Read the pixels to decode, those that are not zero, from a ``.npy`` file.

    Parameters
    ----------
    path : Path
    shape : (int, int)
        Unbinned rows and columns of the detector.
    window : (slice, slice), optional
        Rows and columns that the file may hold instead of the whole detector.

    Raises
    ------
    ConfigurationError
        Not a two-dimensional array of numbers, of another size, or without pixels.
    """
    try:
        given = read_array(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"mask cannot be read: {reason}", str(path)) from error
    if given.ndim != 2 or given.dtype.kind not in "buif":
        raise ConfigurationError(
            f"mask is {given.dtype} {given.shape}",
            str(path),
            "give one number for each (row, column) of the detector",
        )
    mask = np.zeros(shape, np.bool_)
    place = _place(given.shape, shape, window, path)
    # The published program cuts the mask's numbers to integers.
    mask[place] = np.nan_to_num(np.trunc(np.asarray(given, np.float64))) != 0
    if not mask.any():
        raise ConfigurationError("mask holds no pixel", str(path), "mark pixels with 1")
    return PixelMask.of(mask)


def _place(
    size: tuple[int, ...],
    shape: tuple[int, int],
    window: tuple[slice, slice] | None,
    path: Path,
) -> tuple[slice, slice]:
    if size == shape:
        return slice(None), slice(None)
    if window is not None and size == tuple(part.stop - part.start for part in window):
        return window
    sizes = f"{shape[0]} × {shape[1]} (rows × columns of the detector)"
    if window is not None:
        sizes += " or " + " × ".join(str(part.stop - part.start) for part in window)
    raise ConfigurationError(f"mask is {size[0]} × {size[1]}", str(path), f"give one of {sizes}")
