"""What a decoder reports of pixels: the statuses and the table of results."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Literal

import numpy as np
import numpy.typing as npt


class PixelStatus(IntEnum):
    """The outcome of a pixel. Only `DECODED` rows carry a depth."""

    PENDING = 0
    """Not decoded yet."""
    DECODED = 1
    """A depth was found."""
    DARK = 2
    """No signal above the noise: no coded light in the trace."""
    NO_MATCH = 3
    """There is signal, but no position on the code explains it."""
    AMBIGUOUS = 4
    """Several positions on the code explain the trace about as well."""
    INVALID = 5
    """Not a measurement: NaN, saturated, stuck, or too few usable frames."""
    OUTSIDE = 6
    """The ray does not cross the code at the depths asked for, or fewer than two edges of it."""


class PixelFlag(IntFlag):
    """Flags of a decoded row."""

    NONE = 0
    ENERGY_AMBIGUOUS = 1
    """Two energies on either side of an absorption edge explain the trace."""
    AT_RANGE_END = 2
    """The footprint touches the end of the depths asked for."""
    SECOND_DEPTH = 4
    """Another row of the same pixel comes before this one."""
    BACKGROUND_UNCERTAIN = 8
    """The background is not known, or not to a tenth of the intensity: light that passes the bars
    may be missing from the intensity."""


Method = Literal["footprint", "published"]


@dataclass(frozen=True)
class EnergySearch:
    """Search for each pixel's photon energy by how much light its bars let through.

    Only pixels of known background have an energy.

    Attributes
    ----------
    start_kev, stop_kev : float
        Energies that the beam holds.
    """

    start_kev: float = 5.0
    stop_kev: float = 30.0


@dataclass(frozen=True)
class PublishedNumbers:
    """The numbers of the published method; the defaults are those of its own examples.

    Attributes
    ----------
    resolution_um : float
        Spacing of the code's samples.
    pad_um : float
        Open stretch added before and after the code.
    signal_um : float
        Length of code over which a signal is recovered.
    nominal_um : float
        Stretch of depth that the search takes to be lit.
    spline_order : int
        Degree of the splines that a signal is made of.
    knot_spacing : int
        Samples of the code from one knot to the next.
    regularisation : float
        Weight of the squared position, in samples, in the search's sum of differences.
    """

    resolution_um: float = 0.5
    pad_um: float = 300.0
    signal_um: float = 64.0
    nominal_um: float = 10.0
    spline_order: int = 5
    knot_spacing: int = 1
    regularisation: float = 0.0

    @property
    def pad_samples(self) -> int:
        """Samples of the open stretch at either end, whole ones."""
        return int(self.pad_um / self.resolution_um)

    @property
    def signal_samples(self) -> int:
        """Number of samples of a signal."""
        return round(self.signal_um / self.resolution_um)

    @property
    def signal_centre(self) -> int:
        """Sample of a signal that stands at the position found by the search."""
        return (self.signal_samples - 1) // 2

    @property
    def spline_samples(self) -> int:
        """Samples that one spline spans."""
        return (self.spline_order + 1) * self.knot_spacing

    @property
    def spline_count(self) -> int:
        """Number of splines that fit into a signal; none where it is not positive."""
        return self.signal_samples // self.knot_spacing - self.spline_order


@dataclass(frozen=True)
class ModelError:
    """How far expected counts are off, as measured on pixels that one instrument lit.

    What many pixels leave over is the instrument's, and a second depth of one of them has to
    explain more.

    Attributes
    ----------
    code_um : (n,) array
        Places along the code in order, as in `DecodedPixels.mask_position_um`.
    variance : (n,) array
        Mean square of what is left over beyond counting noise, per square of the light that
        the bars modulate, at pixels there.
    """

    code_um: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]


@dataclass(frozen=True)
class DecodeOptions:
    """How to decode.

    Attributes
    ----------
    method : {"footprint", "published"}
        The default solves for the footprint in depth; "published" is the paper's own way.
    energy : EnergySearch or None
        Search for photon energies, or not.
    difference : {"squared", "absolute"}
        What the published method's search averages.
    published : PublishedNumbers
        Numbers of the published method.
    model_error : ModelError or None
        What the instrument leaves over in many pixels, where that was measured.
    """

    method: Method = "footprint"
    energy: EnergySearch | None = None
    difference: Literal["squared", "absolute"] = "squared"
    published: PublishedNumbers = field(default_factory=PublishedNumbers)
    model_error: ModelError | None = None


@dataclass(frozen=True)
class DecodedPixels:
    """Results of a batch: one row per pixel, and one more for each further depth.

    Rows are in the order of the traces; where a pixel has two depths its rows follow each
    other, the stronger first. Values that are not known are NaN.

    Attributes
    ----------
    trace : (n,) int64
        Which trace of the batch the row belongs to.
    status : (n,) uint8
        A `PixelStatus`.
    flags : (n,) uint8
        `PixelFlag` bits.
    depth_um, depth_error_um, width_um : (n,) float64
        Centroid of the footprint, its standard error, full width of the footprint.
    intensity : (n,) float64
        Counts per frame with no bar in the way, summed over the footprint.
    background, background_error : (n,) float64
        Counts per frame that do not pass the aperture, and their standard error. Where the
        background is not known (NaN error), light that passes the bars is in it.
    mask_position_um : (n,) float64
        Coordinate along the code at frame 0 for the ray from that depth.
    energy_kev : (n,) float64
    residual : (n,) float64
        Chi-square per degree of freedom of the whole trace's fit.
    footprint_offset : (n + 1,) int64
        Row r owns ``footprint[footprint_offset[r]:footprint_offset[r + 1]]``.
    footprint_start : (n,) int32
        Index, in the experiment's depths, of the row's first footprint value.
    footprint : (m,) float32
        Intensity at each depth, counts.
    """

    trace: npt.NDArray[np.int64]
    status: npt.NDArray[np.uint8]
    flags: npt.NDArray[np.uint8]
    depth_um: npt.NDArray[np.float64]
    depth_error_um: npt.NDArray[np.float64]
    width_um: npt.NDArray[np.float64]
    intensity: npt.NDArray[np.float64]
    background: npt.NDArray[np.float64]
    background_error: npt.NDArray[np.float64]
    mask_position_um: npt.NDArray[np.float64]
    energy_kev: npt.NDArray[np.float64]
    residual: npt.NDArray[np.float64]
    footprint_offset: npt.NDArray[np.int64]
    footprint_start: npt.NDArray[np.int32]
    footprint: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return int(self.trace.size)

    def __repr__(self) -> str:
        found = int((self.status == PixelStatus.DECODED).sum())
        return f"DecodedPixels({len(self)} rows, {found} with a depth)"
