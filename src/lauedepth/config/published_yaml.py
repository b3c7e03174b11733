"""The published program's configuration layout (``file``, ``comp``, ``geo``, ``algo``)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from lauedepth.config.checking import validated
from lauedepth.config.model import ExperimentConfig
from lauedepth.config.sections import Positive, Section
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument.experiment import Vector

Triple = tuple[float, float, float]


class _H5(Section):
    key: str = "/entry1/data/data"


class _File(Section):
    path: str = ""
    output: str = ""
    range: tuple[int, int, int] | tuple[int, int]
    threshold: float = 20.0
    frame: tuple[int, int, int, int] | None = None
    ext: str = "h5"
    stacked: bool = True
    h5: _H5 = _H5()


class _Focus(Section):
    cenx: float
    dist: float
    anglez: float
    angley: float
    anglex: float
    cenz: float


class _Mask(Section):
    path: str
    reversed: bool = False
    bitsizes: tuple[Positive, Positive]
    resolution: Positive = 0.5
    smoothness: float = 0.0
    alpha: float = 0.0
    stretch: float = 1.0
    thickness: Annotated[float, Field(ge=0)]
    widening: float = 0.0
    pad: float = 0.0
    shift: float = 0.0
    focus: _Focus


class _Scanner(Section):
    step: float
    rot: Vector
    axis: Vector


class _Detector(Section):
    shape: tuple[int, int]
    size: tuple[float, float]
    rot: Vector
    pos: Vector


class _Source(Section):
    offset: float = 0.0
    grid: Triple


class _Geo(Section):
    mask: _Mask
    scanner: _Scanner
    detector: _Detector
    source: _Source


class _Position(Section):
    method: Literal["lsqr"] = "lsqr"
    regpar: float = 0.0
    init: str = "spline"


class _SignalStart(Section):
    maxsize: float = 64
    avgsize: float = 10
    atol: float = 4


class _Signal(Section):
    recon: bool = True
    method: str = "splines"
    order: int = 5
    scale: float = 1
    init: _SignalStart = _SignalStart()


class _Energy(Section):
    recon: bool = False
    exact: bool = True
    method: str = "lsqr"
    range: Triple = (5.0, 30.0, 1.0)


class _Algorithm(Section):
    iter: int = 1
    pos: _Position = _Position()
    sig: _Signal = _Signal()
    ene: _Energy = _Energy()


class PublishedConfig(Section):
    """The layout as the published program reads it; what runs where (`comp`) is not ours."""

    ver: float | str = 1.0
    file: _File
    comp: Annotated[dict[str, Any], Field(default_factory=dict)]
    geo: _Geo
    algo: _Algorithm = _Algorithm()


# Effects of the published program that this one does not model; ignoring them would mislead.
_UNMODELLED = {
    "geo.mask.smoothness": 0.0,
    "geo.mask.alpha": 0.0,
    "geo.mask.stretch": 1.0,
    "geo.source.offset": 0.0,
}


def convert_published(data: dict[str, Any], source: Path) -> ExperimentConfig:
    """Turn the published layout into an experiment.

    `geo.mask.shift` is in mm whatever its comment says, `file.range` is [first, stop, step]
    in frames, `geo.source.grid` is [start, stop, step] in mm. `file.path`, `file.output`,
    `comp`, and the numbers that steer only the published solver are checked and not used.

    Parameters
    ----------
    data : dict
        The parsed YAML.
    source : Path
        The file, named in errors.

    Raises
    ------
    ConfigurationError
        Unknown or mistyped keys, or an effect that is not modelled here.
    """
    published = validated(PublishedConfig, data, source)
    for key, neutral in _UNMODELLED.items():
        value: Any = published
        for part in key.split("."):
            value = getattr(value, part)
        if value != neutral:
            raise ConfigurationError(
                f"{key}: {value} is not supported", str(source), f"only {neutral} is"
            )
    return validated(ExperimentConfig, _native(published), source)


def _native(published: PublishedConfig) -> dict[str, Any]:
    file, geo, energy = published.file, published.geo, published.algo.ene
    native = {
        "data": {
            "key": file.h5.key.strip("/"),
            "first_frame": file.range[0],
            "stop_frame": file.range[1],
            "stride": file.range[2] if len(file.range) == 3 else 1,
        },
        "selection": _selection(file),
        "detector": {
            "shape_px": geo.detector.shape,
            "size_mm": geo.detector.size,
            "rotation_rad": geo.detector.rot,
            "translation_mm": geo.detector.pos,
        },
        "aperture": _aperture(geo.mask),
        "pose": _pose(geo.mask.focus),
        "motion": {
            "step_um": geo.scanner.step,
            "shift_mm": geo.mask.shift,
            "axis": geo.scanner.axis,
            "rotation_rad": geo.scanner.rot,
        },
        "depths": _depths(geo.source.grid),
    }
    if energy.recon:
        native["decode"] = {"energy": {"start_kev": energy.range[0], "stop_kev": energy.range[1]}}
    return native


def _selection(file: _File) -> dict[str, Any]:
    selection: dict[str, Any] = {"min_mean_counts": file.threshold}
    if file.frame is not None:
        selection |= {"rows_px": file.frame[:2], "columns_px": file.frame[2:]}
    return selection


def _aperture(mask: _Mask) -> dict[str, Any]:
    return {
        "code": mask.path,
        "reversed": mask.reversed,
        "open_width_um": mask.bitsizes[0],
        "bar_width_um": mask.bitsizes[1],
        "thickness_um": mask.thickness,
        "widening_um": mask.widening,
    }


def _pose(focus: _Focus) -> dict[str, float]:
    return {
        "cenx_mm": focus.cenx,
        "dist_mm": focus.dist,
        "cenz_mm": focus.cenz,
        "anglex_deg": focus.anglex,
        "angley_deg": focus.angley,
        "anglez_deg": focus.anglez,
    }


def _depths(grid_mm: Triple) -> dict[str, float]:
    # 0.001 mm is not 1 µm in binary; nine decimals of a µm are.
    start, stop, step = (round(value * 1e3, 9) for value in grid_mm)
    return {"start_um": start, "stop_um": stop, "step_um": step}
