"""The compiled shadow of absorbing bars against sums over each smooth piece of it."""

from __future__ import annotations

import numpy as np
import pytest

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.cpu._shadow import (
    build_integral,
    build_knots,
    fill_line,
    fill_places,
)
from lauedepth.core.instrument.aperture import BarTable, bar_edges, prefer_same_code
from lauedepth.core.instrument.experiment import Aperture

APERTURE = Aperture(prefer_same_code(), widening_um=1.7)
FRAMES = 541


def _summed(window_um: float, absorption: float, u_um: Floats) -> Floats:
    """Integrate exp(-x B) from the first of some coordinates, between them and all bends."""
    begin, end = bar_edges(APERTURE)
    edges = np.concatenate([begin, end])
    bends = np.concatenate([edges - window_um / 2, edges + window_um / 2])
    places = np.unique(np.concatenate([bends[(bends > u_um.min()) & (bends < u_um.max())], u_um]))
    nodes, weights = np.polynomial.legendre.leggauss(12)
    middle, half = (places[1:] + places[:-1]) / 2, np.diff(places) / 2
    u = middle[:, None] + half[:, None] * nodes
    overlap = np.minimum(u[..., None] + window_um / 2, end)
    overlap = overlap - np.maximum(u[..., None] - window_um / 2, begin)
    bars = np.clip(overlap, 0.0, None).sum(axis=-1) / window_um
    pieces = (np.exp(-absorption * bars) * weights).sum(axis=1) * half
    running = np.concatenate([[0.0], np.cumsum(pieces)])
    found = running[np.searchsorted(places, u_um)]
    return np.asarray(found - found[0], np.float64)


@pytest.mark.parametrize("even", [True, False])
def test_integral_of_absorbing_bars_holds_on_plateaus(even: bool) -> None:
    # 150 rays: where the window is as long as bars are, rounding tilts plateaus of B by 1e-16.
    rng = np.random.default_rng(11)
    table = BarTable.of(APERTURE)
    size = 2 * table.knots_um.size + 2
    knots, bars, rises = np.empty(size), np.empty(size), np.empty(size)
    integral, total, through = np.empty(size), np.empty(FRAMES), np.empty(FRAMES)
    for _ in range(150):
        window, absorption = float(rng.uniform(1.0, 12.0)), float(rng.uniform(0.02, 8.0))
        begin, step = float(rng.uniform(-50.0, 2000.0)), float(rng.choice([-1, 1]) * 0.5)
        build_knots(table.knots_um, table.running_um, window, knots, bars, rises)
        build_integral(knots, bars, rises, absorption, integral)
        ray = (knots, bars, rises, integral, absorption)
        if even:
            fill_line(*ray, begin, step, through, total)
        else:
            fill_places(*ray, (begin, step), np.arange(FRAMES, dtype=float), through, total)
        wanted = _summed(window, absorption, begin + step * np.arange(FRAMES, dtype=np.float64))
        assert total - total[0] == pytest.approx(wanted, abs=1e-6)
