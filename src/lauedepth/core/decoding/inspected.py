"""One pixel looked at closely: its trace, the fit, and the depths found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Floats


@dataclass(frozen=True)
class FoundDepth:
    """One depth of a pixel, as in `DecodedPixels`.

    Attributes
    ----------
    depths_um, footprint : (n,) arrays
        Intensity at each depth, counts per frame.
    """

    depth_um: float
    depth_error_um: float
    width_um: float
    intensity: float
    mask_position_um: float
    energy_kev: float
    flags: tuple[str, ...]
    depths_um: Floats
    footprint: Floats

    def depth_text(self) -> str:
        """Return the depth with its error, with the digits that the error leaves."""
        known = 0 < self.depth_error_um < np.inf
        if not known:
            return f"{self.depth_um:.2f} µm, error unknown"
        digits = 2 + max(0, int(-np.floor(np.log10(self.depth_error_um) + 1)))
        return f"{self.depth_um:.{digits}f} ± {self.depth_error_um:.{digits}f} µm"


@dataclass(frozen=True)
class InspectedPixel:
    """One pixel.

    Attributes
    ----------
    row, column : int
        In the image.
    detector_row, detector_column : float
        On the detector, unbinned.
    status : str
    background, residual : float
    frames : (n_frames,) array
    counts : (n_frames,) array
    usable : (n_frames,) bool array
    fit : (n_frames,) array or None
        What the found footprints give through the aperture.
    found : tuple of FoundDepth
    depth_range_um : (float, float)
    """

    row: int
    column: int
    detector_row: float
    detector_column: float
    status: str
    background: float
    residual: float
    frames: npt.NDArray[np.int64]
    counts: Floats
    usable: npt.NDArray[np.bool_]
    fit: Floats | None
    found: tuple[FoundDepth, ...]
    depth_range_um: tuple[float, float]

    def verdict(self) -> str:
        """Return what was found, in words."""
        if not self.found:
            return self.status
        return " and ".join(one.depth_text() for one in self.found)
