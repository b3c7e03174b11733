"""Structures and structure factors against tables and gemmi's own calculator."""

from __future__ import annotations

import gemmi
import numpy as np
import pytest

from lauedepth.core.errors import ConfigurationError
from lauedepth.crystals.crystal import CRYSTALS, Atom, Crystal, crystal_by_name, debye_b

HANDBOOK_DENSITY = {"Al": 2.70, "Cu": 8.94, "Ni": 8.91, "Si": 2.329, "Ti": 4.506, "W": 19.25}
HANDBOOK_B = {"Al": 0.77, "Cu": 0.52, "Ni": 0.35, "Si": 0.40, "Ti": 0.52, "W": 0.15}
CORUNDUM = Crystal(
    "corundum",
    (4.7589, 4.7589, 12.991, 90.0, 90.0, 120.0),
    "R -3 c:H",
    (Atom("Al", (0.0, 0.0, 0.35216)), Atom("O", (0.30624, 0.0, 0.25))),
)
CORUNDUM_CIF = """data_corundum
_cell_length_a 4.7589
_cell_length_b 4.7589
_cell_length_c 12.991
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 120
_symmetry_space_group_name_H-M 'R -3 c:H'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Al Al 0 0 0.35216
O O 0.30624 0 0.25
"""


def miller(*indices: tuple[int, int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    return np.array(indices, np.int32)


@pytest.mark.parametrize("name", sorted(CRYSTALS))
def test_density(name: str) -> None:
    assert crystal_by_name(name).density_g_cm3 == pytest.approx(HANDBOOK_DENSITY[name], rel=3e-3)


@pytest.mark.parametrize("name", sorted(CRYSTALS))
def test_debye_waller_factor_is_near_the_measured_one(name: str) -> None:
    (atom,) = crystal_by_name(name).atoms
    assert debye_b(atom, 295.0) == pytest.approx(HANDBOOK_B[name], rel=0.25)


def test_debye_waller_factor_grows_with_temperature() -> None:
    atom = Atom("Cu", debye_k=343.0)
    cold, warm, hot = (debye_b(atom, temperature) for temperature in (1.0, 300.0, 3000.0))
    assert cold == pytest.approx(2873 / (63.546 * 343.0), rel=1e-3)
    assert hot == pytest.approx(10 * warm, rel=0.05)


def test_absences_of_face_and_body_centred_lattices() -> None:
    hkl = miller((1, 1, 1), (2, 0, 0), (1, 0, 0), (2, 1, 1), (1, 1, 0), (3, 1, 1))
    assert crystal_by_name("Ni").is_absent(hkl).tolist() == [False, False, True, True, True, False]
    assert crystal_by_name("W").is_absent(hkl).tolist() == [True, False, True, False, False, True]


def test_close_packed_hexagonal_lattice_by_hand() -> None:
    """Two atoms, at 1/3 2/3 1/4 and 2/3 1/3 3/4: |F|² is 4 f² cos²(pi ((h + 2k)/3 + l/2))."""
    titanium = crystal_by_name("Ti")
    hkl = miller((0, 0, 1), (1, 1, 1), (0, 0, 2), (1, 0, 0), (1, 0, 1))
    (spacing,) = 1 / np.linalg.norm(miller((1, 0, 1)) @ titanium.reciprocal.T, axis=1)
    assert spacing == pytest.approx((4 / 3 / 2.9508**2 + 1 / 4.6855**2) ** -0.5)
    atom = Crystal("one", titanium.cell, "P 1", (Atom("Ti", debye_k=420.0),))
    ratio = np.abs(titanium.structure_factors(hkl, 12.0) / atom.structure_factors(hkl, 12.0))
    np.testing.assert_allclose(ratio, [0.0, 0.0, 2.0, 1.0, 3**0.5], atol=1e-9)


def test_diamond_lattice_by_hand() -> None:
    silicon = crystal_by_name("Si")
    still = Crystal("Si", silicon.cell, silicon.space_group, (Atom("Si"),))
    hkl = miller((2, 2, 0), (1, 1, 1), (2, 2, 2), (2, 0, 0))
    values = np.abs(still.structure_factors(hkl, 8.0))
    dispersion = complex(*gemmi.cromer_liberman(14, 8000.0))
    s_squared = [np.sum(index.astype(float) ** 2) / (2 * 5.4310206) ** 2 for index in hkl]
    single = [abs(gemmi.Element("Si").it92.calculate_sf(s) + dispersion) for s in s_squared]
    np.testing.assert_allclose(values[:2], [8 * single[0], 4 * 2**0.5 * single[1]], rtol=1e-9)
    np.testing.assert_allclose(values[2:], 0.0, atol=1e-9)


def test_against_gemmi_on_a_structure_of_two_elements() -> None:
    """Far above the edges dispersion is small; it is given to gemmi's calculator as well."""
    block = gemmi.cif.read_string(CORUNDUM_CIF).sole_block()
    small = gemmi.make_small_structure_from_block(block)
    small.change_occupancies_to_crystallographic()
    calculator = gemmi.StructureFactorCalculatorX(small.cell)
    for atom in CORUNDUM.atoms:
        element = gemmi.Element(atom.element)
        real, _ = gemmi.cromer_liberman(element.atomic_number, 25000.0)
        calculator.addends.set(element, real)
    hkl = miller((1, 0, 4), (1, 1, 3), (0, 2, 4), (1, 1, 6), (3, 0, 0))
    expected = [calculator.calculate_sf_from_small_structure(small, list(map(int, h))) for h in hkl]
    np.testing.assert_allclose(
        np.abs(CORUNDUM.structure_factors(hkl, 25.0)), np.abs(expected), rtol=2e-3
    )


def test_scattering_drops_at_the_absorption_edge() -> None:
    hkl = miller((1, 1, 1), (1, 1, 1))
    far, near = np.abs(crystal_by_name("Cu").structure_factors(hkl, np.array([7.0, 8.978])))
    assert near < 0.9 * far


@pytest.mark.parametrize(
    ("hkl", "expected"), [((1, 1, 1), 8), ((2, 0, 0), 6), ((2, 2, 0), 12), ((3, 2, 1), 48)]
)
def test_multiplicity_of_cubic_reflections(hkl: tuple[int, int, int], expected: int) -> None:
    assert crystal_by_name("Al").multiplicity(hkl) == expected


def test_reciprocal_lattice_of_a_skewed_cell() -> None:
    crystal = Crystal("x", (3.0, 4.0, 5.0, 80.0, 95.0, 105.0), "P 1", (Atom("Fe"),))
    a = np.array([3.0, 0.0, 0.0])
    b = 4 * np.array([np.cos(np.radians(105)), np.sin(np.radians(105)), 0.0])
    np.testing.assert_allclose(a @ crystal.reciprocal, [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(b @ crystal.reciprocal, [0, 1, 0], atol=1e-12)
    assert np.linalg.det(crystal.reciprocal) == pytest.approx(1 / crystal.volume)


def test_errors_name_the_crystal_and_the_remedy() -> None:
    with pytest.raises(ConfigurationError, match=r"Unobtainium.*choose one of Al, Cu"):
        crystal_by_name("Unobtainium")
    with pytest.raises(ConfigurationError, match="is not a space group"):
        Crystal("x", (3, 3, 3, 90, 90, 90), "Q m", (Atom("Fe"),))
    with pytest.raises(ConfigurationError, match="no volume"):
        Crystal("x", (0, 3, 3, 90, 90, 90), "P 1", (Atom("Fe"),))
    with pytest.raises(ConfigurationError, match="no atoms"):
        Crystal("x", (3, 3, 3, 90, 90, 90), "P 1", ())
    with pytest.raises(ConfigurationError, match="is not a chemical element"):
        Atom("Qq")
