"""What a user should know of a point is said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np

from lauedepth.core.notices import note, warning
from lauedepth.tasks.reconstruct.summary import notices_of

if TYPE_CHECKING:
    from lauedepth.io import Point

    from .conftest import SmallPoint

CUT = note("range-cut", "is cut")
LOST = warning("frames-lost", "1 of 3 frames are lost")


class Noticing(SimpleNamespace):
    """Stands in for a point, which notices that frames are lost when it is asked."""

    path = "p.h5"
    notices: tuple[object, ...] = ()

    @property
    def usable(self) -> None:
        self.notices = (LOST,)


def test_lost_frames_and_pixels_that_are_all_dark_are_reported(small_point: SmallPoint) -> None:
    config = small_point.config.with_notices([CUT])
    lit, dark = np.ones((2, 2), np.bool_), np.zeros((2, 2), np.bool_)
    assert notices_of(config, cast("Point", Noticing()), lit) == (CUT, LOST)
    *_, no_pixel = notices_of(config, cast("Point", Noticing()), dark)
    assert str(no_pixel).startswith("p.h5: no pixel is bright enough; lower --pixels")
