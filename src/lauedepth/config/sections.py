"""The sections of the native experiment file: checked values, units in the names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from lauedepth.config import limits
from lauedepth.config.geometry_xml import read_geometry
from lauedepth.config.readings import DetectorReadings
from lauedepth.config.section import Section
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument import experiment as core

Count = Annotated[int, Field(ge=1, le=65_536)]
FrameNumber = Annotated[int, Field(ge=0, le=limits.MOST_FRAMES)]
FrameSpan = FrameNumber | tuple[FrameNumber, FrameNumber]
Pixel = Annotated[int, Field(ge=0, le=65_536)]

LOG = "log:"
"""Begin of a key that names a column of `Data.frame_log` instead of a dataset."""


class StatedRegion(Section):
    """The part of the detector that an image holds whose file does not say it."""

    start_px: tuple[Pixel, Pixel]
    """First unbinned column and row."""
    size_px: tuple[Count, Count]
    """Unbinned columns and rows."""
    binning: tuple[Count, Count] = (1, 1)
    """Unbinned pixels per image pixel along columns and rows."""

    @model_validator(mode="after")
    def _whole_pixels(self) -> Self:
        for size, binning in zip(self.size_px, self.binning, strict=True):
            if size % binning:
                raise ValueError(f"size_px {size} is no multiple of its binning {binning}")
        return self

    def to_core(self) -> core.Region:
        """Return the region."""
        columns, rows = (
            size // binning for size, binning in zip(self.size_px, self.binning, strict=True)
        )
        return core.Region((rows, columns), self.start_px, self.binning)


class Data(Section):
    """Where the frames are in a point, and which of them are used."""

    key: str = "entry1/data/data"
    """Path of the image dataset inside the HDF5 file."""
    first_frame: Annotated[int, Field(ge=0, le=limits.MOST_FRAMES)] = 0
    """First frame used, counted from 0: the file's, or the series', first frame."""
    stop_frame: Annotated[int, Field(ge=2, le=limits.MOST_FRAMES)]
    """One past the last frame used, counted like `first_frame`."""
    stride: Annotated[int, Field(ge=1)] = 1
    """Every how many-th frame of the file is used, from `first_frame` on."""
    may_end_early: bool = False
    """Whether a point may end before `stop_frame`: its frames are used up to its end then, with a
    warning, as the published program does. An error otherwise, for frames may be lost."""
    first_number: Annotated[int, Field(ge=0)] | None = None
    """Number in the name of a series' first file, where that file itself may be missing."""
    region: StatedRegion | None = None
    """What the image holds, where its file does not say so."""
    leading_images: Annotated[int, Field(ge=0, le=limits.MOST_FRAMES)] = 0
    """Images before the scan's first frame, left out and not counted (34-ID-E: bookkeeping)."""
    lost_frames: tuple[FrameSpan, ...] = ()
    """Frames of the scan that were never stored: numbers or [start, stop); those stored are the
    others, in order."""
    ignored_frames: tuple[FrameSpan, ...] = ()
    """Frames that are stored, but hold no measurement: numbers or [start, stop)."""
    monitor: str | Literal[False] | None = None
    """Path of a dataset with the incident beam's intensity at each frame, any unit; by default
    entry1/monitor/I0 where a file has it. false: the beam is taken as even, or learnt."""
    monitor_offset: Annotated[float, Field(ge=-1e12, le=1e12)] = 0.0
    """What the monitor reads without beam, in its own unit."""
    positions: str | None = None
    """Path of a dataset with the aperture's position at each frame, along the scan."""
    position_scale_um: Annotated[float, Field(ge=-1e6, le=1e6)] = 1.0
    """Micrometres per unit of these positions: 1000 for mm; negative if they count against
    motion.step_um."""
    frame_log: str | None = None
    """Text file beside each point with one line for each frame; {point} stands for the point's
    name without ending. monitor and positions may name its columns: log:COLUMN."""
    offset_px: tuple[int, int] | None = None
    """The published layout's `file.offset`; kept, not used."""

    @model_validator(mode="after")
    def _some_frames(self) -> Self:
        used = len(self.to_core())
        if used < 2:
            raise ValueError("first_frame, stop_frame and stride leave fewer than two frames")
        if used > limits.MOST_USED:
            raise ValueError(f"{used} frames are more than {limits.MOST_USED} of one point")
        return self

    @model_validator(mode="after")
    def _has_its_log(self) -> Self:
        for name in ("monitor", "positions"):
            key = getattr(self, name)
            if key and key.startswith(LOG) and self.frame_log is None:
                raise ValueError(f"{name} is {key}, but there is no frame_log: name the log's file")
        return self

    @model_validator(mode="after")
    def _rising_spans(self) -> Self:
        for name in ("lost_frames", "ignored_frames"):
            for span in getattr(self, name):
                if not isinstance(span, int) and span[1] <= span[0]:
                    raise ValueError(f"{name}: {list(span)} is not [start, stop)")
        return self

    def spans(self, name: Literal["lost_frames", "ignored_frames"]) -> tuple[tuple[int, int], ...]:
        """Return frames listed under a key as (first, stop)."""
        listed: tuple[FrameSpan, ...] = getattr(self, name)
        return tuple((span, span + 1) if isinstance(span, int) else span for span in listed)

    def to_core(self) -> core.Frames:
        """Return the frames used."""
        return core.Frames(self.first_frame, self.stop_frame, self.stride)


class InlineDetector(DetectorReadings):
    """The detector, stated here."""

    shape_px: tuple[Count, Count]
    """Unbinned pixels: columns, rows."""
    size_mm: limits.SizeMm
    """Outer size along columns and rows."""
    rotation_rad: limits.RotationRad
    """Rodrigues vector R of the geometry file."""
    translation_mm: limits.TranslationMm
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


class DetectorFromFile(DetectorReadings):
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
        stated = InlineDetector.from_core(detectors[self.index])
        return stated.model_copy(
            update={name: getattr(self, name) for name in DetectorReadings.model_fields}
        )


def _detector_kind(value: Any) -> str:
    if isinstance(value, DetectorFromFile):
        return "file"
    return "file" if isinstance(value, dict) and "geometry_file" in value else "inline"


DetectorSection = Annotated[
    Annotated[InlineDetector, Tag("inline")] | Annotated[DetectorFromFile, Tag("file")],
    Discriminator(_detector_kind),
]


class Pose(Section):
    """Where the aperture stands."""

    cenx_mm: limits.CentreMm
    """Centre along the beam."""
    dist_mm: limits.DistanceMm
    """Centre above the beam."""
    cenz_mm: limits.CentreMm
    """Centre across the beam."""
    anglex_deg: limits.AngleDeg
    """Rotation about x."""
    angley_deg: limits.AngleDeg
    """Rotation about y."""
    anglez_deg: limits.AngleDeg
    """Rotation about z."""

    def to_core(self) -> core.Pose:
        """Return the pose."""
        return core.Pose(**self.model_dump())


class Motion(Section):
    """How the aperture moves from one frame of the file to the next, used or not."""

    step_um: limits.StepUm
    """Advance per frame of the file, along the scan axis; not per frame used."""
    shift_mm: float = 0.0
    """Displacement along the scan axis at the file's first frame, frame 0, used or not."""
    axis: core.Vector = (0.70710678118, 0.70710678118, 0.0)
    """Nominal direction of the scan, beam frame."""
    rotation_rad: limits.RotationRad = (0.0, 0.0, 0.0)
    """Rodrigues vector from the nominal direction to the real one."""
    positions_um: tuple[float, ...] | None = None
    """Where the aperture was at each frame of the file, along the scan from its place at shift_mm,
    where that is known; otherwise step_um per frame."""
    exposure_steps: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Part of a step that the aperture moves on while a frame is exposed: 0 if it stops for each
    frame, 1 for a fly scan without dead time."""
    position_at: Literal["start", "middle", "end"] = "middle"
    """Part of the exposure that shift_mm and measured positions belong to."""

    @model_validator(mode="after")
    def _moves_while_exposed(self) -> Self:
        if self.position_at != "middle" and not self.exposure_steps:
            raise ValueError(
                f"position_at is {self.position_at}, but exposure_steps is 0: say which part of a "
                "step the aperture moves on while a frame is exposed"
            )
        return self

    @model_validator(mode="after")
    def _moves(self) -> Self:
        if self.step_um == 0 or not any(self.axis):
            raise ValueError("step_um and axis must not be zero: the aperture has to move")
        return self

    def to_core(self) -> core.Motion:
        """Return the motion."""
        return core.Motion(**self.model_dump())


Bounds = tuple[float, float, float]


class CalibrationBounds(Section):
    """Which poses a calibration may try: start, stop and step of each."""

    cenx_mm: Bounds | None = None
    """Centre along the beam."""
    dist_mm: Bounds | None = None
    """Centre above the beam."""
    cenz_mm: Bounds | None = None
    """Centre across the beam."""
    anglex_deg: Bounds | None = None
    """Rotation about x."""
    angley_deg: Bounds | None = None
    """Rotation about y."""
    anglez_deg: Bounds | None = None
    """Rotation about z."""
    name: str = ""
    """Name of the calibration that the pose came from."""
    number: str = ""
    """Number of that calibration."""


class Depths(Section):
    """The depths asked for, along the beam."""

    start_um: limits.DepthUm
    """First depth."""
    stop_um: limits.DepthUm
    """End of the depths, itself left out."""
    step_um: Annotated[limits.DepthStepUm, Field(gt=0)] = 1.0
    """Distance of neighbouring depths."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        limits.check_depths(self.start_um, self.stop_um, self.step_um)
        return self

    def to_core(self) -> core.Depths:
        """Return the depths."""
        return core.Depths(**self.model_dump())
