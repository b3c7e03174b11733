"""The aperture as it was made: bars of their own edges, thickness and shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.aperture import bar_edges
from lauedepth.core.instrument.experiment import Aperture
from lauedepth.simulation.flaws import Flaws


@dataclass(frozen=True)
class BuiltAperture:
    """Bars along the code as they really are.

    Attributes
    ----------
    begin_um, end_um : (n_bars,) arrays
        Where each bar begins and ends.
    thickness_um : (n_bars,) array
        Of each bar, from the face that the sample sees.
    nominal_thickness_um : float
        What the whole path through a bar is counted in.
    corner_radius_um : float
        Rounding of the corners at the far face.
    """

    begin_um: Floats
    end_um: Floats
    thickness_um: Floats
    nominal_thickness_um: float
    corner_radius_um: float = 0.0

    @classmethod
    def of(cls, aperture: Aperture, flaws: Flaws, rng: np.random.Generator) -> BuiltAperture:
        """Make an aperture with flaws.

        Parameters
        ----------
        aperture : Aperture
            As it was designed.
        flaws : Flaws
        rng : Generator
            Draws the errors of the edges.
        """
        begin, end = bar_edges(aperture)
        errors = flaws.edges_um * rng.normal(size=(2, begin.size))
        nominal = aperture.thickness_um * (1 + flaws.thickness)
        off_middle = 2 * (begin + end) / 2 / aperture.length_um - 1
        return cls(
            begin + errors[0] - flaws.widening_um / 2,
            end + errors[1] + flaws.widening_um / 2,
            nominal * (1 + flaws.thickness_profile * off_middle**2),
            nominal,
            flaws.corner_radius_um,
        )

    @property
    def is_plain(self) -> bool:
        """Return whether all bars are upright and equally thick."""
        even = np.all(self.thickness_um == self.nominal_thickness_um)
        return bool(even and self.corner_radius_um == 0)

    def rows(self) -> Floats:
        """Return a plain aperture as `_kernels.accumulate_traces` reads it: (2, n_knots)."""
        knots = np.stack([self.begin_um, self.end_um], axis=1).ravel()
        length = np.cumsum(self.end_um - self.begin_um)
        return np.stack([knots, np.repeat(np.concatenate([[0.0], length]), 2)[1:-1]])

    def shapes(self) -> Floats:
        """Return any aperture as `_kernels.accumulate_shaped` reads it: (3, n_bars) array."""
        return np.stack([self.begin_um, self.end_um, self.thickness_um])
