"""Crystals: their reciprocal lattices and structure factors.

The crystal frame is Cartesian: x along a, b in the xy plane, z along c*. Lengths of the
crystal are in Å, as crystallographers write them, and reciprocal vectors are 1/d (no 2 pi).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final

import gemmi
import numpy as np
import numpy.typing as npt
from scipy import constants
from scipy.integrate import quad

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import ConfigurationError

Integers = npt.NDArray[np.int32]

HC_KEV_ANGSTROM: Final = 12.39841984
"""Planck's constant times the speed of light."""

ROOM_TEMPERATURE_K: Final = 295.65
COINCIDENCE: Final = 1e-4
"""Atoms closer than this (fractions of a cell edge) are one atom."""


@dataclass(frozen=True)
class Atom:
    """One atom of the asymmetric unit.

    Attributes
    ----------
    element : str
        Chemical symbol.
    fraction : (float, float, float)
        Position in fractions of the cell edges.
    debye_k : float or None
        Debye temperature; None for an atom at rest.
    occupancy : float
    """

    element: str
    fraction: tuple[float, float, float] = (0.0, 0.0, 0.0)
    debye_k: float | None = None
    occupancy: float = 1.0

    def __post_init__(self) -> None:
        if gemmi.Element(self.element).atomic_number == 0:
            raise ConfigurationError(
                f"{self.element!r} is not a chemical element",
                "atom",
                "write its symbol, as in 'Cu'",
            )


@dataclass(frozen=True)
class Crystal:
    """A crystal structure.

    Attributes
    ----------
    name : str
    cell : (float, ...) of 6
        a, b, c in Å and alpha, beta, gamma in degrees.
    space_group : str
        Extended Hermann-Mauguin symbol, for instance "F d -3 m:1".
    atoms : tuple of Atom
        The asymmetric unit.
    """

    name: str
    cell: tuple[float, float, float, float, float, float]
    space_group: str
    atoms: tuple[Atom, ...]

    def __post_init__(self) -> None:
        if gemmi.find_spacegroup_by_name(self.space_group) is None:
            raise ConfigurationError(
                f"{self.space_group!r} is not a space group",
                f"crystal {self.name}",
                "give its Hermann-Mauguin symbol, for example 'F m -3 m'",
            )
        if not (min(self.cell) > 0 and gemmi.UnitCell(*self.cell).volume > 0):
            raise ConfigurationError(
                f"cell {self.cell} has no volume",
                f"crystal {self.name}",
                "give a, b, c in Å and alpha, beta, gamma in degrees",
            )
        if not self.atoms:
            raise ConfigurationError(
                "has no atoms", f"crystal {self.name}", "give at least one atom site"
            )

    @cached_property
    def operations(self) -> gemmi.GroupOps:
        """The operations of the space group."""
        return gemmi.SpaceGroup(self.space_group).operations()

    @cached_property
    def volume(self) -> float:
        """Volume of the cell, Å³."""
        return float(gemmi.UnitCell(*self.cell).volume)

    @cached_property
    def reciprocal(self) -> Floats:
        """Matrix whose columns are a*, b*, c* in the crystal frame, 1/Å: (3, 3)."""
        return np.asarray(gemmi.UnitCell(*self.cell).frac.mat.tolist(), np.float64).T

    @cached_property
    def sites(self) -> tuple[tuple[Atom, Floats], ...]:
        """Each atom with its (n, 3) fractional positions in the unit cell."""
        return tuple((atom, self._orbit(atom)) for atom in self.atoms)

    @property
    def density_g_cm3(self) -> float:
        """Mass per volume."""
        mass = sum(
            gemmi.Element(atom.element).weight * atom.occupancy * len(places)
            for atom, places in self.sites
        )
        return float(mass * constants.atomic_mass * 1e3 / (self.volume * 1e-24))

    def _orbit(self, atom: Atom) -> Floats:
        images = np.array([op.apply_to_xyz(list(atom.fraction)) for op in self.operations]) % 1.0
        kept: list[Floats] = []
        for image in images:
            apart = [np.abs((image - other + 0.5) % 1.0 - 0.5).max() for other in kept]
            if min(apart, default=1.0) > COINCIDENCE:
                kept.append(image)
        return np.array(kept)

    def is_absent(self, hkl: Integers) -> npt.NDArray[np.bool_]:
        """Return which reflections are systematically absent: (n, 3) to (n,)."""
        return np.asarray(self.operations.systematic_absences(np.ascontiguousarray(hkl, np.int32)))

    def multiplicity(self, hkl: tuple[int, int, int]) -> int:
        """Return how many reflections are equivalent by symmetry, counting Friedel mates."""
        images = {tuple(op.apply_to_hkl(list(hkl))) for op in self.operations.sym_ops}
        mates = {tuple(-index for index in image) for image in images}
        return len(images | mates)

    def structure_factors(
        self, hkl: Integers, energy_kev: npt.ArrayLike, temperature_k: float = ROOM_TEMPERATURE_K
    ) -> npt.NDArray[np.complex128]:
        """Return F(hkl) in electrons.

        F = sum_j occ_j (f0_j(s) + f'_j(E) + i f''_j(E)) exp(-B_j s²) exp(2 pi i hkl.r_j), with
        s = |G|/2; f0 from International Tables (1992), f' and f'' by Cromer and Liberman's
        method, both from gemmi.

        Parameters
        ----------
        hkl : (n, 3) array
        energy_kev : array_like, (n,) or a number
        temperature_k : float
            Of the crystal, for the Debye-Waller factor.

        Returns
        -------
        (n,) complex array
        """
        indices = np.asarray(hkl, np.float64)
        energies = np.broadcast_to(np.asarray(energy_kev, np.float64), indices.shape[:1])
        s_squared = np.sum((indices @ self.reciprocal.T) ** 2, axis=1) / 4
        total = np.zeros(len(indices), np.complex128)
        for atom, places in self.sites:
            phases = np.exp(2j * np.pi * (indices @ places.T)).sum(axis=1)
            damping = np.exp(-debye_b(atom, temperature_k) * s_squared)
            total += (
                atom.occupancy
                * _form_factor(atom.element, s_squared, energies)
                * (damping * phases)
            )
        return total


def debye_b(atom: Atom, temperature_k: float) -> float:
    """Return the Debye-Waller B factor of an atom in Å².

    B = 6 h² / (m k Theta) (phi(x)/x + 1/4), x = Theta/T, phi the Debye function (James,
    The Optical Principles of the Diffraction of X-rays, 1948).
    """
    if atom.debye_k is None:
        return 0.0
    mass = gemmi.Element(atom.element).weight * constants.atomic_mass
    x = atom.debye_k / temperature_k
    phi = quad(lambda t: t / np.expm1(t), 0.0, x)[0] / x
    scale = 6 * constants.h**2 / (mass * constants.k * atom.debye_k) * 1e20
    return float(scale * (phi / x + 0.25))


def _form_factor(element: str, s_squared: Floats, energy_kev: Floats) -> npt.NDArray[np.complex128]:
    table = gemmi.Element(element).it92
    number = gemmi.Element(element).atomic_number
    still = np.array([table.calculate_sf(value) for value in s_squared])
    pairs = [gemmi.cromer_liberman(number, energy * 1e3) for energy in energy_kev]
    anomalous = np.array(pairs, np.float64).reshape(-1, 2)
    return np.asarray(still + anomalous[:, 0] + 1j * anomalous[:, 1])


def _cubic(name: str, space_group: str, a: float, debye_k: float) -> Crystal:
    return Crystal(name, (a, a, a, 90.0, 90.0, 90.0), space_group, (Atom(name, debye_k=debye_k),))


CRYSTALS: Final = MappingProxyType(
    {
        "Al": _cubic("Al", "F m -3 m", 4.0495, 428.0),
        "Cu": _cubic("Cu", "F m -3 m", 3.6149, 343.0),
        "Ni": _cubic("Ni", "F m -3 m", 3.5238, 450.0),
        "Si": _cubic("Si", "F d -3 m:1", 5.4310206, 645.0),
        "Ti": Crystal(
            "Ti",
            (2.9508, 2.9508, 4.6855, 90.0, 90.0, 120.0),
            "P 63/m m c",
            (Atom("Ti", (1 / 3, 2 / 3, 1 / 4), debye_k=420.0),),
        ),
        "W": _cubic("W", "I m -3 m", 3.1652, 400.0),
    }
)
"""Elements by symbol: lattice constants (Å) at room temperature, Debye temperatures (K)."""


def crystal_by_name(name: str) -> Crystal:
    """Return a built-in crystal.

    Raises
    ------
    ConfigurationError
        If it is not built in; the message names those that are.
    """
    if name not in CRYSTALS:
        raise ConfigurationError(
            f"crystal {name!r} is not built in",
            "crystal",
            f"choose one of {', '.join(CRYSTALS)} or give a crystal file",
        )
    return CRYSTALS[name]
