"""Detector, source and aperture in space; the pixel map against a measured pattern."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Detector, Experiment
from lauedepth.core.instrument.geometry import (
    aperture_centres,
    code_coordinate,
    lab_to_beam,
    pixel_of_direction,
    pixel_positions,
    pose_matrix,
    rotation_matrix,
    scan_direction,
    source_positions,
)

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


@given(row=PIXEL, column=PIXEL)
def test_direction_leads_back_to_its_pixel(norcada: Experiment, row: float, column: float) -> None:
    beam = pixel_positions(norcada.detector, row, column)
    back = pixel_of_direction(norcada.detector, beam / np.linalg.norm(beam))
    assert np.allclose(back, (row, column), atol=1e-8)


def key_list_detector(text: str) -> Detector:
    """Read detector 0 of a ``$key value`` geometry file with nothing of the project."""

    def numbers(key: str) -> list[float]:
        line = re.search(rf"^\$d0_{key}\s+([^/\n]*)", text, re.MULTILINE)
        assert line is not None
        return [float(part) for part in re.findall(r"[-+.\deE]+", line[1])]

    rotation, translation = numbers("R"), numbers("P")
    return Detector(
        (int(numbers("Nx")[0]), int(numbers("Ny")[0])),
        (numbers("sizeX")[0], numbers("sizeY")[0]),
        (rotation[0], rotation[1], rotation[2]),
        (translation[0], translation[1], translation[2]),
    )


def table_after(text: str, key: str) -> Floats:
    lines = text.split(key, 1)[1].splitlines()[1:]
    return np.array(
        [[float(part) for part in line.replace(",", " ").split()] for line in lines if line.strip()]
    )


def test_pixels_of_the_silicon_pattern_give_its_directions(shared: Path) -> None:
    """Peaks count pixels from 0, columns first; whole numbers are centres."""
    data = shared / "data"
    detector = key_list_detector((data / "geometry/geometry_2009_keylist.txt").read_text())
    peaks = table_after((data / "peaks/outputTesth5.txt").read_text(), "$peakList")
    expected = table_after((data / "peaks/Si_Peaks.txt").read_text(), "$N_Ghat+Intens")[:, :3]

    out = pixel_positions(detector, peaks[:, 1], peaks[:, 0])
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    transfer = out - np.array([1.0, 0.0, 0.0])
    transfer /= np.linalg.norm(transfer, axis=1, keepdims=True)

    assert len(peaks) == 44
    assert np.linalg.norm(transfer - lab_to_beam(expected), axis=1).max() < 1e-6


vectors = st.tuples(*[st.floats(-1.0, 1.0)] * 3)


@given(
    rotation=st.tuples(*[st.floats(-1.7, 1.7)] * 3),
    translation=st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(100, 600)),
    row=st.floats(-0.5, 1023.5),
    column=st.floats(-0.5, 2047.5),
    origin=vectors,
    length=st.floats(0.01, 100.0),
)
def test_direction_leads_back_to_the_pixel(
    *,
    rotation: tuple[float, float, float],
    translation: tuple[float, float, float],
    row: float,
    column: float,
    origin: tuple[float, float, float],
    length: float,
) -> None:
    detector = Detector((2048, 1024), (409.6, 204.8), rotation, translation)
    ray = pixel_positions(detector, row, column) - np.array(origin)
    found = pixel_of_direction(detector, length * ray, origin)
    np.testing.assert_allclose(found, (row, column), atol=1e-7)


def test_a_ray_away_from_the_detector_meets_no_pixel() -> None:
    detector = Detector((2048, 2048), (409.6, 409.6), (0.0, 0.0, 0.0), (0.0, 0.0, 500.0))
    backwards = -pixel_positions(detector, 100.0, 200.0)
    row, column = pixel_of_direction(detector, backwards)
    assert np.isnan(row)
    assert np.isnan(column)
