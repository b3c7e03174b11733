"""The Laue pattern of a crystal in a white beam: its spots, their energies and intensities.

Orientations carry crystal vectors (see `crystal`) into the 34-ID-E lab frame: X outboard,
Y up, Z along the beam. Directions of spots are given in that frame;
`core.instrument.geometry` turns them into the beam frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.integrate import quad
from scipy.spatial.transform import Rotation
from scipy.special import kv

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Detector
from lauedepth.core.instrument.geometry import lab_to_beam, pixel_of_direction
from lauedepth.crystals.crystal import HC_KEV_ANGSTROM, Crystal

Integers = npt.NDArray[np.int32]

FORBIDDEN = 1e-6
"""Reflections weaker than this fraction of the pattern's strongest are omitted."""


@dataclass(frozen=True)
class WhiteBeam:
    """The incident beam.

    Attributes
    ----------
    start_kev, stop_kev : float
        The energy range; there are no photons outside it.
    critical_kev : float
        Critical energy of the source (19.5 keV: a bending magnet of the APS).
    filter_kev : float
        Loss at low energies in windows, air and the detector's response:
        exp(-(filter_kev/E)³). 12 keV follows the silicon pattern measured at 34-ID-E.
    horizontal_polarisation : float
        Fraction of the beam polarised along the lab X axis; the rest is along Y.
    """

    start_kev: float = 5.0
    stop_kev: float = 30.0
    critical_kev: float = 19.5
    filter_kev: float = 12.0
    horizontal_polarisation: float = 1.0

    def photons_per_kev(self, energy_kev: npt.ArrayLike) -> Floats:
        """Return the spectrum as the detector sees it, in arbitrary units.

        The universal curve of synchrotron radiation per energy (Schwinger 1949), the
        integral of K_5/3 from E/E_c to infinity, times the filter.
        """
        energy = np.asarray(energy_kev, np.float64)
        nodes = np.linspace(self.start_kev, self.stop_kev, 26)
        tail = [quad(lambda x: kv(5 / 3, x), e / self.critical_kev, np.inf)[0] for e in nodes]
        inside = (energy >= self.start_kev) & (energy <= self.stop_kev)
        filtered = np.interp(energy, nodes, tail) * np.exp(-((self.filter_kev / energy) ** 3))
        return np.where(inside, filtered, 0.0)


@dataclass(frozen=True)
class Harmonic:
    """One order of reflection in a spot.

    Attributes
    ----------
    hkl : (int, int, int)
    energy_kev : float
    intensity : float
        Per crystal volume, in arbitrary units.
    """

    hkl: tuple[int, int, int]
    energy_kev: float
    intensity: float


@dataclass(frozen=True)
class Spot:
    """A Laue spot: all orders of reflection of one lattice plane.

    Attributes
    ----------
    harmonics : tuple of Harmonic
        The strongest first.
    direction_lab : (3,) array
        Unit vector of the diffracted beam.
    row, column : float
        Where it hits the detector, unbinned pixels, for the given origin.
    """

    harmonics: tuple[Harmonic, ...]
    direction_lab: Floats
    row: float
    column: float

    @property
    def hkl(self) -> tuple[int, int, int]:
        """Indices of the strongest order."""
        return self.harmonics[0].hkl

    @property
    def energy_kev(self) -> float:
        """Photon energy of the strongest order."""
        return self.harmonics[0].energy_kev

    @property
    def intensity(self) -> float:
        """Sum over the orders."""
        return sum(harmonic.intensity for harmonic in self.harmonics)


def laue_spots(
    crystal: Crystal,
    orientation: Rotation,
    beam: WhiteBeam,
    detector: Detector,
    origin_mm: npt.ArrayLike = (0.0, 0.0, 0.0),
) -> list[Spot]:
    """Return the spots of a crystal that hit a detector, the brightest first.

    Parameters
    ----------
    crystal : Crystal
    orientation : Rotation
        From the crystal frame to the lab frame.
    beam : WhiteBeam
        Runs along the lab Z axis.
    detector : Detector
    origin_mm : (3,) array_like
        Position of the crystal, beam frame.

    Returns
    -------
    list of Spot
    """
    hkl, energy, direction = reflections(crystal, orientation, beam)
    row, column = pixel_of_direction(detector, lab_to_beam(direction), origin_mm)
    nx, ny = detector.shape
    hit = (np.abs(row - (ny - 1) / 2) <= ny / 2) & (np.abs(column - (nx - 1) / 2) <= nx / 2)
    hkl, energy, direction = hkl[hit], energy[hit], direction[hit]
    intensity = reflection_intensities(crystal, beam, hkl, energy, direction)
    strong = intensity > FORBIDDEN * intensity.max(initial=0.0)
    place = np.stack([row[hit], column[hit]], axis=1)
    spots = []
    for members in _by_lattice_plane(hkl, strong):
        harmonics = _harmonics(members, hkl, energy, intensity)
        first = members[0]
        spots.append(Spot(harmonics, direction[first], *place[first].tolist()))
    return sorted(spots, key=lambda spot: -spot.intensity)


def reflections(
    crystal: Crystal, orientation: Rotation, beam: WhiteBeam
) -> tuple[Integers, Floats, Floats]:
    """Return every reflection that the beam's energy range excites.

    With G = hkl in the lab (1/d) and the beam along z: E = hc |G|² / (-2 G_z), and the
    diffracted beam runs along z + G hc/E.

    Returns
    -------
    hkl : (n, 3) int32 array
    energy_kev : (n,) array
    direction_lab : (n, 3) array
        Unit vectors.
    """
    hkl = _lattice_within(crystal, 2 * beam.stop_kev / HC_KEV_ANGSTROM)
    g = orientation.apply(hkl @ crystal.reciprocal.T)
    ahead = g[:, 2] < 0
    hkl, g = hkl[ahead], g[ahead]
    energy = HC_KEV_ANGSTROM * np.sum(g**2, axis=1) / (-2 * g[:, 2])
    inside = (energy >= beam.start_kev) & (energy <= beam.stop_kev)
    hkl, g, energy = hkl[inside], g[inside], energy[inside]
    present = ~crystal.is_absent(hkl)
    hkl, g, energy = hkl[present], g[present], energy[present]
    direction = g * (HC_KEV_ANGSTROM / energy)[:, None] + np.array([0.0, 0.0, 1.0])
    return hkl, energy, direction / np.linalg.norm(direction, axis=1, keepdims=True)


def reflection_intensities(
    crystal: Crystal, beam: WhiteBeam, hkl: Integers, energy_kev: Floats, direction_lab: Floats
) -> Floats:
    """Return integrated intensities per crystal volume, in arbitrary units: (n,) array.

    Kinematic: I = S(E) lambda² |F|² P / (V² sin²theta), S photons per energy; this is
    Zachariasen's i(lambda) lambda⁴ |F|² P / (2 V² sin²theta) with i dlambda = S dE.
    P = 1 - (k_out.polarisation)².
    """
    sine_squared = (1 - direction_lab[:, 2]) / 2
    wavelength = HC_KEV_ANGSTROM / energy_kev
    across = direction_lab[:, :2] ** 2
    part = beam.horizontal_polarisation
    polarisation = part * (1 - across[:, 0]) + (1 - part) * (1 - across[:, 1])
    structure = np.abs(crystal.structure_factors(hkl, energy_kev)) ** 2 / crystal.volume**2
    spectrum = beam.photons_per_kev(energy_kev)
    return np.asarray(spectrum * wavelength**2 * structure * polarisation / sine_squared)


def _lattice_within(crystal: Crystal, radius: float) -> Integers:
    """Return all hkl except 000 with |G| up to the radius (1/Å)."""
    edges = np.array(crystal.cell[:3])
    limits = np.floor(radius * edges).astype(int)
    axes = [np.arange(-limit, limit + 1, dtype=np.int32) for limit in limits]
    hkl = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    length = np.linalg.norm(hkl @ crystal.reciprocal.T, axis=1)
    return np.asarray(hkl[(length > 0) & (length <= radius)])


def _by_lattice_plane(hkl: Integers, keep: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.intp]]:
    """Return the kept rows, grouped into orders of one reflection."""
    rows = np.flatnonzero(keep)
    if not rows.size:
        return []
    primitive = hkl[rows] // np.gcd.reduce(np.abs(hkl[rows]), axis=1)[:, None]
    _, group = np.unique(primitive, axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    return np.split(rows[order], np.cumsum(np.bincount(group.ravel()))[:-1])


def _harmonics(
    members: npt.NDArray[np.intp], hkl: Integers, energy: Floats, intensity: Floats
) -> tuple[Harmonic, ...]:
    ranked = members[np.argsort(-intensity[members], kind="stable")]
    indices = [(int(h), int(k), int(l_)) for h, k, l_ in hkl[ranked]]
    return tuple(
        Harmonic(index, float(energy[i]), float(intensity[i]))
        for index, i in zip(indices, ranked, strict=True)
    )
