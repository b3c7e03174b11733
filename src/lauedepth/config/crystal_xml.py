"""Crystals from the beamline's files: XML (``.xtal``, ``.xml``) and the older text (``.xtl``)."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from lauedepth.config.crystal_keys import crystal_of_keys, is_key_list
from lauedepth.config.crystal_values import (
    Cell,
    angstrom_per,
    fraction_of,
    number_of,
    symbol_of,
)
from lauedepth.config.xml_text import parse_xml
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.files import read_file
from lauedepth.crystals import Atom, Crystal


def read_crystal(path: Path | str) -> Crystal:
    """Read a crystal file.

    The cell is taken as written, at the temperature the file states. A space group given by
    its number alone is taken in its first origin (227: an atom at 0 0 0 makes silicon), and
    for rhombohedral groups in the axes that fit the cell.

    Parameters
    ----------
    path : Path or str
        XML with a ``cif`` root: ``space_group`` or ``space_group_IT_number``, ``cell``, and an
        ``atom_site`` per atom, whose positions may be fractions such as ``1/4``; or the older
        list of ``$key value`` lines.

    Returns
    -------
    Crystal

    Raises
    ------
    ConfigurationError
        If the file cannot be read, or an entry is missing or wrong; names file and entry.
    """
    content, where = _content(Path(path)), str(path)
    if is_key_list(content):
        return crystal_of_keys(content, where)
    root = parse_xml(content, path)
    cell = _cell(root, where)
    name = _text(root, "chemical_name_common") or Path(path).stem
    sites = list(root.iter("atom_site"))
    if not sites:
        raise ConfigurationError("no atom_site", where, "add one for each atom")
    atoms = tuple(_atom(site, where) for site in sites)
    try:
        return Crystal(name, cell, _space_group(root, cell, where), atoms)
    except ConfigurationError as error:
        raise ConfigurationError(error.what, where, error.remedy) from error


def _content(path: Path) -> bytes:
    try:
        return read_file(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(reason, str(path), "give a readable crystal file") from error


def _text(parent: etree._Element, *names: str) -> str:
    """Return the text of the first entry with one of these names, or ""."""
    for name in names:
        found = next(parent.iter(name), None)
        if found is not None and found.text and found.text.strip():
            return found.text.strip()
    return ""


def _cell(root: etree._Element, where: str) -> Cell:
    cell = next(root.iter("cell"), None)
    if cell is None:
        raise ConfigurationError("no cell", where, "add a cell with a, b, c, alpha, beta and gamma")
    a, b, c = (_length(cell, name, where) for name in ("a", "b", "c"))
    alpha, beta, gamma = (
        number_of(_text(cell, name), f"cell {name}", where) for name in ("alpha", "beta", "gamma")
    )
    return a, b, c, alpha, beta, gamma


def _length(cell: etree._Element, name: str, where: str) -> float:
    entry = next(cell.iter(name), None)
    unit = "nm" if entry is None else entry.get("unit", "nm")
    angstrom = angstrom_per(unit, f"cell {name}", where)
    return number_of(_text(cell, name), f"cell {name}", where) * angstrom


def _space_group(root: etree._Element, cell: Cell, where: str) -> str:
    number = _text(root, "IT_number", "space_group_IT_number")
    if not number:
        symbol = _text(root, "H-M", "space_group_name_H-M_alt", "name_H-M_alt")
        if not symbol:
            raise ConfigurationError(
                "no space group", where, "add space_group_IT_number (1 to 230)"
            )
        return symbol
    return symbol_of(number, cell, where)


def _atom(site: etree._Element, where: str) -> Atom:
    label = _text(site, "label", "symbol") or "atom"
    together = _text(site, "fract_xyz", "fract").split()
    separate = [_text(site, f"fract_{axis}") for axis in "xyz"]
    texts = together if len(together) == 3 else separate
    x, y, z = (fraction_of(text, f"position of {label}", where) for text in texts)
    debye = _text(site, "DebyeTemperature")
    occupancy = _text(site, "occupancy", "occ")
    try:
        return Atom(
            _text(site, "symbol"),
            (x, y, z),
            number_of(debye, f"Debye temperature of {label}", where) if debye else None,
            fraction_of(occupancy, f"occupancy of {label}", where) if occupancy else 1.0,
        )
    except ConfigurationError as error:
        raise ConfigurationError(error.what, where, error.remedy) from error
