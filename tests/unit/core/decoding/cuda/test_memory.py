"""How much of a card a decode takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.core.decoding.cuda._memory import (
    LEAST_PIXELS,
    MOST_PIXELS,
    USED_PART,
    Shape,
    memory_bytes,
    plan_batches,
)
from lauedepth.core.errors import BackendUnavailableError

SHAPE = Shape(frames=541, item_bytes=2, knots=258, candidates=180, points=750, bins=400)


H100_PROCESSORS = 132


def test_a_full_card_is_told_with_numbers() -> None:
    with pytest.raises(
        BackendUnavailableError, match=r"10 MB free, and .* 256 pixels takes \d+ MB"
    ):
        plan_batches(SHAPE, 1_000_000, 10_000_000, H100_PROCESSORS)


def test_a_large_card_gets_the_largest_batches() -> None:
    plan = plan_batches(SHAPE, 1_000_000, 80 * 10**9, H100_PROCESSORS)
    assert (plan.pixels, plan.streams) == (MOST_PIXELS, 2)
    assert plan_batches(SHAPE, 300, 80 * 10**9, H100_PROCESSORS).pixels == 300


def test_streams_hold_shorter_searches_of_the_same_frames() -> None:
    roomy = SHAPE.with_margin()
    assert roomy.holds(SHAPE)
    assert not SHAPE.holds(roomy)
    assert SHAPE.or_larger(roomy) == roomy
    assert not roomy.holds(replace(SHAPE, frames=540))
    assert not roomy.holds(replace(SHAPE, item_bytes=4))


@given(
    free=st.integers(10**8, 10**11),
    pixels=st.integers(1, 5_000_000),
    frames=st.integers(32, 2000),
    bins=st.integers(1, 2000),
)
def test_memory_is_bounded(free: int, pixels: int, frames: int, bins: int) -> None:
    shape = replace(SHAPE, frames=frames, points=frames + 210, bins=bins)
    try:
        plan = plan_batches(shape, pixels, free, H100_PROCESSORS)
    except BackendUnavailableError:
        return
    assert memory_bytes(plan, shape) <= USED_PART * free
    assert min(pixels, LEAST_PIXELS) <= plan.pixels <= min(pixels, MOST_PIXELS)
    assert 1 <= plan.wide_blocks <= plan.blocks <= plan.pixels
