"""Read, decode and fit one pixel of a point."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from lauedepth.config import ExperimentConfig
from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.inspected import FoundDepth, InspectedPixel
from lauedepth.core.decoding.limits import ABSORPTION_RANGE
from lauedepth.core.decoding.pixels import DecodedPixels, PixelFlag, PixelStatus
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.aperture import BarTable
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.pixel_view import PixelView, poisson_weights
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.io import Point
from lauedepth.tasks.reconstruct.blocks import PixelBlock, decode_block, traces_of


def inspect_pixel(
    point: Point, config: ExperimentConfig, decoder: Decoder, row: int, column: int
) -> InspectedPixel:
    """Read and decode one pixel of a point.

    Parameters
    ----------
    point : Point
    config : ExperimentConfig
    decoder : Decoder
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
    block = PixelBlock(0, (row, row + 1), np.array([row]), np.array([column]))
    traces = traces_of(point.read_rows(row, row + 1), row, block)
    decoded = decode_block(
        experiment,
        point.region,
        block,
        traces,
        decoder=decoder,
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
        # by one trace alone no background is ever known
        flags = PixelFlag(int(decoded.flags[index])) & ~PixelFlag.BACKGROUND_UNCERTAIN
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
        experiment.frame_positions,
        experiment.frame_intensities,
        (depths.start_um + depths.stop_um) / 2,
    )

    def expected(view: PixelView) -> Floats:
        trace = np.full(counts.size, background)
        for one in found:
            for depth_um, intensity in zip(one.depths_um, one.footprint, strict=True):
                half = depths.step_um / 2
                trace += intensity * view.mean_open_fraction(depth_um - half, depth_um + half)
        return trace * view.beam

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
