"""Laue patterns against Bragg's law and the silicon pattern measured at 34-ID-E."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scipy.stats import spearmanr

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Detector
from lauedepth.core.instrument.geometry import lab_to_beam, pixel_of_direction, pixel_positions
from lauedepth.crystals.crystal import HC_KEV_ANGSTROM, crystal_by_name
from lauedepth.crystals.spots import (
    Harmonic,
    Spot,
    WhiteBeam,
    laue_spots,
    reflection_intensities,
    reflections,
)

# Detector 0 of the geometry of March 2009, to which the silicon pattern belongs.
DETECTOR = Detector(
    (2048, 2048),
    (409.6, 409.6),
    (-1.20372990, -1.20900773, -1.21612354),
    (23.644, -0.345, 510.902),
)


@dataclass(frozen=True)
class Indexed:
    """The indexed pattern: (41, 3) directions and indices, energies, (41, 4) peaks."""

    orientation: Rotation
    normal: Floats
    hkl: npt.NDArray[np.int64]
    energy_kev: Floats
    peak: Floats
    rms_error_deg: float


@pytest.fixture(scope="module")
def silicon(shared: Path) -> Indexed:
    folder = shared / "data/peaks"
    text = (folder / "Si_Index.txt").read_text()

    def numbers(key: str) -> list[float]:
        line = re.search(rf"^\${key}\s+([^/\n]*)", text, re.MULTILINE)
        assert line is not None
        return [float(part) for part in re.findall(r"-?\d+\.\d+", line[1])]

    lines = [line for line in text.split("$array0")[1].splitlines() if line.lstrip()[:1] == "["]
    rows = np.array([[float(x) for x in re.findall(r"-?\d+\.?\d*", line)] for line in lines])
    peak_text = (folder / "outputTesth5.txt").read_text().split("$peakList")[1]
    peaks = np.loadtxt(peak_text.splitlines()[1:])
    columns = np.array(numbers("rotation_matrix0")).reshape(3, 3)  # written column by column
    return Indexed(
        Rotation.from_matrix(columns.T),
        rows[:, 1:4] / np.linalg.norm(rows[:, 1:4], axis=1, keepdims=True),
        rows[:, 4:7].astype(int),
        rows[:, 8],
        peaks[rows[:, 10].astype(int)],
        numbers("rms_error0")[0],
    )


@pytest.fixture(scope="module")
def simulated(silicon: Indexed) -> list[tuple[Spot, Harmonic]]:
    """For each indexed reflection, the simulated spot and its order."""
    spots = laue_spots(crystal_by_name("Si"), silicon.orientation, WhiteBeam(), DETECTOR)
    by_hkl = {order.hkl: (spot, order) for spot in spots for order in spot.harmonics}
    return [by_hkl[int(h), int(k), int(l_)] for h, k, l_ in silicon.hkl]


def test_all_indexed_reflections_have_their_energy(
    silicon: Indexed, simulated: list[tuple[Spot, Harmonic]]
) -> None:
    energy = np.array([order.energy_kev for _, order in simulated])
    assert len(energy) == 41
    assert np.abs(energy - silicon.energy_kev).max() < 2e-3


def test_all_indexed_reflections_have_their_place(
    silicon: Indexed, simulated: list[tuple[Spot, Harmonic]]
) -> None:
    """The place of a reflection is that of the lattice plane's normal in the file."""
    direction = np.array([0.0, 0.0, 1.0]) - 2 * silicon.normal * silicon.normal[:, 2:]
    row, column = pixel_of_direction(DETECTOR, lab_to_beam(direction))
    apart = [
        np.hypot(spot.row - r, spot.column - c)
        for (spot, _), r, c in zip(simulated, row, column, strict=True)
    ]
    assert max(apart) < 0.5


def test_measured_peaks_lie_where_the_fit_left_them(
    silicon: Indexed, simulated: list[tuple[Spot, Harmonic]]
) -> None:
    """Weak peaks were measured to a pixel or two, so the whole set answers, and most peaks."""
    apart = np.array(
        [
            np.hypot(spot.column - peak[0], spot.row - peak[1])
            for (spot, _), peak in zip(simulated, silicon.peak, strict=True)
        ]
    )
    assert np.median(apart) < 0.25
    assert np.sum(apart < 0.55) >= 37
    measured = pixel_positions(DETECTOR, silicon.peak[:, 1], silicon.peak[:, 0])
    measured /= np.linalg.norm(measured, axis=1, keepdims=True)
    out = lab_to_beam(np.array([spot.direction_lab for spot, _ in simulated]))
    half_angle = np.degrees(np.linalg.norm(measured - out, axis=1)) / 2
    assert np.sqrt(np.mean(half_angle**2)) < 1.2 * silicon.rms_error_deg


def test_intensities_follow_the_measured_ones(
    silicon: Indexed, simulated: list[tuple[Spot, Harmonic]]
) -> None:
    integral = silicon.peak[:, 3]
    clear = integral > 1.0
    intensity = np.array([spot.intensity for spot, _ in simulated])
    correlation = spearmanr(intensity[clear], integral[clear]).statistic
    assert correlation > 0.75


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), name=st.sampled_from(["Al", "Cu", "Ni", "Si", "W"]))
def test_reflections_obey_bragg(seed: int, name: str) -> None:
    crystal, turn = crystal_by_name(name), Rotation.random(rng=np.random.default_rng(seed))
    hkl, energy, direction = reflections(crystal, turn, WhiteBeam())
    spacing = crystal.cell[0] / np.linalg.norm(hkl, axis=1)
    sine = np.sqrt((1 - direction[:, 2]) / 2)
    np.testing.assert_allclose(HC_KEV_ANGSTROM / energy, 2 * spacing * sine, rtol=1e-9)
    assert np.all((energy >= 5.0) & (energy <= 30.0))
    transfer = direction - np.array([0.0, 0.0, 1.0])
    transfer /= np.linalg.norm(transfer, axis=1, keepdims=True)
    normal = turn.apply(hkl / np.linalg.norm(hkl, axis=1, keepdims=True))
    np.testing.assert_allclose(transfer, normal, atol=1e-9)


def test_orders_of_one_plane_make_one_spot() -> None:
    turn = Rotation.from_euler("x", 45.0, degrees=True) * Rotation.from_euler(
        "z", 3.0, degrees=True
    )
    spots = laue_spots(crystal_by_name("Ni"), turn, WhiteBeam(), DETECTOR)
    directions = np.array([spot.direction_lab for spot in spots])
    apart = np.linalg.norm(directions[:, None] - directions[None], axis=2)
    assert apart[~np.eye(len(spots), dtype=bool)].min() > 1e-4
    many = [spot for spot in spots if len(spot.harmonics) > 1]
    assert many
    for spot in many:
        strengths = [order.intensity for order in spot.harmonics]
        assert strengths == sorted(strengths, reverse=True)
        assert spot.intensity == pytest.approx(sum(strengths))
        normals = np.array([order.hkl for order in spot.harmonics], float)
        assert np.linalg.matrix_rank(normals) == 1


def test_brightest_spot_first_and_only_inside_the_detector() -> None:
    spots = laue_spots(crystal_by_name("Cu"), Rotation.random(rng=5), WhiteBeam(), DETECTOR)
    strengths = [spot.intensity for spot in spots]
    assert strengths == sorted(strengths, reverse=True)
    assert all(-0.5 <= spot.row <= 2047.5 and -0.5 <= spot.column <= 2047.5 for spot in spots)


def test_a_deeper_crystal_throws_its_spots_downstream() -> None:
    turn = Rotation.random(rng=5)
    shallow, deep = (
        laue_spots(crystal_by_name("Cu"), turn, WhiteBeam(), DETECTOR, (depth, 0.0, 0.0))[0]
        for depth in (0.0, 0.2)
    )
    moved = pixel_positions(DETECTOR, deep.row, deep.column) - pixel_positions(
        DETECTOR, shallow.row, shallow.column
    )
    assert deep.hkl == shallow.hkl
    assert moved[0] == pytest.approx(0.2, rel=0.5)


def test_horizontally_polarised_light_scatters_up() -> None:
    """At 90° along X there is nothing to be seen of it; along Y everything."""
    crystal, energy = crystal_by_name("Al"), np.array([12.0, 12.0])
    hkl = np.array([[3, 1, 1], [3, 1, 1]], np.int32)
    sideways, up = reflection_intensities(crystal, WhiteBeam(), hkl, energy, np.eye(3)[:2])
    assert sideways == pytest.approx(0.0, abs=1e-12 * up)


def test_spectrum_is_smooth_and_ends_with_the_band() -> None:
    beam = WhiteBeam()
    energy = np.linspace(5.0, 30.0, 501)
    photons = beam.photons_per_kev(energy)
    assert np.all(photons > 0)
    assert np.abs(np.diff(photons, 2)).max() < 0.01 * photons.max()
    assert beam.photons_per_kev([4.99, 30.01]).tolist() == [0.0, 0.0]
