"""Which part of a result a figure shows, and in which colours."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt

from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.io import ResultFile


@dataclass(frozen=True)
class Area:
    """A rectangle of an image; ends are excluded."""

    row_start: int
    row_stop: int
    column_start: int
    column_stop: int

    @property
    def rows(self) -> slice:
        """The rows, to index an image with."""
        return slice(self.row_start, self.row_stop)

    @property
    def columns(self) -> slice:
        """The columns, to index an image with."""
        return slice(self.column_start, self.column_stop)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.row_stop - self.row_start

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return self.column_stop - self.column_start

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top edge, as matplotlib wants them; row 0 is at the top."""
        return (
            self.column_start - 0.5,
            self.column_stop - 0.5,
            self.row_stop - 0.5,
            self.row_start - 0.5,
        )

    def of(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the rows of a table whose pixels lie within."""
        row, column = pixels["row"], pixels["column"]
        inside = (row >= self.row_start) & (row < self.row_stop)
        inside &= (column >= self.column_start) & (column < self.column_stop)
        return pixels[inside]


@dataclass(frozen=True)
class View:
    """Which part of a result a figure shows, and in which colours.

    Attributes
    ----------
    zoom : Area or None
        The part of the image; all of it by default.
    low, high : float or None
        Values at the ends of the colours; by default they follow from the values.
    colour_map : str or None
        Name of one of matplotlib's colour maps; by default the kind's own.
    """

    zoom: Area | None = None
    low: float | None = None
    high: float | None = None
    colour_map: str | None = None

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ConfigurationError(
                f"the limit {self.low:g} is not below {self.high:g}", "limits", "exchange them"
            )

    def area(self, result: ResultFile) -> Area:
        """Return the part of a result's image that is shown.

        Raises
        ------
        InputError
            The image does not reach so far.
        """
        rows, columns = result.shape[1:]
        if self.zoom is None:
            return Area(0, rows, 0, columns)
        zoom = self.zoom
        if not (
            0 <= zoom.row_start < zoom.row_stop <= rows
            and 0 <= zoom.column_start < zoom.column_stop <= columns
        ):
            raise InputError(
                f"has no rows {zoom.row_start}:{zoom.row_stop}, "
                f"columns {zoom.column_start}:{zoom.column_stop}",
                str(result.path),
                f"its image has rows 0:{rows}, columns 0:{columns}",
            )
        return zoom

    def colours(self, default: str) -> Any:
        """Return the colour map.

        Raises
        ------
        ConfigurationError
            There is no such colour map.
        """
        from matplotlib import colormaps  # noqa: PLC0415  (slow to import)

        name = self.colour_map or default
        if name not in colormaps:
            near = get_close_matches(name, list(colormaps), 1) or [default]
            raise ConfigurationError(
                f"there is no colour map {name!r}", remedy=f"for example, choose {near[0]}"
            )
        return colormaps[name]

    def limits(self, low: float, high: float) -> tuple[float, float]:
        """Return the values at the ends of the colours, given what follows from the values."""
        low = low if self.low is None else self.low
        high = high if self.high is None else self.high
        if not low < high:  # one end was given, and all values lie beyond it
            low, high = (low, low + abs(low) + 1) if self.high is None else (high - abs(high), high)
        return low, high

    def log_norm(self, values: npt.NDArray[Any]) -> Any:
        """Return a logarithmic scale from values, down to a ten-thousandth of the largest.

        Raises
        ------
        ConfigurationError
            A limit is 0 or less.
        """
        from matplotlib.colors import LogNorm  # noqa: PLC0415  (slow to import)

        for limit in (self.low, self.high):
            if limit is not None and limit <= 0:
                raise ConfigurationError(
                    f"intensities have a logarithmic scale, which does not begin at {limit:g}",
                    "limits",
                    "give limits above 0",
                )
        lit = values[values > 0]
        high = float(lit.max()) if lit.size else 10.0
        low = max(float(np.percentile(lit, 2)), high / 1e4) if lit.size else 1.0
        high = high if self.high is None else self.high
        low = min(low, high / 10) if self.low is None else self.low
        return LogNorm(low, max(high, low * 10) if self.high is None else high)
