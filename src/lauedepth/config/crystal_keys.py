"""Crystals from the older text files (``.xtl``): lines of ``$key value``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from lauedepth.config.crystal_values import (
    Cell,
    angstrom_per,
    fraction_of,
    number_of,
    symbol_of,
)
from lauedepth.core.errors import ConfigurationError
from lauedepth.crystals.crystal import Atom, Crystal

# The key of atoms is misspelt in the files themselves.
_ATOM: Final = re.compile(r"AtomDesc(?:ti|ri)ption\d*", re.IGNORECASE)


def is_key_list(content: bytes) -> bool:
    """Return whether a file's content is a list of keys."""
    return content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"$", b"//"))


def crystal_of_keys(content: bytes, where: str) -> Crystal:
    """Return the crystal that a list of keys describes.

    Parameters
    ----------
    content : bytes
        Lines end as on any system, the classic Mac included.
    where : str
        The file, named in errors.

    Raises
    ------
    ConfigurationError
        An entry is missing or wrong.
    """
    pairs = _pairs(content)
    keys = dict(pairs)
    unit = keys.get("lengthUnit", "nm")
    cell = _cell(keys.get("latticeParameters", ""), angstrom_per(unit, "lengthUnit", where), where)
    atoms = tuple(_atom(value, where) for key, value in pairs if _ATOM.fullmatch(key))
    if not atoms:
        raise ConfigurationError("no atom", where, "add $AtomDesctiption1 {Si001 0 0 0 1}")
    name = keys.get("structureDesc") or Path(where).stem
    group = symbol_of(keys.get("SpaceGroup", ""), cell, where)
    try:
        return Crystal(name, cell, group, atoms)
    except ConfigurationError as error:
        raise ConfigurationError(error.what, where, error.remedy) from error


def _pairs(content: bytes) -> list[tuple[str, str]]:
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    found = []
    for line in text.splitlines():
        key, _, value = line.partition("//")[0].strip().replace("\t", " ").partition(" ")
        if key.startswith("$"):
            found.append((key[1:], value.strip()))
    return found


def _items(value: str) -> list[str]:
    return value.strip("{} ").replace(",", " ").split()


def _cell(value: str, angstrom: float, where: str) -> Cell:
    items = _items(value)
    if len(items) != 6:
        raise ConfigurationError(
            f"latticeParameters are {len(items)} numbers",
            where,
            "give { a, b, c, alpha, beta, gamma }",
        )
    a, b, c, alpha, beta, gamma = (number_of(item, "latticeParameters", where) for item in items)
    return a * angstrom, b * angstrom, c * angstrom, alpha, beta, gamma


def _atom(value: str, where: str) -> Atom:
    label, *numbers = _items(value) or [""]
    element = re.match("[A-Za-z]+", label)
    if element is None or len(numbers) not in {3, 4}:
        raise ConfigurationError(
            f"atom {value!r} cannot be read", where, "write {Si001 0 0 0 1}: x, y, z, occupancy"
        )
    x, y, z, *rest = (fraction_of(item, f"position of {label}", where) for item in numbers)
    try:
        return Atom(element.group(), (x, y, z), None, rest[0] if rest else 1.0)
    except ConfigurationError as error:
        raise ConfigurationError(error.what, where, error.remedy) from error
