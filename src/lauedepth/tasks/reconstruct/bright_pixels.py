"""The brightest pixels of a point, kept while it is written, to look for what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.pixels import DecodedPixels, PixelStatus
from lauedepth.core.decoding.verdict import MINIMUM_LIT

OF_EACH_STRIP: Final = 64
"""Pixels kept of each strip that is written, lit and dark ones each."""
WITHOUT_LIGHT: Final = (PixelStatus.DARK, PixelStatus.INVALID, PixelStatus.PENDING)

Ints = npt.NDArray[np.int64]


@dataclass
class BrightPixels:
    """Image pixels, strip by strip: lit ones, and ones that the decoder calls dark."""

    _lit: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)
    _dark: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)

    def add(self, rows: Ints, columns: Ints, decoded: DecodedPixels) -> None:
        """Keep the brightest of some rows of the table."""
        worth = np.nan_to_num(decoded.background) + np.nan_to_num(decoded.intensity)
        lit = ~np.isin(decoded.status, WITHOUT_LIGHT)
        dark = decoded.status == PixelStatus.DARK
        for kept, which in ((self._lit, lit), (self._dark, dark)):
            some = np.flatnonzero(which)
            some = some[np.argsort(-worth[some], kind="stable")[:OF_EACH_STRIP]]
            kept.append((rows[some], columns[some], worth[some]))

    def choose(self, number: int, image_shape: tuple[int, int]) -> tuple[Ints, Ints]:
        """Return rows and columns of bright pixels spread over the image, lit ones if there are.

        Parameters
        ----------
        number : int
            Maximum number of pixels.
        image_shape : (int, int)
            Rows, columns.
        """
        from lauedepth.calibration import spread_choice  # noqa: PLC0415  (loads SciPy)

        kept = self._lit if sum(len(part[0]) for part in self._lit) >= MINIMUM_LIT else self._dark
        if not kept:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        rows, columns, worth = (np.concatenate(parts) for parts in zip(*kept, strict=True))
        chosen = spread_choice(rows, columns, worth, number, image_shape)
        return rows[chosen], columns[chosen]
