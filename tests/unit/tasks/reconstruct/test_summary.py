"""What a user should know of a point is said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np

from lauedepth.core.notices import note, warning
from lauedepth.io import Point
from lauedepth.tasks.reconstruct.summary import warnings_of


def test_lost_frames_and_pixels_that_are_all_dark_are_warned_of() -> None:
    lost = warning("frames-lost", "1 of 3 frames are lost: 1 empty", "p.h5")
    told = note("pixels-hot", "2 pixels stand alone", "p.h5")
    point = cast("Point", SimpleNamespace(notices=(told, lost)))
    whole = cast("Point", SimpleNamespace(notices=()))
    lit, dark = np.ones((2, 2), np.bool_), np.zeros((2, 2), np.bool_)
    assert warnings_of(whole, lit) == ()
    assert warnings_of(point, lit) == ("1 of 3 frames are lost: 1 empty",)
    first, no_pixel = warnings_of(point, dark)
    assert first.startswith("1 of 3")
    assert no_pixel.startswith("no pixel is bright enough; lower --pixels")
