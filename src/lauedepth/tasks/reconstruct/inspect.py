"""One pixel looked at closely: its trace, what the decoder found, and the fit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lauedepth.config import ExperimentConfig
from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.limits import ABSORPTION_RANGE
from lauedepth.core.decoding.pixels import DecodedPixels, PixelFlag, PixelStatus
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.aperture import BarTable
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.pixel_view import PixelView, poisson_weights
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.io import Point
from lauedepth.tasks.reconstruct.blocks import Block, decode_block, traces_of


@dataclass(frozen=True)
class FoundDepth:
    """One depth of a pixel, as in `DecodedPixels`.

    Attributes
    ----------
    depths_um, footprint : (n,) arrays
        Intensity at each depth, counts a frame.
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

    def told(self) -> str:
        """Return the depth with its error, with the digits that the error leaves."""
        known = 0 < self.depth_error_um < np.inf
        digits = 2 + max(0, int(-np.floor(np.log10(self.depth_error_um) + 1))) if known else 2
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
        return " and ".join(one.told() for one in self.found)


def inspect_pixel(
    point: Point, config: ExperimentConfig, backend: Decoder, row: int, column: int
) -> InspectedPixel:
    """Read and decode one pixel of a point.

    Parameters
    ----------
    point : Point
    config : ExperimentConfig
    backend : Decoder
    row, column : int
        Image pixel.

    Raises
    ------
    InputError
        Not in the image.
    """
    rows, columns = point.region.shape
    if not (0 <= row < rows and 0 <= column < columns):
        raise InputError(
            f"pixel {row},{column} is not in the image of {rows} rows and {columns} columns",
            str(point.path),
            "give --pixel ROW,COLUMN of the image, counted from 0",
        )
    experiment = config.to_core()
    block = Block(0, (row, row + 1), np.array([row]), np.array([column]))
    traces = traces_of(point.read_rows(row, row + 1), row, block)
    decoded = decode_block(
        experiment,
        point.region,
        block,
        traces,
        backend=backend,
        options=config.decode_options(),
        usable=point.usable,
    )
    at_row, at_column = point.region.unbinned(block.rows, block.columns)
    found = _found(decoded, experiment)
    background, counts = float(decoded.background[0]), traces[0].astype(np.float64)
    return InspectedPixel(
        row=row,
        column=column,
        detector_row=float(at_row[0]),
        detector_column=float(at_column[0]),
        status=PixelStatus(int(decoded.status[0])).name.lower(),
        background=background,
        residual=float(decoded.residual[0]),
        frames=experiment.frames.indices,
        counts=counts,
        usable=point.usable,
        fit=_fit(experiment, at_row, at_column, found, background, counts, point.usable)
        if found
        else None,
        found=found,
        depth_range_um=(experiment.depths.start_um, experiment.depths.stop_um),
    )


def _found(decoded: DecodedPixels, experiment: Experiment) -> tuple[FoundDepth, ...]:
    depths = experiment.depths.values_um
    found = []
    for index in np.flatnonzero(np.isfinite(decoded.depth_um)):
        part = slice(decoded.footprint_offset[index], decoded.footprint_offset[index + 1])
        footprint = decoded.footprint[part].astype(np.float64)
        start = int(decoded.footprint_start[index])
        flags = PixelFlag(int(decoded.flags[index]))
        found.append(
            FoundDepth(
                depth_um=float(decoded.depth_um[index]),
                depth_error_um=float(decoded.depth_error_um[index]),
                width_um=float(decoded.width_um[index]),
                intensity=float(decoded.intensity[index]),
                mask_position_um=float(decoded.mask_position_um[index]),
                energy_kev=float(decoded.energy_kev[index]),
                flags=tuple((flag.name or "").lower() for flag in flags),
                depths_um=depths[start : start + footprint.size],
                footprint=footprint,
            )
        )
    return tuple(found)


def _fit(
    experiment: Experiment,
    row: Floats,
    column: Floats,
    found: tuple[FoundDepth, ...],
    background: float,
    counts: Floats,
    usable: npt.NDArray[np.bool_],
) -> Floats:
    """Put the footprints through the aperture, its bars as transparent as the trace says.

    A result does not hold what the bars let through, unless an energy was asked for.
    """
    from scipy.optimize import minimize_scalar  # noqa: PLC0415  (slow)

    depths = experiment.depths
    opaque = PixelView.of(
        BarTable.of(experiment.aperture),
        RayMap.of(experiment, row, column).pick(0),
        experiment.frames.indices.astype(np.float64),
        (depths.start_um + depths.stop_um) / 2,
    )

    def expected(view: PixelView) -> Floats:
        trace = np.full(counts.size, background)
        for one in found:
            for depth_um, intensity in zip(one.depths_um, one.footprint, strict=True):
                half = depths.step_um / 2
                trace += intensity * view.mean_open_fraction(depth_um - half, depth_um + half)
        return trace

    def misfit(trace: Floats) -> float:
        weights = poisson_weights(trace[usable])
        return float(weights @ (counts[usable] - trace[usable]) ** 2)

    def through(log_absorption: float) -> Floats:
        return expected(opaque.through(math.exp(log_absorption)))

    best = minimize_scalar(
        lambda log_absorption: misfit(through(log_absorption)),
        bounds=(math.log(ABSORPTION_RANGE[0]), math.log(ABSORPTION_RANGE[1])),
        method="bounded",
    )
    return min(expected(opaque), through(best.x), key=misfit)
