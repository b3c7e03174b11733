"""The coded aperture as a function along its code: how much of a ray's window is bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Aperture

SHORTEST_UM: Final = 1e-4
"""Lengths along the code below this count as this: it keeps quotients finite."""


def prefer_same_code(order: int = 8) -> tuple[int, ...]:
    """Return the prefer-same de Bruijn sequence B(2, order), rotated to begin with its zeros.

    Start from an alternating run of ``order - 1`` bits, append the last bit again if that
    makes a window not seen before, else its opposite. The sequence for ``order=8`` is the one
    on the apertures of the 34-ID-E experiments.

    Examples
    --------
    Read around the end, each run of ``order`` bits stands in it once:

    >>> code = prefer_same_code(3)
    >>> code
    (0, 0, 0, 1, 0, 1, 1, 1)
    >>> len({(code + code)[i : i + 3] for i in range(8)})
    8
    """
    bits = [index % 2 for index in range(order - 1)]
    seen: set[tuple[int, ...]] = set()
    while len(seen) < 2**order:
        for bit in (bits[-1], 1 - bits[-1]):
            window = (*bits[len(bits) - order + 1 :], bit)
            if window not in seen:
                seen.add(window)
                bits.append(bit)
                break
    cycle = bits[order - 1 :]
    doubled = cycle + cycle
    start = next(i for i in range(len(cycle)) if not any(doubled[i : i + order]))
    return tuple(doubled[start : start + len(cycle)])


def bar_edges(aperture: Aperture) -> tuple[Floats, Floats]:
    """Return where the bars of the aperture begin and end, neighbours merged.

    Returns
    -------
    begin, end : (n_bars,) arrays
        Along the code, µm; `widening_um` moves each edge outward by half of it, and bars
        that then touch are one bar. Edges that the aperture states are taken as they are.
    """
    if aperture.edges_um is not None:
        stated = np.asarray(aperture.edges_um, np.float64)
        return stated[::2], stated[1::2]
    bits = np.asarray(aperture.code)
    widths = np.where(bits == 1, aperture.bar_width_um, aperture.open_width_um)
    edges = np.concatenate([[0.0], np.cumsum(widths)])
    change = np.diff(np.concatenate([[0], bits, [0]]))
    begin = edges[np.flatnonzero(change == 1)] - aperture.widening_um / 2
    end = edges[np.flatnonzero(change == -1)] + aperture.widening_um / 2
    touching = begin[1:] <= end[:-1]
    keep_begin = np.concatenate([[True], ~touching]) if begin.size else np.zeros(0, bool)
    keep_end = np.concatenate([~touching, [True]]) if end.size else np.zeros(0, bool)
    return begin[keep_begin], end[keep_end]


@dataclass(frozen=True)
class BarTable:
    """Running sum of bar length along the code, the closed form behind everything thick.

    Attributes
    ----------
    knots_um : (n,) array
        Bar edges in order; between them the running sum is linear.
    running_um : (n,) array
        Length of bar to the left of each knot.
    """

    knots_um: Floats
    running_um: Floats

    @classmethod
    def of(cls, aperture: Aperture) -> BarTable:
        """Build the table of an aperture.

        Raises
        ------
        ValueError
            The code has no bar.
        """
        if not any(aperture.code):
            raise ValueError("the aperture's code has no bar")
        begin, end = bar_edges(aperture)
        knots = np.stack([begin, end], axis=1).ravel()
        running = np.repeat(np.concatenate([[0.0], np.cumsum(end - begin)]), 2)[1:-1]
        return cls(knots, running)

    def bar_length(self, u_um: npt.ArrayLike) -> Floats:
        """Return the length of bar on the code to the left of u; exact."""
        return np.interp(np.asarray(u_um, np.float64), self.knots_um, self.running_um)

    def bar_fraction(self, u_um: npt.ArrayLike, window_um: npt.ArrayLike) -> Floats:
        """Return B(u): the part of the window centred on u that is bar.

        Parameters
        ----------
        u_um : array_like
            Centre of the window along the code.
        window_um : array_like
            Width w = |m| t of the code that the ray sweeps; 0 gives the bare code.

        Examples
        --------
        One bar from 15 to 22.5 µm, seen through windows of 5 µm:

        >>> table = BarTable.of(Aperture(code=(0, 1, 0)))
        >>> table.bar_fraction([10.0, 15.0, 20.0], 5.0).tolist()
        [0.0, 0.5, 1.0]
        """
        half = np.maximum(np.asarray(window_um, np.float64) / 2, SHORTEST_UM)
        u = np.asarray(u_um, np.float64)
        difference = self.bar_length(u + half) - self.bar_length(u - half)
        return np.asarray(np.clip(difference / (2 * half), 0.0, 1.0))


def path_in_bars_um(aperture: Aperture, bar_fraction: Floats, secant: npt.ArrayLike) -> Floats:
    """Return the length of a ray inside bars: thickness x |v|/|v.n| x B."""
    return np.asarray(aperture.thickness_um * np.asarray(secant) * bar_fraction)


def opaque_transmission(bar_fraction: Floats) -> Floats:
    """Return T = 1 - B: bars that stop everything, the published program's model."""
    return 1.0 - bar_fraction


def absorbing_transmission(path_um: Floats, attenuation_per_um: npt.ArrayLike) -> Floats:
    """Return T = exp(-mu path) for bars of finite absorption (mu from `core.energy`)."""
    return np.asarray(np.exp(-np.asarray(attenuation_per_um, np.float64) * path_um))
