"""What an experiment says of its detector region."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.core.instrument.experiment import Region


@given(
    row=st.integers(0, 100),
    start=st.integers(0, 900),
    binning=st.sampled_from([1, 2, 4]),
)
def test_binned_pixel_stands_in_the_middle_of_its_parts(row: int, start: int, binning: int) -> None:
    region = Region((200, 200), start=(0, start), binning=(1, binning))
    parts = start + row * binning + np.arange(binning)
    assert region.unbinned(row, 0)[0] == pytest.approx(parts.mean())
