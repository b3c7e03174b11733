"""One pixel's rays through the aperture, and the weights of its counts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.aperture import BarTable
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.core.instrument.shadow import Shadow


@dataclass(frozen=True)
class PixelView:
    """One pixel's rays through the aperture.

    Attributes
    ----------
    table : BarTable
    rays : RayMap
        Of one pixel.
    frames : (n_frames,) array
        Positions of the aperture at the frames in use, in steps.
    beam : (n_frames,) array
        Relative intensity of the incident beam; counts are taken per unit of it.
    window_um : float
        Window of the thick aperture.
    shadow : Shadow
        For that window and the bars' absorption.
    """

    table: BarTable
    rays: RayMap
    frames: Floats
    beam: Floats
    window_um: float
    shadow: Shadow

    @classmethod
    def of(
        cls, table: BarTable, rays: RayMap, frames: Floats, beam: Floats, depth_um: float
    ) -> PixelView:
        """View a pixel through opaque bars, its window taken at one depth."""
        window_um = float(rays.window_um(depth_um))
        return cls(table, rays, frames, beam, window_um, Shadow.of(table, window_um))

    def through(self, absorption: float) -> PixelView:
        """Return the same view through bars of finite absorption."""
        return replace(self, shadow=Shadow.of(self.table, self.window_um, absorption))

    def open_fraction(self, depth_um: float) -> Floats:
        """Return T at each frame for a point source."""
        return self.shadow.at(self.rays.position_um(depth_um, self.frames))

    def mean_open_fraction(self, from_um: float, to_um: float) -> Floats:
        """Return T at each frame for a source spread evenly between two depths."""
        return self.shadow.mean(
            self.rays.position_um(from_um, self.frames), self.rays.position_um(to_um, self.frames)
        )

    def weights(self, expected: Floats) -> Floats:
        """Return 1/variance of counts per unit of beam; below one count it is that of one.

        Counts n of a beam m scatter by m times their expectation e per unit of it, n / m by
        e / m.
        """
        return self.beam * poisson_weights(expected)


def poisson_weights(expected: Floats) -> Floats:
    """Return 1/variance of counts with this expectation; below one count it is one."""
    return 1.0 / np.maximum(expected, 1.0)
