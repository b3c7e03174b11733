"""Each rank reads an even share of the frames or rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.core.instrument.experiment import Frames
from lauedepth.tasks.parallel.selecting import share_of_frames, share_of_rows


@given(
    first=st.integers(0, 9),
    number=st.integers(0, 60),
    stride=st.integers(1, 7),
    ranks=st.integers(1, 20),
)
def test_shares_of_frames_and_rows_are_all_there_is(
    first: int, number: int, stride: int, ranks: int
) -> None:
    frames = Frames(first, first + number * stride, stride)
    shares = [share_of_frames(frames, rank, ranks).indices for rank in range(ranks)]
    np.testing.assert_array_equal(np.concatenate(shares), frames.indices)
    rows = np.arange(number)
    parts = [rows[share_of_rows(number, rank, ranks)] for rank in range(ranks)]
    np.testing.assert_array_equal(np.concatenate(parts), rows)
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1
