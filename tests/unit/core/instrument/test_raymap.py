"""The closed form of rays along the code against vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.geometry import (
    code_coordinate,
    pixel_positions,
    ray_slopes,
)
from lauedepth.core.instrument.raymap import RayMap

PIXEL = st.floats(-0.5, 2047.5)


DEPTH = st.floats(-500.0, 500.0)


FRAME = st.integers(0, 600)


@given(row=PIXEL, column=PIXEL, depth=DEPTH, frame=FRAME)
def test_closed_form_equals_vectors_and_inverts(
    norcada: Experiment, row: float, column: float, depth: float, frame: int
) -> None:
    rays = RayMap.of(norcada, np.array([row]), np.array([column]))
    pixel = pixel_positions(norcada.detector, np.array([row]), np.array([column]))
    u = rays.position_um(depth, frame)
    assert u == pytest.approx(code_coordinate(norcada, pixel, depth, frame), abs=1e-7)
    assert rays.depth_um(u, frame) == pytest.approx(depth, abs=1e-7)
    slope, secant = ray_slopes(norcada, pixel, depth)
    assert rays.slope(depth) == pytest.approx(slope, abs=1e-12)
    assert rays.secant(depth) == pytest.approx(secant, abs=1e-12)


@given(row=PIXEL, column=PIXEL, depth=DEPTH)
def test_position_is_straight_in_the_frame_number(
    twin: Experiment, row: float, column: float, depth: float
) -> None:
    rays = RayMap.of(twin, np.array([row]), np.array([column]))
    frames = np.arange(0, 600, 50)
    u = rays.position_um(depth, frames)
    assert np.ptp(np.diff(u, 2)) < 1e-8
    assert np.diff(u) == pytest.approx(50 * float(rays.advance_um(depth)[0]), abs=1e-8)
