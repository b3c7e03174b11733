"""The shadow of the thick aperture: its transmission along the code, and running integral.

For one pixel the window w is fixed, so the bar fraction B(u) is piecewise linear between the
points where an end of the window passes a bar's edge. On each piece both the transmission
and its integral have a closed form, for opaque bars, T = 1 - B, and for absorbing ones,
T = exp(-x B) with x = mu x path through a whole bar.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.aperture import SHORTEST_UM, BarTable


@dataclass(frozen=True)
class Shadow:
    """Transmission T(u) of the aperture for rays that sweep one window of the code.

    Attributes
    ----------
    knots_um : (n,) array
        Where B(u) bends.
    bar_fraction : (n,) array
        B at the knots.
    integral_um : (n,) array
        Integral of T from the first knot to each knot.
    absorption : float or None
        x = mu x path through a whole bar; None for opaque bars.
    """

    knots_um: Floats
    bar_fraction: Floats
    integral_um: Floats
    absorption: float | None

    @classmethod
    def of(cls, table: BarTable, window_um: float, absorption: float | None = None) -> Shadow:
        """Build the shadow of an aperture for a window and, where known, an absorption."""
        half = max(window_um / 2, SHORTEST_UM)
        knots = np.unique(np.concatenate([table.knots_um - half, table.knots_um + half]))
        bars = table.bar_fraction(knots, 2 * half)
        pieces = _integrate(bars[:-1], bars[1:], np.diff(knots), absorption)
        return cls(knots, bars, np.concatenate([[0.0], np.cumsum(pieces)]), absorption)

    def at(self, u_um: npt.ArrayLike) -> Floats:
        """Return T at coordinates of the code."""
        bars = np.interp(np.asarray(u_um, np.float64), self.knots_um, self.bar_fraction)
        return _transmission(bars, self.absorption)

    def integral(self, u_um: npt.ArrayLike) -> Floats:
        """Return the integral of T up to coordinates of the code, µm."""
        u = np.asarray(u_um, np.float64)
        piece = np.searchsorted(self.knots_um, u, side="right") - 1
        left = np.clip(piece, 0, None)
        bars = np.interp(u, self.knots_um, self.bar_fraction)
        beyond = _integrate(self.bar_fraction[left], bars, u - self.knots_um[left], self.absorption)
        return np.asarray(self.integral_um[left] + beyond)

    def mean(self, from_um: Floats, to_um: Floats) -> Floats:
        """Return T averaged between two coordinates: the shadow for an extended source."""
        span = to_um - from_um
        short = np.abs(span) < SHORTEST_UM
        average = (self.integral(to_um) - self.integral(from_um)) / np.where(short, 1.0, span)
        return np.where(short, self.at(from_um), average)


def _transmission(bars: Floats, absorption: float | None) -> Floats:
    return 1.0 - bars if absorption is None else np.exp(-absorption * bars)


def _integrate(first: Floats, last: Floats, length: Floats, absorption: float | None) -> Floats:
    """Integrate T over stretches on which B goes evenly from `first` to `last`."""
    begin, end = _transmission(first, absorption), _transmission(last, absorption)
    if absorption is None:
        return (begin + end) / 2 * length
    fall = absorption * (last - first)
    even = np.abs(fall) < 1e-6
    mean = np.where(even, (begin + end) / 2, (begin - end) / np.where(even, 1.0, fall))
    return mean * length
