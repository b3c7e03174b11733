"""The code and its bars."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.core.instrument.aperture import bar_edges, prefer_same_code
from lauedepth.core.instrument.experiment import Aperture

CODES = st.lists(st.integers(0, 1), min_size=3, max_size=24).filter(any).map(tuple)


@pytest.mark.parametrize("order", [3, 4, 8])
def test_every_window_of_the_code_comes_once(order: int) -> None:
    code = prefer_same_code(order)
    windows = {(code + code)[i : i + order] for i in range(len(code))}
    assert len(code) == len(windows) == 2**order
    assert code[:order] == (0,) * order


@given(code=CODES, widening=st.floats(-3.0, 3.0))
def test_bars_have_their_widths(code: tuple[int, ...], widening: float) -> None:
    aperture = Aperture(code, widening_um=widening)
    begin, end = bar_edges(aperture)
    assert np.all(end > begin) and np.all(begin[1:] > end[:-1])
    assert (end - begin).sum() == pytest.approx(sum(code) * 7.5 + len(begin) * widening)
