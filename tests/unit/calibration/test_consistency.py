"""Pixels that belong together are separated from those that do not."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lauedepth.calibration.consistency import MINIMUM_PIXELS, consistent
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(12, 60), st.floats(0.0, 0.3))
def test_a_projection_is_found_among_wrong_matches(seed: int, pixels: int, wrong: float) -> None:
    rng = np.random.default_rng(seed)
    row, column = rng.uniform(0, 2048, (2, pixels))
    h = np.stack([column / 1024 - 1, row / 1024 - 1, np.ones(pixels)])
    upper = rng.normal(0, 600, 3)
    lower = np.array([*rng.uniform(-0.3, 0.3, 2), 1.0])
    position = 1400 + (upper @ h) / (lower @ h) + rng.normal(0, 0.03, pixels)
    bad = rng.permutation(pixels)[: int(wrong * pixels)]
    position[bad] += rng.choice([-1, 1], bad.size) * rng.uniform(20, 1000, bad.size)
    good = np.ones(pixels, bool)
    good[bad] = False
    np.testing.assert_array_equal(consistent(row, column, position, np.ones(pixels, bool)), good)


def test_positions_of_the_geometry_belong_together(norcada: Experiment) -> None:
    row, column = np.random.default_rng(1).uniform(0, 2048, (2, 40))
    position = RayMap.of(norcada, row, column).position_um(25.0, 270.0)
    assert consistent(row, column, position, np.ones(40, bool)).all()


def test_random_positions_do_not() -> None:
    rng = np.random.default_rng(2)
    row, column = rng.uniform(0, 2048, (2, 40))
    assert not consistent(row, column, rng.uniform(0, 2880, 40), np.ones(40, bool)).any()


def test_too_few_do_not() -> None:
    rng = np.random.default_rng(3)
    row, column = rng.uniform(0, 2048, (2, 40))
    found = np.arange(40) < MINIMUM_PIXELS - 1
    assert not consistent(row, column, np.ones(40), found).any()
