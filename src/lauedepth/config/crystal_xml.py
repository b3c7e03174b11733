"""Crystals from the beamline's XML files (``.xtal``, ``.xml``)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import gemmi
from lxml import etree

from lauedepth.config.xml_text import parse_xml
from lauedepth.core.errors import ConfigurationError
from lauedepth.crystals import Atom, Crystal

ANGSTROM_PER: Final = {"nm": 10.0, "Å": 1.0, "angstrom": 1.0, "pm": 0.01}
"""Units of length in these files; nm where none is given."""

Cell = tuple[float, float, float, float, float, float]


def read_crystal(path: Path | str) -> Crystal:
    """Read a crystal file.

    The cell is taken as written, at the temperature the file states. A space group given by
    its number alone is taken in its first origin (227: an atom at 0 0 0 makes silicon), and
    for rhombohedral groups in the axes that fit the cell.

    Parameters
    ----------
    path : Path or str
        XML with a ``cif`` root: ``space_group`` or ``space_group_IT_number``, ``cell``, and an
        ``atom_site`` per atom.

    Returns
    -------
    Crystal

    Raises
    ------
    ConfigurationError
        If the file cannot be read, or an entry is missing or wrong; names file and entry.
    """
    root = _root(Path(path))
    where = str(path)
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


def _root(path: Path) -> etree._Element:
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(reason, str(path), "give a readable crystal file") from error
    return parse_xml(content, path)


def _text(parent: etree._Element, *names: str) -> str:
    """Return the text of the first entry with one of these names, or ""."""
    for name in names:
        found = next(parent.iter(name), None)
        if found is not None and found.text and found.text.strip():
            return found.text.strip()
    return ""


def _number(text: str, entry: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        problem = f"{text!r} is not a number" if text else "missing"
        raise ConfigurationError(f"{entry}: {problem}", where, f"give {entry} as a plain number")
    return value


def _cell(root: etree._Element, where: str) -> Cell:
    cell = next(root.iter("cell"), None)
    if cell is None:
        raise ConfigurationError("no cell", where, "add a cell with a, b, c, alpha, beta and gamma")
    a, b, c = (_length(cell, name, where) for name in ("a", "b", "c"))
    alpha, beta, gamma = (
        _number(_text(cell, name), f"cell {name}", where) for name in ("alpha", "beta", "gamma")
    )
    return a, b, c, alpha, beta, gamma


def _length(cell: etree._Element, name: str, where: str) -> float:
    entry = next(cell.iter(name), None)
    unit = "nm" if entry is None else entry.get("unit", "nm")
    if unit not in ANGSTROM_PER:
        raise ConfigurationError(
            f"cell {name}: unit {unit!r} is not known", where, f"use {', '.join(ANGSTROM_PER)}"
        )
    return _number(_text(cell, name), f"cell {name}", where) * ANGSTROM_PER[unit]


def _space_group(root: etree._Element, cell: Cell, where: str) -> str:
    number = _text(root, "IT_number", "space_group_IT_number")
    if not number:
        symbol = _text(root, "H-M", "space_group_name_H-M_alt", "name_H-M_alt")
        if not symbol:
            raise ConfigurationError(
                "no space group", where, "add space_group_IT_number (1 to 230)"
            )
        return symbol
    if not (number.isdigit() and 1 <= int(number) <= 230):
        raise ConfigurationError(
            f"space group number {number!r} is not valid", where, "give one from 1 to 230"
        )
    group = gemmi.find_spacegroup_by_number(int(number))
    symbol = str(group.xhm())
    rhombohedral = symbol.endswith(":H") and not math.isclose(cell[5], 120.0, abs_tol=1e-3)
    return symbol[:-1] + "R" if rhombohedral else symbol


def _atom(site: etree._Element, where: str) -> Atom:
    label = _text(site, "label", "symbol") or "atom"
    together = _text(site, "fract_xyz", "fract").split()
    separate = [_text(site, f"fract_{axis}") for axis in "xyz"]
    texts = together if len(together) == 3 else separate
    x, y, z = (_number(text, f"position of {label}", where) for text in texts)
    debye = _text(site, "DebyeTemperature")
    occupancy = _text(site, "occupancy", "occ")
    try:
        return Atom(
            _text(site, "symbol"),
            (x, y, z),
            _number(debye, f"Debye temperature of {label}", where) if debye else None,
            _number(occupancy, f"occupancy of {label}", where) if occupancy else 1.0,
        )
    except ConfigurationError as error:
        raise ConfigurationError(error.what, where, error.remedy) from error
