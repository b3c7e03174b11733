"""The published program's configuration layout: ``file``, ``comp``, ``geo``, ``algo``.

Keys are that program's, and so are their meanings and units. What it reads but this program
has no use for is a key here too, so that a mistyped key can be told from an ignored one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from lauedepth.config import limits
from lauedepth.config.aperture import BitWidthUm, ThicknessUm
from lauedepth.config.section import Section
from lauedepth.config.sections import Count
from lauedepth.config.selection import Edge
from lauedepth.core.instrument.experiment import Vector

Range = tuple[float, float, float]

IGNORED: Final = (
    "ver",
    "file.path",
    "file.output",
    "file.offset",
    "file.h5.incident",
    "comp.server",
    "comp.workers",
    "comp.gridsize",
    "comp.functionid",
    "comp.batch_size",
    "comp.batch_size_cpu",
    "comp.batch_size_gpu",
    "comp.use_gpu",
    "comp.h5parallel",
    "geo.mask.calibrate",
    "geo.mask.cal",
    "geo.scanner.angle",
    "algo.iter",
    "algo.pos.init",
    "algo.sig.recon",
    "algo.sig.init.atol",
    "algo.ene.exact",
    "algo.ene.method",
)
"""Keys without effect on what is decoded here; some are kept for later."""


class H5(Section):
    """Where the images are in an HDF5 file."""

    key: str = "/entry1/data/data"
    incident: str | None = None


class File(Section):
    """What is read, and which part of it."""

    path: str = ""
    output: str = ""
    range: Annotated[tuple[int, ...], Field(min_length=2, max_length=3)]
    threshold: Annotated[float, Field(ge=0)] = 20.0
    frame: tuple[Edge, Edge, Edge, Edge] | None = None
    offset: tuple[int, int] | None = None
    pixmask: Annotated[str, Field(pattern=r"\.npy$")] | None = None
    ext: str = "h5"
    stacked: bool = True
    h5: H5 = H5()

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.ext.lstrip(".").lower() not in {"h5", "hdf5"}:
            raise ValueError(
                f"ext: that program reads nothing but h5, so {self.ext!r} says nothing; leave ext "
                "out: what kind a point's files are is seen from the files"
            )
        first, stop, step = self.used
        if first < 0 or step < 1 or len(range(first, stop, step)) < 2:
            raise ValueError(
                f"range {list(self.range)} is fewer than two frames: give [first, stop, step], "
                "numbers of frames from 0 on, the last one left out"
            )
        if self.frame is not None and not self._is_window(self.frame):
            raise ValueError(f"frame {list(self.frame)} is empty: give [row, row, column, column]")
        return self

    @property
    def used(self) -> tuple[int, int, int]:
        """Frames: first, stop and step."""
        first, stop, *step = self.range
        return first, stop, step[0] if step else 1

    @staticmethod
    def _is_window(frame: tuple[int, int, int, int]) -> bool:
        return frame[0] < frame[1] and frame[2] < frame[3]


class Comp(Section):
    """What runs where, which is not decided here, and which scans of a folder are meant."""

    model_config = ConfigDict(extra="allow")

    scanstart: Annotated[int, Field(ge=0)] | None = None
    scannumber: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _no_slips(self) -> Self:
        for key in self.model_extra or {}:
            near = difflib.get_close_matches(key, ("scanstart", "scannumber"), n=1, cutoff=0.75)
            if near:
                raise ValueError(f"unknown key '{key}', did you mean '{near[0]}'?")
        return self


class Focus(Section):
    """Where the aperture stands: mm and degrees."""

    cenx: limits.CentreMm
    dist: limits.DistanceMm
    anglez: limits.AngleDeg
    angley: limits.AngleDeg
    anglex: limits.AngleDeg
    cenz: limits.CentreMm


class Calibrate(Section):
    """Which poses a calibration tries: start, stop and step of each."""

    cenx: Range | None = None
    dist: Range | None = None
    anglez: Range | None = None
    angley: Range | None = None
    anglex: Range | None = None
    cenz: Range | None = None


class Cal(Section):
    """Which calibration the pose came from."""

    id: int | str = ""
    path: str = ""


class Mask(Section):
    """The aperture."""

    path: str
    reversed: bool = False
    bitsizes: tuple[BitWidthUm, BitWidthUm]
    resolution: Annotated[float, Field(gt=0.01, le=10.0)] = 0.5
    smoothness: float = 0.0
    alpha: float = 0.0
    stretch: float = 1.0
    thickness: ThicknessUm
    widening: float = 0.0
    pad: Annotated[float, Field(ge=0, le=10_000.0)] = 0.0
    shift: limits.ShiftMm = 0.0
    focus: Focus
    calibrate: Calibrate | None = None
    cal: Cal | None = None


class Scanner(Section):
    """How the aperture moves; a step is per frame used."""

    angle: float = 0.0
    step: limits.StepUm
    rot: limits.RotationRad
    axis: Vector


class Detector(Section):
    """The detector."""

    shape: tuple[Count, Count]
    size: limits.SizeMm
    rot: limits.RotationRad
    pos: limits.TranslationMm


class Source(Section):
    """The depths asked for, mm."""

    offset: float = 0.0
    grid: Range

    @model_validator(mode="after")
    def _depths(self) -> Self:
        start, stop, step = self.grid
        limits.DEPTH_MM.check(start)
        limits.DEPTH_MM.check(stop)
        limits.DEPTH_STEP_MM.check(step)
        limits.check_depths(start, stop, step)
        return self


class Geo(Section):
    """The instrument."""

    mask: Mask
    scanner: Scanner
    detector: Detector
    source: Source


class Position(Section):
    """The search along the code."""

    method: Literal["lsqr"] = "lsqr"
    regpar: Annotated[float, Field(ge=0)] = 0.0
    init: str = "spline"


class SignalStart(Section):
    """What a signal is before it is recovered."""

    maxsize: Annotated[float, Field(gt=0, le=2_000.0)] = 64
    avgsize: Annotated[float, Field(gt=0, le=2_000.0)] = 10
    atol: float = 4


class Signal(Section):
    """How a signal is recovered."""

    recon: bool = True
    method: Literal["splines"] = "splines"
    order: Annotated[int, Field(ge=0, le=20)] = 5
    scale: Annotated[int, Field(ge=1, le=1_000)] = 1
    init: SignalStart = SignalStart()


def _above_zero(grid: Range) -> Range:
    start, stop, step = grid
    # The program's energies begin at 0 in places, where nothing passes gold: at the next one.
    return (start if start > 0 else step, stop, step)


class Energy(Section):
    """The search for photon energies, keV."""

    recon: bool = False
    exact: bool = True
    method: str = "lsqr"
    range: Annotated[Range, AfterValidator(_above_zero)] = (5.0, 30.0, 1.0)


class Algorithm(Section):
    """How pixels are decoded."""

    iter: int = 1
    pos: Position = Position()
    sig: Signal = Signal()
    ene: Energy = Energy()


class PublishedConfig(Section):
    """The whole layout."""

    ver: float | str = 1.0
    file: File
    comp: Comp = Comp()
    geo: Geo
    algo: Algorithm = Algorithm()


def ignored_keys(data: dict[str, Any]) -> list[str]:
    """Return the keys of a file that have no effect here, in its order."""
    known = {*Comp.model_fields}
    return [
        key
        for key in _keys(data)
        if key in IGNORED or (key.startswith("comp.") and key.removeprefix("comp.") not in known)
    ]


def _keys(data: dict[str, Any], before: str = "") -> Iterator[str]:
    for name, value in data.items():
        key = f"{before}{name}"
        if isinstance(value, dict) and key not in IGNORED:
            yield from _keys(value, f"{key}.")
        else:
            yield key
