"""The shadow of the bars against sums over a fine grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauedepth.core.instrument.aperture import BarTable, bar_edges
from lauedepth.core.instrument.experiment import Aperture
from lauedepth.core.instrument.shadow import Shadow

CODES = st.lists(st.integers(0, 1), min_size=3, max_size=24).filter(any).map(tuple)


@settings(max_examples=60, deadline=None)
@given(
    code=CODES,
    window=st.floats(0.0, 40.0),
    absorption=st.none() | st.floats(0.05, 10.0),
    ends=st.tuples(st.floats(-50.0, 400.0), st.floats(0.5, 80.0)),
)
def test_shadow_is_the_mean_over_window_and_source(
    code: tuple[int, ...], window: float, absorption: float | None, ends: tuple[float, float]
) -> None:
    aperture = Aperture(code)
    table = BarTable.of(aperture)
    begin, end = bar_edges(aperture)
    u = np.linspace(ends[0], ends[0] + ends[1], 4001)
    half = max(window / 2, 1e-4)
    overlap = np.minimum(u[:, None] + half, end) - np.maximum(u[:, None] - half, begin)
    bars = np.clip(overlap, 0, None).sum(axis=1) / (2 * half)
    through = 1 - bars if absorption is None else np.exp(-absorption * bars)
    shadow = Shadow.of(table, window, absorption)
    assert shadow.at(u) == pytest.approx(through, abs=1e-9)
    mean = float(shadow.mean(u[:1], u[-1:])[0])
    edge_blur = (u[1] - u[0]) / ends[1] * 2 * len(begin)
    assert mean == pytest.approx(np.trapezoid(through, u) / ends[1], abs=1e-4 + edge_blur)
