"""Does a result agree with the pose it was made with? What its fits left over shows it.

An aperture turned by an angle makes each trace advance on the code by step x m x angle more per
frame than the decoder's model allows. Depth and width absorb what they can; the rest adds to
chi-square

    (step m angle / sigma)^2,

sigma being the error that a free advance of that trace would have. The slope m of the rays
grows fivefold from one edge of the detector to the other, so that a turn shows as a residual
that grows towards an edge. Other things add to chi-square as well, each in its own way: jitter
as a trace knows its position, a drifting beam as its counts, and the decoder's own degrees of
freedom by their number. All are fitted together.

The sign of the turn is lost in the square. A wrong step cannot be distinguished from jitter, and
a shift of the aperture leaves nothing: it moves every depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.calibration.consistency import MINIMUM_PIXELS
from lauedepth.calibration.pixel_choice import spread_choice
from lauedepth.calibration.positions import frames_from_middle, middle_frame
from lauedepth.calibration.trace_fit import MINIMUM_EXTENT_UM, expected_covariance
from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.pixels import PixelFlag, PixelStatus
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap

PIXELS: Final = 1000
"""Decoded pixels that are looked at; each takes a millisecond."""
ROUNDS: Final = 20
HUBER: Final = 2.0
SIGNIFICANT: Final = 5.0
"""Standard errors."""
MINIMUM_TURN_DEG: Final = 0.05
MAXIMUM_LOST: Final = 0.3
"""Fraction of the pixels with coded light that may lack a whole footprint."""
MINIMUM_LIT: Final = 50
"""Fewest pixels with coded light to judge that by."""
CELL_PX: Final = 32
"""Pixels within such a square, of one spot, err together."""


@dataclass(frozen=True)
class DecodedTable:
    """What a result says of its pixels, one row per pixel: second depths are left out.

    Attributes
    ----------
    row, column : (n,) arrays
        Unbinned detector coordinates.
    status, flags : (n,) arrays
        `PixelStatus`, `PixelFlag`.
    depth_um, width_um, intensity, background, residual : (n,) arrays
        As in `DecodedPixels`.
    """

    row: Floats
    column: Floats
    status: npt.NDArray[np.uint8]
    flags: npt.NDArray[np.uint8]
    depth_um: Floats
    width_um: Floats
    intensity: Floats
    background: Floats
    residual: Floats

    def __len__(self) -> int:
        return int(self.row.size)


@dataclass(frozen=True)
class ResultCheck:
    """How a result agrees with the pose it was made with.

    Attributes
    ----------
    pixels : int
        Decoded pixels looked at.
    turn_deg, turn_error_deg : float
        Size of the turn about the bars that the residuals' growth over the detector asks for,
        0 where they ask for none, and its error; NaN where unknown.
    residual_flat, residual_steep : float
        Mean residual, weighted by intensity, of the third of the pixels whose rays cross the
        aperture least, and most, obliquely.
    lost : float
        Fraction of the pixels with coded light that match no place on the code, or whose footprint
        runs into the end of the depths asked for.
    warnings : tuple of str
        Empty where nothing speaks against the pose.
    """

    pixels: int
    turn_deg: float
    turn_error_deg: float
    residual_flat: float
    residual_steep: float
    lost: float
    warnings: tuple[str, ...]


def check_residuals(experiment: Experiment, table: DecodedTable) -> ResultCheck:
    """Compare what a result's fits left over with what a turned aperture would leave.

    Parameters
    ----------
    experiment : Experiment
        The result was made with it.
    table : DecodedTable

    Returns
    -------
    ResultCheck
    """
    chosen = _chosen(experiment, table)
    turn = _Turn()
    if chosen.size >= MINIMUM_PIXELS:
        turn = _turn(_left_over(experiment, table, chosen))
    flat, steep = _residuals_of_thirds(experiment, table, chosen)
    lost = _lost(table)
    return ResultCheck(
        pixels=int(chosen.size),
        turn_deg=turn.angle_deg,
        turn_error_deg=turn.angle_error_deg,
        residual_flat=flat,
        residual_steep=steep,
        lost=lost,
        warnings=(*_turn_warning(turn, flat, steep), *_lost_warning(lost)),
    )


def _chosen(experiment: Experiment, table: DecodedTable) -> npt.NDArray[np.int64]:
    """Return the brightest decoded pixels with one whole footprint, spread over the detector."""
    plain = (
        (table.status == PixelStatus.DECODED)
        & (table.flags & PixelFlag.AT_RANGE_END == 0)
        & np.isfinite(table.residual + table.depth_um + table.width_um)
        & (table.intensity > 0)
    )
    found = np.flatnonzero(plain)
    columns, rows = experiment.detector.shape
    row, column = table.row[found].astype(np.int64), table.column[found].astype(np.int64)
    return found[spread_choice(row, column, table.intensity[found], PIXELS, (rows, columns))]


@dataclass(frozen=True)
class _LeftOver:
    """Chi-square above its expectation, and what would add to it.

    Attributes
    ----------
    excess : (n,) array
        Chi-square less its degrees of freedom, in standard deviations of that.
    causes : (n, 5) array
        What a turn of one radian would add to it, a jitter of 1 µm, a relative error of the
        model of 1, one degree of freedom, and one for each micron of the footprint.
    cell : (n,) array
        Number of the square of the detector.
    """

    excess: Floats
    causes: Floats
    cell: npt.NDArray[np.int64]


def _left_over(
    experiment: Experiment, table: DecodedTable, chosen: npt.NDArray[np.int64]
) -> _LeftOver:
    rays = RayMap.of(experiment, table.row[chosen], table.column[chosen])
    slope = rays.slope(table.depth_um[chosen])
    freedom = len(experiment.frames)
    information = _information(experiment, rays, table, chosen)
    counts = table.intensity[chosen] / 2 + _background(table, chosen)
    spread = np.sqrt(2 * freedom)
    causes = np.stack(
        [
            (experiment.motion.step_um * slope) ** 2 * information[:, 1],
            information[:, 0],
            counts * freedom,
            np.ones(chosen.size),
            table.width_um[chosen],
        ],
        axis=1,
    )
    return _LeftOver(
        (table.residual[chosen] - 1.0) * freedom / spread,
        causes / spread,
        table.row[chosen].astype(np.int64) // CELL_PX * experiment.detector.shape[0]
        + table.column[chosen].astype(np.int64) // CELL_PX,
    )


def _background(table: DecodedTable, chosen: npt.NDArray[np.int64]) -> Floats:
    return np.nan_to_num(np.maximum(table.background[chosen], 0.0))


def _information(
    experiment: Experiment, rays: RayMap, table: DecodedTable, chosen: npt.NDArray[np.int64]
) -> Floats:
    """Return 1 / variance of each trace's position and advance: (n, 2), 0 where unknown."""
    depth, width = table.depth_um[chosen], table.width_um[chosen]
    middle, frames = middle_frame(experiment.frames), frames_from_middle(experiment)
    ends = [rays.position_um(depth + side * width, middle) for side in (-0.5, 0.5)]
    place = (ends[0] + ends[1]) / 2
    extent = np.maximum(np.abs(ends[1] - ends[0]), MINIMUM_EXTENT_UM)
    advance, window = rays.advance_um(depth), rays.window_um(depth)
    background = _background(table, chosen)
    variance = [
        expected_covariance(
            experiment.aperture,
            frames,
            position_um=place[number],
            advance_um=advance[number],
            extent_um=extent[number],
            window_um=window[number],
            intensity=table.intensity[pixel],
            background=background[number],
        ).diagonal()
        for number, pixel in enumerate(chosen)
    ]
    found = np.array(variance)
    return np.where(found > 0, 1.0 / np.where(found > 0, found, 1.0), 0.0)


@dataclass(frozen=True)
class _Turn:
    """The square of a turn, rad², and its standard error."""

    square: float = float("nan")
    error: float = float("nan")

    @property
    def angle_deg(self) -> float:
        return float(np.rad2deg(np.sqrt(np.maximum(self.square, 0.0))))

    @property
    def angle_error_deg(self) -> float:
        """How much larger the angle may be within a standard error of its square."""
        larger = np.sqrt(np.maximum(self.square, 0.0) + self.error)
        return float(np.rad2deg(larger)) - self.angle_deg

    @property
    def is_seen(self) -> bool:
        return self.square > SIGNIFICANT * self.error and self.angle_deg > MINIMUM_TURN_DEG


def _turn(left: _LeftOver) -> _Turn:
    """Fit the causes to the excess, robustly; pixels of one cell may err together."""
    scales = np.maximum(np.abs(left.causes).max(axis=0), 1e-300)
    causes = left.causes / scales
    weight = np.ones(left.excess.size)
    for _ in range(ROUNDS):
        found = np.linalg.lstsq(weight[:, None] * causes, weight * left.excess, rcond=None)[0]
        off = left.excess - causes @ found
        expected = np.sqrt(1.0 + np.maximum(causes @ found, 0.0))
        pull = np.abs(off) / expected
        scale = max(1.0, 1.4826 * float(np.median(pull)))
        weight = np.sqrt(np.minimum(1.0, HUBER * scale / np.maximum(pull, 1e-9))) / expected
    part = _without_each_cell(causes * weight[:, None], left.excess * weight, left.cell)[:, 0]
    error = np.sqrt((part.size - 1) / part.size * ((part - part.mean()) ** 2).sum())
    return _Turn(found[0] / scales[0], float(error) / scales[0])


def _without_each_cell(causes: Floats, excess: Floats, cell: npt.NDArray[np.int64]) -> Floats:
    """Fit again without each cell in turn (jackknife): (n_cells, n_causes).

    One bright spot may outweigh all others; only this kind of error shows it.
    """
    cells, number = np.unique(cell, return_inverse=True)
    size = causes.shape[1]
    normal, push = np.zeros((cells.size, size, size)), np.zeros((cells.size, size))
    np.add.at(normal, number, causes[:, :, None] * causes[:, None, :])
    np.add.at(push, number, causes * excess[:, None])
    inverse = np.linalg.pinv(normal.sum(axis=0) - normal, hermitian=True)
    return np.asarray((inverse @ (push.sum(axis=0) - push)[:, :, None])[:, :, 0])


def _residuals_of_thirds(
    experiment: Experiment, table: DecodedTable, chosen: npt.NDArray[np.int64]
) -> tuple[float, float]:
    """Return the mean residual where rays cross the aperture least and most obliquely."""
    if not chosen.size:
        return float("nan"), float("nan")
    rays = RayMap.of(experiment, table.row[chosen], table.column[chosen])
    slope = np.abs(rays.slope(table.depth_um[chosen]))
    low, high = np.quantile(slope, [1 / 3, 2 / 3])
    residual, weight = table.residual[chosen], table.intensity[chosen]
    flat, steep = (
        float(np.average(residual[part], weights=weight[part]))
        for part in (slope <= low, slope >= high)
    )
    return flat, steep


def _lost(table: DecodedTable) -> float:
    """Return the fraction of the pixels with coded light that have no whole footprint."""
    decoded = table.status == PixelStatus.DECODED
    unmatched = table.status == PixelStatus.NO_MATCH
    lit = int((decoded | unmatched).sum())
    cut = decoded & (table.flags & PixelFlag.AT_RANGE_END > 0)
    return float((unmatched | cut).sum()) / lit if lit >= MINIMUM_LIT else float("nan")


def _turn_warning(turn: _Turn, flat: float, steep: float) -> list[str]:
    if not turn.is_seen:
        return []
    return [
        f"residuals grow over the detector, from {flat:.2f} to {steep:.2f} where rays cross the "
        f"aperture most obliquely, as if it were turned by {turn.angle_deg:.2f} ± "
        f"{turn.angle_error_deg:.2f}° about its bars: the pose no longer holds; calibrate again "
        "with lauedepth calibrate"
    ]


def _lost_warning(lost: float) -> list[str]:
    if not lost > MAXIMUM_LOST:
        return []
    return [
        f"{lost:.0%} of the pixels with coded light match no place on the code or run into the "
        "end of the depths: widen depths, or calibrate again with lauedepth calibrate"
    ]
