"""Scans to calibrate with: what is asked of each, which pixels are chosen, and their traces."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from lauedepth.calibration import (
    MINIMUM_CONTRAST,
    MINIMUM_PIXELS,
    Scan,
    coded_contrast,
    spot_pixels,
    spread_choice,
)
from lauedepth.config import ExperimentConfig
from lauedepth.core.arrays import Flags
from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.notices import Notice
from lauedepth.core.progress import Progress, no_progress, of_stage
from lauedepth.io import Point
from lauedepth.tasks.reconstruct.opening import open_for
from lauedepth.tasks.reconstruct.range_cut import fit_to_point
from lauedepth.tasks.reconstruct.sampling import SampledTraces, sample_traces
from lauedepth.tasks.reconstruct.selection import Pixels, select_pixels, with_threshold

PIXELS: Final = 50
"""Pixels that are chosen in each scan."""
CANDIDATES: Final = 4 * PIXELS
"""Bright pixels among which they are chosen by how clearly they see the code."""
MAXIMUM_MASK_PIXELS: Final = 2000
"""Pixels that a mask may hold: each takes some 50 ms."""
MEMORY_BYTES: Final = 2**31
ORIGIN: Final = {
    "entry1/scanNum": "scan {}",
    "@file_time": "measured {}",
    "entry1/sample/sampleX": "sampleX {:g}",
    "entry1/sample/sampleY": "sampleY {:g}",
    "entry1/sample/sampleZ": "sampleZ {:g}",
}
"""Metadata of a point that say when and where it was measured, and how they are written."""

T = TypeVar("T")


@dataclass(frozen=True)
class ScanRequest:
    """One scan to calibrate with.

    Attributes
    ----------
    point : Path
    config : ExperimentConfig
        Its frames, and where the aperture was stated to stand.
    shift_mm : float
        How far the aperture was displaced along its scan, beyond that.
    pixels : float or (ny, nx) bool array, optional
        Minimum mean counts per frame, or a mask of the detector: all its pixels are used.
    """

    point: Path
    config: ExperimentConfig
    shift_mm: float = 0.0
    pixels: Pixels | None = None


def scan_requests(
    points: Sequence[Path],
    configs: Sequence[ExperimentConfig],
    shifts_mm: Sequence[float] = (),
    pixels: Sequence[Pixels | None] = (),
) -> tuple[ScanRequest, ...]:
    """Put together what was given once for all points, or once for each.

    Raises
    ------
    ConfigurationError
        Neither one nor as many as there are points; several points without a displacement.
    """
    number = len(points)
    if len(configs) == 1 and number > 1 and not shifts_mm:
        raise ConfigurationError(
            f"{number} POINT and no --shift-mm",
            "--shift-mm",
            "give one for each point, in order; 0 where the aperture was not displaced",
        )
    shifts = shifts_mm or [0.0] * number
    if len(shifts) != number:
        raise _miscounted(number, len(shifts), "--shift-mm")
    each_config = _for_each(number, configs, "--experiment")
    each_pixels = _for_each(number, pixels or [None], "--pixels")
    return tuple(
        ScanRequest(*one) for one in zip(points, each_config, shifts, each_pixels, strict=True)
    )


def _for_each(number: int, given: Sequence[T], option: str) -> Sequence[T]:
    if len(given) not in {1, number}:
        raise _miscounted(number, len(given), option)
    return given if len(given) == number else [given[0]] * number


def _miscounted(points: int, given: int, option: str) -> ConfigurationError:
    return ConfigurationError(
        f"{points} POINT and {given} times {option}", option, "give one for each point, in order"
    )


def read_scans(
    requests: Sequence[ScanRequest],
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress = no_progress,
) -> list[Scan]:
    """Read calibration scans and choose their pixels; the first anchors the others."""
    start, scans = requests[0].config.to_core(), []
    for one in requests:
        with open_for(one.config, one.point) as point:
            scan = read_scan(
                point,
                one.config,
                pixels=one.pixels,
                memory_bytes=memory_bytes,
                progress=progress,
            )
        scans.append(_placed(scan, start, one))
    return scans


def with_measured_frames(
    requests: Sequence[ScanRequest],
) -> tuple[tuple[ScanRequest, ...], tuple[Notice, ...]]:
    """Return requests with the beam and the positions that the points' files hold.

    Returns
    -------
    tuple of ScanRequest
    tuple of Notice
        What was taken, and what is odd in it.

    Raises
    ------
    InputError
        See `fit_to_point`.
    """
    fitted = tuple(replace(one, config=fit_to_point(one.config, one.point)) for one in requests)
    known = {notice for one in requests for notice in one.config.notices}
    said = dict.fromkeys(notice for one in fitted for notice in one.config.notices)
    return fitted, tuple(notice for notice in said if notice not in known)


def _placed(scan: Scan, start: Experiment, request: ScanRequest) -> Scan:
    """Return a scan with where its aperture was stated to stand, seen from the start."""
    stated = request.config.to_core()
    here, there = start.pose, stated.pose
    return replace(
        scan,
        shift_mm=request.shift_mm + stated.motion.shift_mm - start.motion.shift_mm,
        frames=stated.frames,
        positions_um=stated.motion.positions_um,
        beam=stated.beam_intensity,
        stands_mm=(
            there.cenx_mm - here.cenx_mm,
            there.dist_mm - here.dist_mm,
            there.cenz_mm - here.cenz_mm,
        ),
    )


def read_scan(
    point: Point,
    config: ExperimentConfig,
    *,
    pixels: Pixels | None = None,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress = no_progress,
) -> Scan:
    """Choose pixels of an open point and read their traces.

    Parameters
    ----------
    point : Point
    config : ExperimentConfig
    pixels : float or (ny, nx) bool array, optional
        As in `ScanRequest`.
    memory_bytes : int
        For the frames read at a time.
    progress : callable, optional
        Called with (stage, done, total).

    Raises
    ------
    InputError
        It has no pixel to calibrate with.
    """
    if isinstance(pixels, np.ndarray):
        lit = _masked(point, config, pixels)
        traces = _read_traces(point, lit, memory_bytes, progress)
    else:
        lit = _candidates(point, with_threshold(config, pixels), progress)
        traces = _coded(point, _read_traces(point, lit, memory_bytes, progress))
    row, column = point.region.unbinned(traces.row, traces.column)
    return Scan(
        row, column, traces.counts, point.usable, name=point.path.name, origin=origin_of(point)
    )


def origin_of(point: Point) -> str:
    """Return when and where a point was measured, as far as its metadata say."""
    parts = []
    for path, words in ORIGIN.items():
        value = point.metadata.get(path)
        if value is not None and value.size == 1:
            one = value.item()
            parts.append(words.format(os.fsdecode(one) if isinstance(one, bytes) else one))
    return ", ".join(parts)


def _masked(point: Point, config: ExperimentConfig, mask: Flags) -> Flags:
    """Return the image pixels of a mask of the detector."""
    lit = select_pixels(point, config, mask)
    if lit.sum() > MAXIMUM_MASK_PIXELS:
        raise InputError(
            f"the mask holds {int(lit.sum())} pixels of this point",
            str(point.path),
            f"give {MAXIMUM_MASK_PIXELS} at most; 50 are enough",
        )
    return lit


def _candidates(point: Point, config: ExperimentConfig, progress: Progress) -> Flags:
    """Return the brightest pixels, spread over the image."""
    mean = point.mean_image(progress=of_stage(progress, "select"))
    window = config.selection.window(point.region)
    bright = np.zeros(mean.shape, np.bool_)
    bright[window] = spot_pixels(mean, config.selection.min_mean_counts)[window]
    row, column = np.nonzero(bright)
    chosen = spread_choice(row, column, mean[row, column], CANDIDATES, mean.shape)
    lit = np.zeros(mean.shape, np.bool_)
    lit[row[chosen], column[chosen]] = True
    return lit


def _read_traces(point: Point, lit: Flags, memory_bytes: int, progress: Progress) -> SampledTraces:
    """Read the traces of the pixels chosen."""
    if not lit.any():
        raise InputError(
            "has no pixel to calibrate with", str(point.path), "lower --pixels or give a mask"
        )
    return sample_traces(point, lit, memory_bytes, of_stage(progress, "read"))


def _coded(point: Point, traces: SampledTraces) -> SampledTraces:
    """Return the traces that see the code most clearly, spread over the image."""
    contrast = coded_contrast(traces.counts, point.usable)
    best = spread_choice(traces.row, traces.column, contrast, PIXELS, point.region.shape)
    best = np.sort(best[contrast[best] > MINIMUM_CONTRAST])
    if best.size < MINIMUM_PIXELS:
        raise InputError(
            f"only {best.size} of {traces.row.size} bright pixels vary as behind a code",
            str(point.path),
            "check that the aperture is in the path of the light, or count longer",
        )
    return traces.pick(best)
