"""What a run will need is estimated from a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lauedepth.core.decoding.registry import choose_decoder
from lauedepth.io import open_point
from lauedepth.tasks.reconstruct import estimate_point
from lauedepth.tasks.reconstruct.memory import BASE_BYTES

if TYPE_CHECKING:
    from .conftest import SmallPoint


def test_the_estimate_is_near_what_is_needed(small_point: SmallPoint) -> None:
    config = small_point.config
    with open_point(small_point.path, config.data.key, config.to_core().frames) as point:
        estimate = estimate_point(point, config, choose_decoder().decoder)
    assert estimate.pixels == pytest.approx(small_point.truth.size, rel=0.1)
    assert estimate.input_bytes == 261 * 200 * 48 * 2
    assert BASE_BYTES < estimate.memory_bytes < BASE_BYTES + 2 * estimate.input_bytes
    assert estimate.decode_seconds > 0
