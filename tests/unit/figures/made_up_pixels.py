"""Tables of pixels as results hold them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lauedepth.core.decoding.pixels import PixelStatus

COLUMNS = [
    ("row", "i4"),
    ("column", "i4"),
    ("depth", "f4"),
    ("intensity", "f4"),
    ("depth_error", "f4"),
    ("width", "f4"),
    ("energy", "f4"),
    ("residual", "f4"),
    ("status", "u1"),
]

SPOTS = [(2, 5, 3.0, 100.0), (2, 6, 3.0, 50.0), (8, 1, 7.0, 10.0)]
"""Row, column, depth (µm), intensity: one spot at 3 µm and one at 7 µm."""

REST = (0.25, 4.0, 12.0, 1.5, PixelStatus.DECODED)


def made_up_pixels(
    spots: Sequence[tuple[int, int, float, float]],
) -> npt.NDArray[Any]:
    """Return rows of decoded pixels."""
    return np.array([(*spot, *REST) for spot in spots], COLUMNS)
