"""What an experiment is made of: frozen descriptions, no behaviour beyond arithmetic.

Every length carries its unit in its name. The one frame is the beam frame: x along the
incident beam, y up towards the detector, z completing it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Vector = tuple[float, float, float]

BEAM_TILT: Final = 0.00342005334
"""Slope of the focused beam, dy/dx, given by the mirror (34-ID-E)."""


@dataclass(frozen=True)
class Detector:
    """An area detector as the beamline's geometry file states it.

    Attributes
    ----------
    shape : (int, int)
        Number of unbinned pixels (nx columns, ny rows).
    size_mm : (float, float)
        Outer size along columns and rows.
    rotation_rad : Vector
        Rodrigues vector R: its direction is the axis, its length the angle.
    translation_mm : Vector
        Translation P, applied before the rotation.
    name : str
        The detector's identity, as written in the geometry file.
    """

    shape: tuple[int, int]
    size_mm: tuple[float, float]
    rotation_rad: Vector
    translation_mm: Vector
    name: str = ""


@dataclass(frozen=True)
class Region:
    """The part of the detector that an image holds, and how its pixels are binned.

    Attributes
    ----------
    start : (int, int)
        First unbinned (column, row) of the image.
    binning : (int, int)
        Unbinned pixels per image pixel along (columns, rows).
    shape : (int, int)
        Image size (rows, columns), in binned pixels.
    """

    shape: tuple[int, int]
    start: tuple[int, int] = (0, 0)
    binning: tuple[int, int] = (1, 1)

    def unbinned(
        self, row: npt.ArrayLike, column: npt.ArrayLike
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return detector coordinates (row, column) of image pixels, in unbinned pixels.

        The centre of a binned pixel lies between the centres of the pixels it sums.

        Examples
        --------
        The first pixel of an image that sums 2 x 2 pixels from column 100 and row 50 on:

        >>> region = Region(shape=(32, 32), start=(100, 50), binning=(2, 2))
        >>> row, column = region.unbinned(0, 0)
        >>> float(row), float(column)
        (50.5, 100.5)
        """
        row = np.asarray(row, np.float64)
        column = np.asarray(column, np.float64)
        return (
            self.start[1] + (row + 0.5) * self.binning[1] - 0.5,
            self.start[0] + (column + 0.5) * self.binning[0] - 0.5,
        )


@dataclass(frozen=True)
class Aperture:
    """The coded aperture: a row of bits, 1 an absorbing bar, 0 open.

    Attributes
    ----------
    code : tuple of int
        The bits in the order in which they stand on the aperture.
    open_width_um, bar_width_um : float
        Width of a 0 and of a 1.
    thickness_um : float
        Thickness of the bars along the aperture's normal.
    widening_um : float
        How much wider each bar is than designed; half of it at each edge.
    material, density_g_cm3 : str, float
        What the bars are made of.
    edges_um : tuple of float or None
        Begin and end of each bar in order, µm along the code, where they were measured or
        learnt; widening included. None: as code and widths have them.
    """

    code: tuple[int, ...]
    open_width_um: float = 15.0
    bar_width_um: float = 7.5
    thickness_um: float = 3.7
    widening_um: float = 0.0
    material: str = "Au"
    density_g_cm3: float = 19.32
    edges_um: tuple[float, ...] | None = None

    @property
    def length_um(self) -> float:
        """Length of the whole code."""
        bars = sum(self.code)
        return bars * self.bar_width_um + (len(self.code) - bars) * self.open_width_um


@dataclass(frozen=True)
class Pose:
    """Where the aperture stands: its centre and its three rotations.

    The rotation is Ry(angley) Rz(anglez) Rx(anglex), right-handed, intrinsic y-z-x.
    """

    cenx_mm: float
    dist_mm: float
    cenz_mm: float
    anglex_deg: float
    angley_deg: float
    anglez_deg: float

    def moved(self, by_mm: Vector) -> Pose:
        """Return the pose with the centre moved along the beam frame's axes."""
        x, y, z = by_mm
        return replace(
            self, cenx_mm=self.cenx_mm + x, dist_mm=self.dist_mm + y, cenz_mm=self.cenz_mm + z
        )


@dataclass(frozen=True)
class Motion:
    """How the aperture moves from frame to frame.

    Attributes
    ----------
    step_um : float
        Advance per frame along the scan axis.
    shift_mm : float
        Displacement along the scan axis at frame 0.
    axis : Vector
        Nominal scan direction, made a unit vector when used.
    rotation_rad : Vector
        Rodrigues vector that carries the nominal direction to the real one.
    positions_um : tuple of float or None
        Where the aperture was at each frame of the point, along the scan from its place at
        `shift_mm`, where that was measured or learnt. None: `step_um` times the frame's number.
    exposure_steps : float
        Part of a step that the aperture moves on while a frame is exposed (fly scan).
    position_at : {"start", "middle", "end"}
        Part of the exposure that a frame's position belongs to.
    """

    step_um: float
    shift_mm: float = 0.0
    axis: Vector = (0.70710678118, 0.70710678118, 0.0)
    rotation_rad: Vector = (0.0, 0.0, 0.0)
    positions_um: tuple[float, ...] | None = None
    exposure_steps: float = 0.0
    position_at: Literal["start", "middle", "end"] = "middle"

    @property
    def lead_steps(self) -> float:
        """How far the aperture is on at the middle of an exposure, from a frame's position."""
        part = {"start": 0.5, "middle": 0.0, "end": -0.5}[self.position_at]
        return part * self.exposure_steps


@dataclass(frozen=True)
class Frames:
    """Which of a point's frames are used: first, stop (exclusive) and stride.

    Examples
    --------
    >>> Frames(first=10, stop=20, stride=4).indices.tolist()
    [10, 14, 18]
    """

    first: int
    stop: int
    stride: int = 1

    @property
    def indices(self) -> npt.NDArray[np.int64]:
        """Numbers of the frames used, counted from the point's first frame."""
        return np.arange(self.first, self.stop, self.stride)

    def __len__(self) -> int:
        return len(range(self.first, self.stop, self.stride))


@dataclass(frozen=True)
class Depths:
    """The depths asked for: start, stop (exclusive) and step along the beam.

    Examples
    --------
    >>> Depths(start_um=-1.0, stop_um=1.0, step_um=0.5).values_um.tolist()
    [-1.0, -0.5, 0.0, 0.5]
    """

    start_um: float
    stop_um: float
    step_um: float = 1.0

    def __len__(self) -> int:
        return round((self.stop_um - self.start_um) / self.step_um)

    @property
    def values_um(self) -> npt.NDArray[np.float64]:
        """Depth of each plane of a result."""
        return self.start_um + self.step_um * np.arange(len(self), dtype=np.float64)


@dataclass(frozen=True)
class Experiment:
    """Everything that is known before the first photon: what maps a trace to a depth.

    Examples
    --------
    Most often an experiment comes from a file (`lauedepth.load_experiment`). From its parts, here a
    published geometry of 34-ID-E:

    >>> from lauedepth.core.instrument.aperture import prefer_same_code
    >>> experiment = Experiment(
    ...     detector=Detector(
    ...         shape=(2048, 2048),
    ...         size_mm=(409.6, 409.6),
    ...         rotation_rad=(-1.2016, -1.2140, -1.2185),
    ...         translation_mm=(28.828, 2.715, 512.993),
    ...     ),
    ...     aperture=Aperture(prefer_same_code()),
    ...     pose=Pose(0.4422, 1.6084, 0.7520, 0.0918, -0.4707, 43.849),
    ...     motion=Motion(step_um=1.0, shift_mm=0.21),
    ...     frames=Frames(0, 261),
    ...     depths=Depths(-50.0, 150.0),
    ... )
    >>> experiment.aperture.length_um
    2880.0
    """

    detector: Detector
    aperture: Aperture
    pose: Pose
    motion: Motion
    frames: Frames
    depths: Depths
    beam_tilt: float = field(default=BEAM_TILT)
    beam_intensity: tuple[float, ...] | None = None
    """Of the incident beam at each frame of the point, relative; None: the same at all."""

    @property
    def is_even(self) -> bool:
        """Whether the aperture advances by the same step from each frame to the next."""
        return self.motion.positions_um is None

    @property
    def frame_positions(self) -> npt.NDArray[np.float64]:
        """Where the aperture was at each frame used, in steps from its place at frame 0."""
        numbers = self.frames.indices
        if self.motion.positions_um is None:
            return numbers.astype(np.float64)
        return np.asarray(self.motion.positions_um, np.float64)[numbers] / self.motion.step_um

    @property
    def frame_intensities(self) -> npt.NDArray[np.float64]:
        """The incident beam's intensity at each frame used, relative."""
        numbers = self.frames.indices
        if self.beam_intensity is None:
            return np.ones(numbers.size)
        return np.asarray(self.beam_intensity, np.float64)[numbers]

    @property
    def even_steps(self) -> tuple[float, float]:
        """Position at the first frame used, and advance per frame used: the best even ones."""
        if self.is_even:
            return float(self.frames.first), float(self.frames.stride)
        positions = self.frame_positions
        advance, begin = np.polyfit(np.arange(positions.size), positions, 1)
        return float(begin), float(advance)
