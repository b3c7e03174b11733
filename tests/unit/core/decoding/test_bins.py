"""The bins of a footprint."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.core.decoding.bins import Bins, Support

BINS = Bins(-50.5, 1.0, 150)


def test_edges_and_centres_of_a_run_of_bins() -> None:
    support = Support(50, 3)
    np.testing.assert_allclose(BINS.edges_um(support), [-0.5, 0.5, 1.5, 2.5])
    np.testing.assert_allclose(BINS.centres_um(support), [0.0, 1.0, 2.0])
    assert support.stop == 53


@given(st.floats(-50.5, 99.4), st.floats(0.0, 40.0))
def test_bins_that_cover_a_stretch_hold_it_and_no_more(begin_um: float, width_um: float) -> None:
    end_um = min(begin_um + width_um, 99.5)
    edges = BINS.edges_um(BINS.cover(begin_um, end_um))
    assert edges[0] <= begin_um and end_um <= edges[-1]
    assert edges[0] > begin_um - 1.0 and edges[-1] <= max(end_um + 1.0, edges[0] + 1.0)


def test_a_stretch_outside_takes_the_nearest_bin() -> None:
    assert BINS.cover(-90.0, -80.0) == Support(0, 1)
    assert BINS.cover(200.0, 210.0) == Support(149, 1)
