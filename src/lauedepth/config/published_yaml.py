"""Turn the published program's configuration into an experiment that means the same."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

from lauedepth.config.aperture import PREFER_SAME, read_code
from lauedepth.config.checking import validated
from lauedepth.config.model import ExperimentConfig
from lauedepth.config.named_files import find_file
from lauedepth.config.pixel_mask import read_pixel_mask
from lauedepth.config.published_layout import (
    Calibrate,
    File,
    Focus,
    Geo,
    Mask,
    PublishedConfig,
    Range,
    ignored_keys,
)
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument.aperture import prefer_same_code
from lauedepth.core.notices import Notice, note, warning

# Effects of the published program that this one does not model; ignoring them would mislead.
_UNMODELLED: Final = {
    "geo.mask.smoothness": 0.0,
    "geo.mask.alpha": 0.0,
    "geo.mask.stretch": 1.0,
    "geo.source.offset": 0.0,
}

_PLACES: Final = 12
"""Decimals kept of what is computed from the file: 0.001 mm is not 1 µm in binary."""

_UNIT_TOLERANCE: Final = 1e-6
"""How far the scan axis may be from a unit vector by the rounding of its digits."""


def convert_published(data: dict[str, Any], source: Path) -> ExperimentConfig:
    """Turn the published layout into an experiment, with the content of the files it names.

    `geo.mask.shift` is in mm whatever its comment says, and is where the aperture stands at
    the first frame *used*; `geo.scanner.step` is per frame used; `geo.source.grid` is
    [start, stop, step] in mm.

    Parameters
    ----------
    data : mapping
        What the file holds.
    source : Path
        The file.

    Returns
    -------
    ExperimentConfig
        With notes on keys that are ignored, on files and on scans.

    Raises
    ------
    ConfigurationError
        Unknown or mistyped keys, an effect that is not modelled here, or no code.
    """
    published = validated(PublishedConfig, data, source)
    _refuse_unmodelled(published, source)
    code, code_notice = _code(published.geo.mask, source)
    mask, mask_notices = _pixel_mask(published, source)
    native = _native(published)
    native["aperture"]["code"] = code
    native["selection"]["mask"] = mask
    config = validated(ExperimentConfig, native, source)
    return config.with_notices(
        [*_ignored(data, source), code_notice, *mask_notices, *_scans(published, source)]
    )


def _refuse_unmodelled(published: PublishedConfig, source: Path) -> None:
    for key, neutral in _UNMODELLED.items():
        value: Any = published
        for part in key.split("."):
            value = getattr(value, part)
        if value != neutral:
            raise ConfigurationError(
                f"{key}: {value} is not supported", str(source), f"only {neutral} is"
            )


def _native(published: PublishedConfig) -> dict[str, Any]:
    file, geo, algorithm = published.file, published.geo, published.algo
    decode: dict[str, Any] = {
        "published": {
            "resolution_um": geo.mask.resolution,
            "pad_um": geo.mask.pad,
            "signal_um": algorithm.sig.init.maxsize,
            "nominal_um": algorithm.sig.init.avgsize,
            "spline_order": algorithm.sig.order,
            "knot_spacing": algorithm.sig.scale,
            "regularisation": algorithm.pos.regpar,
        }
    }
    if algorithm.ene.recon:
        start, stop, _ = algorithm.ene.range
        decode["energy"] = {"start_kev": start, "stop_kev": stop}
    frames = _frames(published)
    return {
        "data": frames | _data(file),
        "selection": _selection(file),
        "detector": {
            "shape_px": geo.detector.shape,
            "size_mm": geo.detector.size,
            "rotation_rad": geo.detector.rot,
            "translation_mm": geo.detector.pos,
        },
        "aperture": _aperture(geo.mask),
        "pose": _pose(geo.mask.focus),
        "motion": _motion(geo, frames["first_frame"], frames["stride"]),
        "depths": _depths(geo.source.grid),
        "decode": decode,
        "calibration": _calibration(geo.mask),
    }


def _frames(published: PublishedConfig) -> dict[str, int]:
    """Return which frames of the point's series are used.

    In a folder with the files of many scans the scan `comp.scanstart` begins as many times
    the length of one, the end of its range, after the first.
    """
    first, stop, step = published.file.used
    before = _scan(published) * stop
    return {"first_frame": before + first, "stop_frame": before + stop, "stride": step}


def _scan(published: PublishedConfig) -> int:
    return (published.comp.scanstart or 0) if published.file.stacked else 0


def _data(file: File) -> dict[str, Any]:
    data: dict[str, Any] = {
        "key": file.h5.key.strip("/"),
        "may_end_early": True,
        "monitor": file.h5.incident,
        "offset_px": file.offset,
    }
    if file.frame is not None:
        top, bottom, left, right = file.frame
        data["region"] = {"start_px": (left, top), "size_px": (right - left, bottom - top)}
    return data


def _selection(file: File) -> dict[str, Any]:
    selection: dict[str, Any] = {"min_mean_counts": file.threshold}
    if file.frame is not None:
        selection |= {"rows_px": file.frame[:2], "columns_px": file.frame[2:]}
    return selection


def _aperture(mask: Mask) -> dict[str, Any]:
    return {
        "reversed": mask.reversed,
        "open_width_um": mask.bitsizes[0],
        "bar_width_um": mask.bitsizes[1],
        "thickness_um": mask.thickness,
        "widening_um": mask.widening,
    }


def _pose(focus: Focus) -> dict[str, float]:
    return {
        "cenx_mm": focus.cenx,
        "dist_mm": focus.dist,
        "cenz_mm": focus.cenz,
        "anglex_deg": focus.anglex,
        "angley_deg": focus.angley,
        "anglez_deg": focus.anglez,
    }


def _motion(geo: Geo, first: int, stride: int) -> dict[str, Any]:
    """Return the motion counted in frames of the file, as natively.

    The program takes its axis as it is written: a longer one makes longer steps and shifts.
    """
    length = math.hypot(*geo.scanner.axis)
    scale = 1.0 if abs(length - 1.0) <= _UNIT_TOLERANCE else length
    step_um = geo.scanner.step * scale / stride
    return {
        "step_um": round(step_um, _PLACES),
        "shift_mm": round(geo.mask.shift * scale - 1e-3 * first * step_um, _PLACES),
        "axis": geo.scanner.axis,
        "rotation_rad": geo.scanner.rot,
    }


def _depths(grid_mm: Range) -> dict[str, float]:
    start, stop, step = (round(value * 1e3, 9) for value in grid_mm)
    return {"start_um": start, "stop_um": stop, "step_um": step}


def _calibration(mask: Mask) -> dict[str, Any] | None:
    if mask.calibrate is None and mask.cal is None:
        return None
    bounds = mask.calibrate or Calibrate()
    kept: dict[str, Any] = {
        f"{name}_{'deg' if name.startswith('angle') else 'mm'}": value
        for name, value in bounds.model_dump().items()
        if value is not None
    }
    if mask.cal is not None:
        kept |= {"name": mask.cal.path, "number": str(mask.cal.id)}
    return kept


def _ignored(data: dict[str, Any], source: Path) -> list[Notice]:
    keys = ignored_keys(data)
    if not keys:
        return []
    return [note("keys-ignored", f"without effect here: {', '.join(keys)}", str(source))]


def _code(mask: Mask, source: Path) -> tuple[tuple[int, ...] | str, Notice]:
    """Return the aperture's code, and a note on where it was found."""
    if mask.path == PREFER_SAME:
        return PREFER_SAME, note("code-file", f"the built-in code {PREFER_SAME}", str(source))
    lookup = find_file(mask.path, source.parent)
    if lookup.found is None:
        raise ConfigurationError(
            f"geo.mask.path: no code at {lookup.told}",
            str(source),
            f"put the file beside the configuration{_built_in_hint(mask.path)}",
        )
    bits = read_code(lookup.found)
    known = bits == prefer_same_code(8)
    told = f"the code was read from {lookup.found}"
    told += f", it is the built-in {PREFER_SAME}" if known else ""
    return PREFER_SAME if known else bits, note("code-file", told, str(source))


def _built_in_hint(path: str) -> str:
    """Return advice to take the built-in code, where the file's name says it is of its kind."""
    name = path.lower()
    if "debruijn" in name.replace("_", "").replace("-", "") and "2-8" in name.replace("_", "-"):
        return (
            f", or write {PREFER_SAME} for it if it is the built-in 256-bit de Bruijn sequence "
            "B(2,8), as at 34-ID-E"
        )
    return ""


def _pixel_mask(published: PublishedConfig, source: Path) -> tuple[Any, list[Notice]]:
    """Return the mask of pixels to decode; its name, with a warning, where it is not found."""
    file = published.file
    if file.pixmask is None:
        return None, []
    lookup = find_file(file.pixmask, source.parent)
    if lookup.found is None:
        missing = warning(
            "pixel-mask-missing",
            f"file.pixmask: no mask at {lookup.told}",
            str(source),
            "put the file beside the configuration, or choose pixels by --pixels",
        )
        return file.pixmask, [missing]
    columns, rows = published.geo.detector.shape
    window = None
    if file.frame is not None:
        window = slice(*file.frame[:2]), slice(*file.frame[2:])
    mask = read_pixel_mask(lookup.found, (rows, columns), window)
    told = f"{int(mask.pixels().sum())} pixels to decode were read from {lookup.found}"
    return mask, [note("pixel-mask-file", told, str(source))]


def _scans(published: PublishedConfig, source: Path) -> list[Notice]:
    """Return notes on which of a folder's scans is meant."""
    if not published.file.stacked:
        return []
    scan, number = _scan(published), published.comp.scannumber or 1
    found = []
    if scan:
        frames = _frames(published)
        told = f"scan {scan} of a folder: its files {frames['first_frame']} to "
        found.append(
            note("scan-of-folder", f"{told}{frames['stop_frame'] - 1}, from 0", str(source))
        )
    if number > 1:
        found.append(
            note(
                "scans-of-folder",
                f"comp.scannumber names {number} scans of a folder; this is scan {scan}",
                str(source),
                f"set comp.scanstart to {scan + 1} ... {scan + number - 1} for the others",
            )
        )
    return found
