"""Rays through the aperture: closed forms against plain vector geometry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lauedepth.core.instrument.experiment import Experiment, Region
from lauedepth.core.instrument.geometry import (
    aperture_centres,
    code_coordinate,
    pixel_of_direction,
    pixel_positions,
    pose_matrix,
    ray_slopes,
    rotation_matrix,
    scan_direction,
    source_positions,
)
from lauedepth.core.instrument.raymap import RayMap

PIXEL = st.floats(-0.5, 2047.5)
DEPTH = st.floats(-500.0, 500.0)
FRAME = st.integers(0, 600)


def test_pose_is_a_rotation_in_the_order_y_z_x(norcada: Experiment) -> None:
    axes = pose_matrix(norcada.pose)
    y, z, x = np.deg2rad(
        [norcada.pose.angley_deg, norcada.pose.anglez_deg, norcada.pose.anglex_deg]
    )
    turn_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    turn_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    assert np.allclose(axes, turn_y @ turn_z @ turn_x, atol=1e-15)
    assert np.linalg.norm(scan_direction(norcada.motion)) == pytest.approx(1.0, abs=1e-15)


@given(
    direction=st.tuples(*[st.floats(-1.0, 1.0)] * 3).filter(lambda one: np.linalg.norm(one) > 1e-3),
    exponent=st.floats(-12.0, 0.8),
)
def test_rotations_are_those_of_scipy(
    direction: tuple[float, float, float], exponent: float
) -> None:
    vector = np.array(direction) / np.linalg.norm(direction) * 10.0**exponent
    turn = rotation_matrix(vector)
    np.testing.assert_allclose(turn, Rotation.from_rotvec(vector).as_matrix(), rtol=0, atol=4e-15)
    np.testing.assert_array_equal(rotation_matrix(np.zeros(3)), np.eye(3))


@given(row=PIXEL, column=PIXEL, depth=DEPTH, frame=FRAME)
def test_crossing_lies_on_the_ray_and_in_the_plane(
    norcada: Experiment, row: float, column: float, depth: float, frame: int
) -> None:
    pixel = pixel_positions(norcada.detector, row, column)
    source = source_positions(depth, norcada.beam_tilt)
    centre = aperture_centres(norcada, frame)
    code_axis, normal, _ = pose_matrix(norcada.pose).T
    u = float(code_coordinate(norcada, pixel, depth, frame))
    reach = ((centre - source) @ normal) / ((pixel - source) @ normal)
    crossing = source + reach * (pixel - source)
    assert abs((crossing - centre) @ normal) < 1e-12
    along = norcada.aperture.length_um / 2 - u
    assert along == pytest.approx(1e3 * float((crossing - centre) @ code_axis), abs=1e-7)


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


@given(
    row=st.integers(0, 100),
    start=st.integers(0, 900),
    binning=st.sampled_from([1, 2, 4]),
)
def test_binned_pixel_stands_in_the_middle_of_its_parts(row: int, start: int, binning: int) -> None:
    region = Region((200, 200), start=(0, start), binning=(1, binning))
    parts = start + row * binning + np.arange(binning)
    assert region.unbinned(row, 0)[0] == pytest.approx(parts.mean())


@given(row=PIXEL, column=PIXEL)
def test_direction_leads_back_to_its_pixel(norcada: Experiment, row: float, column: float) -> None:
    beam = pixel_positions(norcada.detector, row, column)
    back = pixel_of_direction(norcada.detector, beam / np.linalg.norm(beam))
    assert np.allclose(back, (row, column), atol=1e-8)
