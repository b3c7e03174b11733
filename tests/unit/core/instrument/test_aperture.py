"""The code, the bars, and their shadow, against sums over a fine grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauedepth.core.instrument.aperture import BarTable, bar_edges, prefer_same_code
from lauedepth.core.instrument.energy import attenuation_per_um, find_energies
from lauedepth.core.instrument.experiment import Aperture
from lauedepth.core.instrument.shadow import Shadow

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


def test_gold_absorbs_as_the_tables_say() -> None:
    # NIST: 118.1 cm²/g at 10 keV, 78.8 cm²/g at 20 keV
    per_um = attenuation_per_um(Aperture((1,)), np.array([10.0, 20.0]))
    assert per_um / (19.32e-4) == pytest.approx([118.1, 78.8], rel=0.02)


@given(energy=st.floats(6.0, 29.0))
def test_energy_comes_back_from_its_absorption_or_is_flagged(energy: float) -> None:
    aperture = Aperture((1,))
    absorption = attenuation_per_um(aperture, np.array([energy])) * aperture.thickness_um * 1.2
    found, ambiguous = find_energies(
        aperture, absorption, np.array([0.01]), np.array([1.2]), 5.0, 30.0
    )
    same = attenuation_per_um(aperture, found) * aperture.thickness_um * 1.2
    assert same == pytest.approx(absorption, rel=0.02)
    assert ambiguous[0] or found[0] == pytest.approx(energy, rel=0.01)


def test_unknown_absorption_gives_no_energy() -> None:
    found, ambiguous = find_energies(
        Aperture((1,)), np.array([np.nan, 1.0]), np.array([np.nan, 0.9]), np.ones(2), 5.0, 30.0
    )
    assert np.isnan(found).all() and not ambiguous.any()
