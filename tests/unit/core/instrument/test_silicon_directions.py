"""The pixel map against the silicon pattern measured at 34-ID-E."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Detector
from lauedepth.core.instrument.geometry import lab_to_beam, pixel_of_direction, pixel_positions


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
