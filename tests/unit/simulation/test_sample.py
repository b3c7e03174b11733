"""Samples: stacks of grains, their boundaries and what they absorb."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lauedepth.core.errors import ConfigurationError
from lauedepth.crystals.crystal import crystal_by_name
from lauedepth.simulation.sample import Grain, Polycrystal, Surface, membrane, random_column

COPPER = crystal_by_name("Cu")


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), x=st.floats(-20, 20), y=st.floats(-20, 20))
def test_each_depth_belongs_to_the_nearest_centre(seed: int, x: float, y: float) -> None:
    sample = Polycrystal.random(
        COPPER, grain_um=12.0, extent_um=(40.0, 40.0), depths_um=(-5.0, 90.0), seed=seed
    )
    grains = sample.column(x, y)
    assert grains[0].begin_um == -5.0
    assert grains[-1].end_um == 90.0
    assert all(a.end_um == b.begin_um for a, b in pairwise(grains))
    depth = np.linspace(-4.99, 89.99, 500)
    line = np.stack([np.full(500, x), np.full(500, y), depth], axis=1)
    apart = np.linalg.norm(line[:, None] - sample.centres_um[None], axis=2)
    owner = np.array([next(g.number for g in grains if g.begin_um <= s <= g.end_um) for s in depth])
    np.testing.assert_allclose(apart[np.arange(500), owner], apart.min(axis=1), atol=1e-6)


def test_grains_keep_their_orientation_from_place_to_place() -> None:
    sample = Polycrystal.random(
        COPPER, grain_um=20.0, extent_um=(10.0, 10.0), depths_um=(0.0, 100.0), seed=4
    )
    here = {grain.number: grain for grain in sample.column(0.0, 0.0)}
    beside = {grain.number: grain for grain in sample.column(1.0, 0.0)}
    shared = here.keys() & beside.keys()
    assert shared
    for number in shared:
        turn = here[number].orientation * beside[number].orientation.inv()
        assert turn.magnitude() == pytest.approx(0.0, abs=1e-9)
    assert any(here[number].end_um != beside[number].end_um for number in shared)


def test_random_column_stacks_the_given_sizes_and_repeats_by_seed() -> None:
    column = random_column(COPPER, [3.0, 0.25, 11.0], start_um=-2.0, seed=7)
    grains = column.column(0.0, 0.0)
    assert [(g.begin_um, g.end_um) for g in grains] == [(-2.0, 1.0), (1.0, 1.25), (1.25, 12.25)]
    again = random_column(COPPER, [3.0, 0.25, 11.0], start_um=-2.0, seed=7).grains
    other = random_column(COPPER, [3.0, 0.25, 11.0], start_um=-2.0, seed=8).grains
    assert (grains[1].orientation * again[1].orientation.inv()).magnitude() < 1e-12
    assert (grains[1].orientation * other[1].orientation.inv()).magnitude() > 1e-3
    assert column.column(5.0, 5.0) == grains


def test_membrane_is_one_thin_crystal() -> None:
    turn = Rotation.from_euler("x", 10, degrees=True)
    (grain,) = membrane(COPPER, 42.0, 0.5, turn).grains
    assert (grain.begin_um, grain.end_um) == (41.75, 42.25)
    assert grain.depth_um == 42.0
    assert grain.width_um == 0.5
    assert grain.orientation is turn


def test_a_grain_must_have_length() -> None:
    with pytest.raises(ConfigurationError, match=r"grain 3: depths 5\.0 to 5\.0 µm"):
        Grain(COPPER, Rotation.identity(), 5.0, 5.0, 3)


def test_absorption_on_the_way_in_and_out() -> None:
    """A surface at 45° and light straight up: as much copper on the way out as in."""
    surface, up = Surface(depth_um=10.0), np.array([0.0, 1.0, 0.0])
    passed = surface.transmission(COPPER, 10.0, 30.0, up)
    # NIST: mu/rho of copper at 10 keV is 215.9 cm²/g.
    assert passed == pytest.approx(np.exp(-215.9 * 8.94 * 2 * 20e-4), rel=0.05)
    assert surface.transmission(COPPER, 10.0, 5.0, up) == 1.0
    assert surface.transmission(COPPER, 10.0, 30.0, -up) == 0.0
