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

_HEADING: Final = re.compile(r"\w+: (/\S*)")


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
    reasons = []
    where = "/"
    for message, level in _messages(path):
        if heading := _HEADING.fullmatch(message):
            where = heading[1]
        elif level == "error" and _is_ours(where):
            reasons.append(f"{where.strip('/') or '/'}: {message} (NeXus)")
    return reasons


def _messages(path: Path) -> list[tuple[str, str]]:
    """Return all that the package says, each with its level, below headings that name places."""
    from nexusformat.nexus import NeXusError, nxopen  # noqa: PLC0415  (slow to import)
    from nexusformat.nexus.validate import FileValidator, get_validator  # noqa: PLC0415

    listener = FileValidator(path)
    try:
        with nxopen(path, "r") as root:
            get_validator(root.nxclass).validate(root, parent=listener)
    except NeXusError as error:
        return [(str(error), "error")]
    return [(message, level) for message, level, _ in listener.logged_messages]


def _is_ours(where: str) -> bool:
    place = where.strip("/")
    return place in {"", "entry1"} or any(
        place == part or place.startswith(f"{part}/") for part in RESULT_PARTS
    )
