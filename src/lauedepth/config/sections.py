"""The sections of the native experiment file: checked values, units in the names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from lauedepth.config.geometry_xml import read_geometry
from lauedepth.core.decoding.pixels import DecodeOptions, EnergySearch
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument import experiment as core
from lauedepth.core.instrument.aperture import prefer_same_code

Positive = Annotated[float, Field(gt=0)]
Bit = Annotated[int, Field(ge=0, le=1)]
Bits = Annotated[tuple[Bit, ...], Field(min_length=2)]
CodeFile = Annotated[str, Field(pattern=r"\.npy$")]
PREFER_SAME: Literal["prefer-same-8"] = "prefer-same-8"


class Section(BaseModel):
    """A part of a configuration: no unknown keys, no change, no infinities."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Data(Section):
    """Where the frames are in a point, and which of them are used."""

    key: str = "entry1/data/data"
    """Path of the image dataset inside the HDF5 file."""
    first_frame: Annotated[int, Field(ge=0)] = 0
    """First frame used, counted from 0."""
    stop_frame: Annotated[int, Field(ge=2)]
    """One past the last frame used."""
    stride: Annotated[int, Field(ge=1)] = 1
    """Use every how many-th frame."""
    first_number: Annotated[int, Field(ge=0)] | None = None
    """Number in the name of a series' first file, where that file itself may be missing."""

    @model_validator(mode="after")
    def _some_frames(self) -> Self:
        if len(range(self.first_frame, self.stop_frame, self.stride)) < 2:
            raise ValueError("first_frame, stop_frame and stride leave fewer than two frames")
        return self

    def to_core(self) -> core.Frames:
        """Return the frames used."""
        return core.Frames(self.first_frame, self.stop_frame, self.stride)


Window = Annotated[tuple[Annotated[int, Field(ge=0)], int], Field(description="[start, stop)")]


class Selection(Section):
    """Which pixels are decoded."""

    min_mean_counts: Annotated[float, Field(ge=0)] = 20.0
    """Least mean count a frame."""
    rows_px: Window | None = None
    """Only these detector rows, in unbinned pixels: [start, stop)."""
    columns_px: Window | None = None
    """Only these detector columns, in unbinned pixels: [start, stop)."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        for name in ("rows_px", "columns_px"):
            window = getattr(self, name)
            if window is not None and window[1] <= window[0]:
                raise ValueError(f"{name} is empty: {list(window)}")
        return self

    def window(self, region: core.Region) -> tuple[slice, slice]:
        """Return (rows, columns) of an image that lie wholly within the window.

        Parameters
        ----------
        region : Region
            The part of the detector that the image holds.
        """
        rows = _image_slice(self.rows_px, region.start[1], region.binning[1], region.shape[0])
        columns = _image_slice(self.columns_px, region.start[0], region.binning[0], region.shape[1])
        return rows, columns


def _image_slice(window: tuple[int, int] | None, start: int, binning: int, size: int) -> slice:
    if window is None:
        return slice(0, size)
    first = -((start - window[0]) // binning)
    stop = (window[1] - start) // binning
    return slice(min(max(first, 0), size), min(max(stop, 0), size))


class InlineDetector(Section):
    """The detector, stated here."""

    shape_px: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
    """Unbinned pixels: columns, rows."""
    size_mm: tuple[Positive, Positive]
    """Outer size along columns and rows."""
    rotation_rad: core.Vector
    """Rodrigues vector R of the geometry file."""
    translation_mm: core.Vector
    """Translation P of the geometry file."""
    name: str = ""
    """Identity of the detector."""

    def to_core(self) -> core.Detector:
        """Return the detector."""
        return core.Detector(
            self.shape_px, self.size_mm, self.rotation_rad, self.translation_mm, self.name
        )

    @classmethod
    def from_core(cls, detector: core.Detector) -> InlineDetector:
        """State a detector."""
        return cls(
            shape_px=detector.shape,
            size_mm=detector.size_mm,
            rotation_rad=detector.rotation_rad,
            translation_mm=detector.translation_mm,
            name=detector.name,
        )


class DetectorFromFile(Section):
    """The detector, as a geometry file of the beamline states it."""

    geometry_file: str
    """geoN XML or key list; relative to the experiment file."""
    index: Annotated[int, Field(ge=0)] = 0
    """Number of the detector in that file."""

    def read(self, folder: Path) -> InlineDetector:
        """Read the detector from its file; relative paths start at ``folder``."""
        path = folder / self.geometry_file
        detectors = read_geometry(path).detectors
        if self.index not in detectors:
            known = ", ".join(str(number) for number in sorted(detectors))
            raise ConfigurationError(
                f"has no detector {self.index}", str(path), f"detector.index can be {known}"
            )
        return InlineDetector.from_core(detectors[self.index])


def _detector_kind(value: Any) -> str:
    if isinstance(value, DetectorFromFile):
        return "file"
    return "file" if isinstance(value, dict) and "geometry_file" in value else "inline"


DetectorSection = Annotated[
    Annotated[InlineDetector, Tag("inline")] | Annotated[DetectorFromFile, Tag("file")],
    Discriminator(_detector_kind),
]


class Aperture(Section):
    """The coded aperture."""

    code: Bits | Literal["prefer-same-8"] | CodeFile = PREFER_SAME
    """Bits (1 absorbs), the name of a known code, or a .npy file beside the experiment."""
    reversed: bool = False
    """The code stands the other way round."""
    open_width_um: Positive = 15.0
    """Width of a 0."""
    bar_width_um: Positive = 7.5
    """Width of a 1."""
    thickness_um: Annotated[float, Field(ge=0)] = 3.7
    """Thickness of the bars."""
    widening_um: float = 0.0
    """How much wider each bar is than designed."""
    material: str = "Au"
    """What the bars are made of."""
    density_g_cm3: Positive = 19.32
    """Density of the bars."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if isinstance(self.code, tuple) and len(set(self.code)) < 2:
            raise ValueError("the code needs both bars (1) and openings (0)")
        if not -self.bar_width_um < self.widening_um < self.open_width_um:
            raise ValueError(
                f"widening_um {self.widening_um} leaves no bar of {self.bar_width_um} or no "
                f"opening of {self.open_width_um}"
            )
        return self

    def bits(self) -> tuple[int, ...]:
        """Return the bits in the order in which they stand on the aperture."""
        if isinstance(self.code, str) and self.code != PREFER_SAME:
            raise ConfigurationError(
                "code is still the name of a file", self.code, "use load_experiment"
            )
        code = prefer_same_code(8) if isinstance(self.code, str) else self.code
        return code[::-1] if self.reversed else code

    def read(self, folder: Path) -> Aperture:
        """Return this aperture with the bits of its code file, if it names one."""
        if isinstance(self.code, tuple) or self.code == PREFER_SAME:
            return self
        code = read_code(folder / self.code)
        known = code == prefer_same_code(8)
        return self.model_copy(update={"code": PREFER_SAME if known else code})

    def to_core(self) -> core.Aperture:
        """Return the aperture."""
        return core.Aperture(
            self.bits(),
            self.open_width_um,
            self.bar_width_um,
            self.thickness_um,
            self.widening_um,
            self.material,
            self.density_g_cm3,
        )


def read_code(path: Path) -> tuple[int, ...]:
    """Read the bits of a code from a ``.npy`` file.

    Raises
    ------
    ConfigurationError
        No such file, not one-dimensional, not binary, or without bars or openings.
    """
    try:
        code = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "not a .npy file of numbers"
        raise ConfigurationError(f"code cannot be read: {reason}", str(path)) from error
    if code.ndim != 1 or code.dtype.kind not in "buif" or not np.isin(code, (0, 1)).all():
        raise ConfigurationError(
            f"code does not fit its two bit widths: {code.dtype} {code.shape}",
            str(path),
            "a code is a one-dimensional array of 0 (open) and 1 (bar)",
        )
    if np.unique(code).size < 2:
        raise ConfigurationError("the code needs both bars (1) and openings (0)", str(path))
    return tuple(int(bit) for bit in code)


class Pose(Section):
    """Where the aperture stands."""

    cenx_mm: float
    """Centre along the beam."""
    dist_mm: float
    """Centre above the beam."""
    cenz_mm: float
    """Centre across the beam."""
    anglex_deg: float
    """Rotation about x."""
    angley_deg: float
    """Rotation about y."""
    anglez_deg: float
    """Rotation about z."""

    def to_core(self) -> core.Pose:
        """Return the pose."""
        return core.Pose(**self.model_dump())


class Motion(Section):
    """How the aperture moves from frame to frame."""

    step_um: float
    """Advance a frame."""
    shift_mm: float = 0.0
    """Displacement along the scan axis at frame 0."""
    axis: core.Vector = (0.70710678118, 0.70710678118, 0.0)
    """Nominal direction of the scan, beam frame."""
    rotation_rad: core.Vector = (0.0, 0.0, 0.0)
    """Rodrigues vector from the nominal direction to the real one."""

    @model_validator(mode="after")
    def _moves(self) -> Self:
        if self.step_um == 0 or not any(self.axis):
            raise ValueError("step_um and axis must not be zero: the aperture has to move")
        return self

    def to_core(self) -> core.Motion:
        """Return the motion."""
        return core.Motion(**self.model_dump())


class Depths(Section):
    """The depths asked for, along the beam."""

    start_um: float
    """First depth."""
    stop_um: float
    """End of the depths, itself left out."""
    step_um: Positive = 1.0
    """Distance of neighbouring depths."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if len(self.to_core()) < 1:
            raise ValueError("stop_um must lie at least one step beyond start_um")
        return self

    def to_core(self) -> core.Depths:
        """Return the depths."""
        return core.Depths(**self.model_dump())


class Energy(Section):
    """The search for photon energies."""

    start_kev: Positive = 5.0
    """Least energy tried."""
    stop_kev: Positive = 30.0
    """Greatest energy tried."""
    background_counts: Annotated[float, Field(ge=0)] | None = None
    """Counts a frame that do not pass the aperture; few energies come out without it."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.stop_kev <= self.start_kev:
            raise ValueError("stop_kev must be greater than start_kev")
        return self

    def to_core(self) -> EnergySearch:
        """Return the search."""
        return EnergySearch(self.start_kev, self.stop_kev, self.background_counts)


class Decode(Section):
    """How pixels are decoded."""

    method: Literal["footprint", "published"] = "footprint"
    """Solve for the footprint in depth, or the published program's own way."""
    energy: Energy | None = None
    """Search for photon energies; leave out for none."""
    difference: Literal["squared", "absolute"] = "squared"
    """What the published method's search averages."""

    def to_core(self) -> DecodeOptions:
        """Return the decoder's options."""
        energy = None if self.energy is None else self.energy.to_core()
        return DecodeOptions(method=self.method, energy=energy, difference=self.difference)
