"""The beamline's crystal files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lauedepth.config.crystal_xml import read_crystal
from lauedepth.core.errors import ConfigurationError
from lauedepth.crystals.crystal import CRYSTALS

QUARTZ = """<?xml version="1.0"?>
<cif>
  <chemical_name_common>quartz</chemical_name_common>
  <space_group><IT_number>154</IT_number></space_group>
  <cell>
    <a unit="angstrom">4.9137</a><b unit="angstrom">4.9137</b><c unit="nm">0.54047</c>
    <alpha>90</alpha><beta>90</beta><gamma>120</gamma>
  </cell>
  <atom_site><label>Si1</label><symbol>Si</symbol><fract>0.4697 0 0.6666667</fract></atom_site>
  <atom_site>
    <label>O1</label><symbol>O</symbol>
    <fract_x>0.4135</fract_x><fract_y>0.2669</fract_y><fract_z>0.7857667</fract_z>
    <occupancy>0.98</occupancy><DebyeTemperature unit="K">500</DebyeTemperature>
  </atom_site>
</cif>
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "crystal.xml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("file", "name", "atoms"), [("Al.xtal", "Al", 4), ("Ni.xml", "Ni", 4), ("Si.xml", "Si", 8)]
)
def test_real_files_agree_with_the_built_in_crystals(
    shared: Path, file: str, name: str, atoms: int
) -> None:
    crystal = read_crystal(shared / "data/crystals" / file)
    built_in = CRYSTALS[name]
    assert crystal.cell == pytest.approx(built_in.cell)
    assert crystal.space_group == built_in.space_group
    assert sum(len(places) for _, places in crystal.sites) == atoms
    assert crystal.density_g_cm3 == pytest.approx(built_in.density_g_cm3, rel=1e-6)


def test_every_way_of_writing_is_read(tmp_path: Path) -> None:
    crystal = read_crystal(written(tmp_path, QUARTZ))
    assert crystal.name == "quartz"
    assert crystal.cell == pytest.approx((4.9137, 4.9137, 5.4047, 90.0, 90.0, 120.0))
    silicon, oxygen = crystal.atoms
    assert silicon.fraction == (0.4697, 0.0, 0.6666667)
    assert silicon.debye_k is None
    assert (oxygen.occupancy, oxygen.debye_k) == (0.98, 500.0)
    assert [len(places) for _, places in crystal.sites] == [3, 6]
    full = read_crystal(written(tmp_path, QUARTZ.replace("0.98", "1")))
    assert full.density_g_cm3 == pytest.approx(2.65, rel=5e-3)


def test_rhombohedral_axes_follow_the_cell(tmp_path: Path) -> None:
    rhombohedral = QUARTZ.replace("154", "166").replace("120", "90")
    assert read_crystal(written(tmp_path, rhombohedral)).space_group.endswith(":R")
    assert read_crystal(written(tmp_path, QUARTZ.replace("154", "166"))).space_group.endswith(":H")


def test_a_symbol_serves_where_there_is_no_number(tmp_path: Path) -> None:
    text = QUARTZ.replace("<IT_number>154</IT_number>", "<H-M>P 32 2 1</H-M>")
    crystal = read_crystal(written(tmp_path, text))
    number = read_crystal(written(tmp_path, QUARTZ))
    hkl = np.array([[1, 0, 1], [0, 0, 3]], np.int32)
    np.testing.assert_allclose(
        crystal.structure_factors(hkl, 10.0), number.structure_factors(hkl, 10.0)
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("<IT_number>154</IT_number>", "", "no space group"),
        ("154", "231", "'231' is not valid"),
        ("154", "many", "'many' is not valid"),
        ("0.54047", "wide", "cell c: 'wide' is not a number"),
        ("<beta>90</beta>", "", "cell beta: missing"),
        ('unit="nm"', 'unit="inch"', "unit 'inch' is not known"),
        ("0.54047", "-1", "has no volume"),
        ("<symbol>Si</symbol>", "<symbol>Sx</symbol>", "'Sx' is not a chemical element"),
        ("<fract_y>0.2669</fract_y>", "", "position of O1: missing"),
        ("0.98", "nan", "occupancy of O1"),
        ("cell>", "box>", "no cell"),
        ("atom_site>", "atom>", "no atom_site"),
        ("</cif>", "", "XML"),
    ],
)
def test_errors_name_the_file_and_the_entry(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = written(tmp_path, QUARTZ.replace(old, new))
    with pytest.raises(ConfigurationError) as caught:
        read_crystal(path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.xml: No such file"):
        read_crystal(tmp_path / "none.xml")


def test_entities_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("Cu")
    text = QUARTZ.replace(
        '<?xml version="1.0"?>', f'<!DOCTYPE cif [<!ENTITY e SYSTEM "file://{secret}">]>'
    ).replace("<symbol>Si</symbol>", "<symbol>&e;</symbol>")
    with pytest.raises(ConfigurationError):
        read_crystal(written(tmp_path, text))
