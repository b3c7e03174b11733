"""The older text files of crystals."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauedepth.config.crystal_xml import read_crystal
from lauedepth.core.errors import ConfigurationError
from lauedepth.crystals.crystal import CRYSTALS

GALLIUM_ARSENIDE = """$filetype\tCrystalStructure
$structureDesc\tGaAs   // a comment
$latticeParameters\t{ 5.6533, 5.6533, 5.6533, 90, 90, 90 }
$lengthUnit angstrom
$SpaceGroup 216
$AtomDesctiption1 {Ga001 0 0 0 1}
$AtomDesctiption2 {As001, 1/4, 1/4, 1/4, 0.5}
"""


def written(folder: Path, text: str, newline: str = "\n") -> Path:
    path = folder / "a.xtl"
    path.write_bytes(text.replace("\n", newline).encode())
    return path


def test_the_real_file_is_the_built_in_crystal(shared: Path) -> None:
    crystal = read_crystal(shared / "data/crystals/Si.xtl")
    built_in = CRYSTALS["Si"]
    assert crystal.name == "Si"
    assert crystal.cell == pytest.approx(built_in.cell)
    assert crystal.space_group == built_in.space_group
    assert crystal.density_g_cm3 == pytest.approx(built_in.density_g_cm3, rel=1e-6)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_end_as_on_any_system(tmp_path: Path, newline: str) -> None:
    crystal = read_crystal(written(tmp_path, GALLIUM_ARSENIDE, newline))
    assert (crystal.name, crystal.space_group) == ("GaAs", "F -4 3 m")
    assert crystal.cell == (5.6533, 5.6533, 5.6533, 90.0, 90.0, 90.0)
    gallium, arsenic = crystal.atoms
    assert (gallium.element, gallium.fraction, gallium.occupancy) == ("Ga", (0, 0, 0), 1.0)
    assert (arsenic.element, arsenic.occupancy) == ("As", 0.5)
    assert arsenic.fraction == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("$SpaceGroup 216", "", "space group number '' is not valid"),
        ("216", "²", "is not valid"),
        (", 90 }", " }", "latticeParameters are 5 numbers"),
        ("angstrom", "ell", "unit 'ell' is not known"),
        ("1/4, 0.5", "1/0, 0.5", "divides by zero"),
        ("As001", "Xx001", "'Xx' is not a chemical element"),
        ("{Ga001 0 0 0 1}", "{Ga001 0 0}", "cannot be read"),
        ("AtomDesctiption", "Atoms", "no atom"),
    ],
)
def test_errors_name_the_file_and_the_entry(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = written(tmp_path, GALLIUM_ARSENIDE.replace(old, new))
    with pytest.raises(ConfigurationError) as caught:
        read_crystal(path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)
