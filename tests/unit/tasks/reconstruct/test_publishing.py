"""Pixels are counted once, depths each."""

from __future__ import annotations

import numpy as np

from lauedepth.core.decoding.pixels import PixelStatus
from lauedepth.tasks.reconstruct.publishing import Tally


def test_a_pixel_with_two_depths_counts_once_and_its_depths_twice() -> None:
    tally, decoded, dark = Tally(), PixelStatus.DECODED, PixelStatus.DARK
    tally.add(
        np.array([0, 1, 1, 4]),
        np.array([dark, decoded, decoded, decoded], np.uint8),
        np.array([np.nan, 10.0, 30.0, 20.0]),
    )
    tally.add(np.array([0]), np.array([dark], np.uint8), np.array([np.nan]))
    assert tally.named() == {"decoded": 2, "dark": 2}
    assert tally.depths == 3
    assert tally.by_status.total() == 4
