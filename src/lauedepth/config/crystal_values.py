"""Numbers of crystal files, whatever their layout."""

from __future__ import annotations

import math
import re
from typing import Final

import gemmi

from lauedepth.core.errors import ConfigurationError

ANGSTROM_PER: Final = {"nm": 10.0, "Å": 1.0, "angstrom": 1.0, "pm": 0.01}
"""Units of length in these files; without one it is nm."""

Cell = tuple[float, float, float, float, float, float]

_FRACTION: Final = re.compile(r"([-+]?[0-9.]+)\s*/\s*([0-9.]+)")


def number_of(text: str, entry: str, where: str) -> float:
    """Return a plain number.

    Raises
    ------
    ConfigurationError
        Missing, no number, or not finite; names the entry.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        told = f"{text!r} is not a number" if text else "missing"
        raise ConfigurationError(f"{entry}: {told}", where, f"give {entry} as a plain number")
    return value


def fraction_of(text: str, entry: str, where: str) -> float:
    """Return a number that may be written as a fraction, such as ``1/4`` or ``-2/4``."""
    parts = _FRACTION.fullmatch(text.strip())
    if parts is None:
        return number_of(text, entry, where)
    above, below = (number_of(part, entry, where) for part in parts.groups())
    if below == 0:
        raise ConfigurationError(f"{entry}: {text!r} divides by zero", where)
    return above / below


def angstrom_per(unit: str, entry: str, where: str) -> float:
    """Return the length of a unit in Å."""
    if unit not in ANGSTROM_PER:
        raise ConfigurationError(
            f"{entry}: unit {unit!r} is not known", where, f"use {', '.join(ANGSTROM_PER)}"
        )
    return ANGSTROM_PER[unit]


def symbol_of(number: str, cell: Cell, where: str) -> str:
    """Return the symbol of a space group known by its number, in its first origin.

    A rhombohedral group is taken in the axes that fit the cell.
    """
    if not (number.isascii() and number.isdigit() and 1 <= int(number) <= 230):
        raise ConfigurationError(
            f"space group number {number!r} is not valid", where, "give one from 1 to 230"
        )
    symbol = str(gemmi.find_spacegroup_by_number(int(number)).xhm())
    rhombohedral = symbol.endswith(":H") and not math.isclose(cell[5], 120.0, abs_tol=1e-3)
    return symbol[:-1] + "R" if rhombohedral else symbol
