"""NeXus' own checks of a result, by the package `nexusformat` where it is installed."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from lauedepth.io.hdf5 import open_input
from lauedepth.io.kinds import layout_of
from lauedepth.io.layout import RESULT, RESULT_PARTS

_PACKAGE: Final = "nexusformat"
_FIRST: Final = (2, 1)
"""The first version with checks of base classes as they are used here."""


def nexus_checker() -> str:
    """Return name and version of the package that checks, or "" where none is installed."""
    if find_spec(_PACKAGE) is None:
        return ""
    try:
        installed = version(_PACKAGE)
    except PackageNotFoundError:
        return ""
    numbers = tuple(int(part) for part in re.findall(r"\d+", installed)[:2])
    return f"{_PACKAGE} {installed}" if numbers >= _FIRST else ""


def nexus_problems(path: Path | str) -> list[str]:
    """Check what this program wrote of a result against the base classes of NeXus.

    What the beamline wrote is copied as it was, and not checked. Only errors count: NeXus warns of
    every field that it has no name for, and allows them.

    Parameters
    ----------
    path : Path or str
        A valid result (`validate_file`); other files have nothing that is checked.

    Returns
    -------
    list of str
        Reasons; empty where all is well, or where `nexus_checker` finds nothing that could tell.
    """
    path = Path(path)
    if not nexus_checker() or not path.is_file():
        return []
    with open_input(path) as file:
        if layout_of(file) is not RESULT:
            return []
    try:
        messages = _messages(path)
    except Exception as error:  # of any kind: the package trusts files to be well-meant
        return [f"cannot be checked: {type(error).__name__}: {_printable(str(error))} (NeXus)"]
    reasons, where = [], ""
    for message, level in messages:
        if level == "all":  # names the place that the next ones are about
            where = message.partition(": ")[2].strip("/")
        elif level == "error":
            reasons.append(f"{_printable(where)}: {_printable(message)} (NeXus)")
    return reasons


def _printable(text: str) -> str:
    """Return text on one line, with nothing that a terminal would act on."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _messages(path: Path) -> list[tuple[str, str]]:
    """Return all that the package says of the groups that this program wrote, with levels."""
    from nexusformat.nexus import NXgroup, nxopen  # noqa: PLC0415  (slow to import)
    from nexusformat.nexus.validate import FileValidator, get_validator  # noqa: PLC0415

    listener = FileValidator(path)
    with nxopen(path, "r") as root:
        for part in RESULT_PARTS:
            if part in root and isinstance(root[part], NXgroup):
                get_validator(root[part].nxclass).validate(root[part], parent=listener)
    return [(message, level) for message, level, _ in listener.logged_messages]
