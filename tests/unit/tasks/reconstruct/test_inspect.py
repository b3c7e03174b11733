"""One pixel looked at closely."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from lauedepth.core.decoding.registry import choose_decoder
from lauedepth.core.errors import LaueDepthError
from lauedepth.io import open_point
from lauedepth.tasks.reconstruct import inspect_pixel

if TYPE_CHECKING:
    from .conftest import SmallPoint


@pytest.mark.parametrize("name", ["small_point", "point_through_bars"])
def test_one_pixel_looked_at_has_a_fit_within_its_noise(
    name: str, request: pytest.FixtureRequest
) -> None:
    chosen: SmallPoint = request.getfixturevalue(name)
    config, truth = chosen.config, chosen.truth[0]
    with open_point(chosen.path, config.data.key, config.to_core().frames) as point:
        pixel = inspect_pixel(
            point, config, choose_decoder().decoder, int(truth["row"]), int(truth["column"])
        )
        with pytest.raises(LaueDepthError, match="not in the image"):
            inspect_pixel(point, config, choose_decoder().decoder, 200, 0)
    assert pixel.fit is not None
    chi_square = float(((pixel.counts - pixel.fit) ** 2 / np.maximum(pixel.fit, 1)).mean())
    assert 0.7 < chi_square < 1.4
    assert pixel.found[0].depth_um == pytest.approx(truth["depth_um"], abs=0.3)
    assert (pixel.detector_row, pixel.detector_column) == (
        900 + truth["row"],
        1000 + truth["column"],
    )
