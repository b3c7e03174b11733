"""What options say of the part of a result that a figure shows."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from lauedepth.core.errors import ConfigurationError

if TYPE_CHECKING:
    from lauedepth.figures.view import Area, View

_ZOOM = re.compile(r"([0-9]{1,9}):([0-9]{1,9}),([0-9]{1,9}):([0-9]{1,9})")


def view_of(zoom: str | None, limits: str | None, colour_map: str | None) -> View:
    """Return what --zoom, --limits and --colour-map ask for.

    Raises
    ------
    ConfigurationError
        One of them cannot be read.
    """
    from lauedepth.figures.view import View  # noqa: PLC0415  (needs h5py)

    low, high = (None, None) if limits is None else _ends(limits)
    return View(None if zoom is None else _area(zoom), low, high, colour_map)


def _area(text: str) -> Area:
    from lauedepth.figures.view import Area  # noqa: PLC0415  (needs h5py)

    match = _ZOOM.fullmatch(text.replace(" ", ""))
    if match is None:
        raise ConfigurationError(
            f"{text!r} is no part of an image",
            "--zoom",
            "give rows, then columns, ends excluded: 100:300,0:250",
        )
    return Area(*(int(number) for number in match.groups()))


def _ends(text: str) -> tuple[float | None, float | None]:
    parts = text.split(":")
    try:
        low, high = (float(part) if part.strip() else None for part in parts)
    except ValueError:
        low = high = None
    numbers = [end for end in (low, high) if end is not None]
    if not numbers or not all(map(math.isfinite, numbers)):
        raise ConfigurationError(
            f"{text!r} is no pair of limits", "--limits", "give LOW:HIGH, LOW: or :HIGH"
        )
    return low, high
