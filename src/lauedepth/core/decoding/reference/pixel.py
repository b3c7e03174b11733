"""The definition of right: one pixel in NumPy, float64."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding import limits
from lauedepth.core.decoding.answers import footprint_bins
from lauedepth.core.decoding.bins import Bins, Support
from lauedepth.core.decoding.code_search import Candidate, search
from lauedepth.core.decoding.pixels import ModelError, PixelStatus
from lauedepth.core.decoding.reference.box_fit import Box, BoxFit, fit_boxes
from lauedepth.core.decoding.reference.footprint_bins import (
    basis_of,
    solve_footprint,
    supports_of,
    widened,
)
from lauedepth.core.decoding.reference.footprint_centroid import locate
from lauedepth.core.instrument.aperture import BarTable
from lauedepth.core.instrument.experiment import Depths, Experiment
from lauedepth.core.instrument.pixel_view import PixelView
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.core.instrument.shadow import Shadow


@dataclass(frozen=True)
class Found:
    """One depth of a pixel."""

    depth_um: float
    depth_error_um: float
    width_um: float
    support: Support
    footprint: Floats


@dataclass(frozen=True)
class PixelAnswer:
    """The answer for one pixel."""

    status: PixelStatus
    background: float = float("nan")
    residual: float = float("nan")
    found: tuple[Found, ...] = ()
    absorption: float = float("nan")
    absorption_error: float = float("nan")


@dataclass(frozen=True)
class FrameLine:
    """How the aperture advances and the beam changes from frame to frame.

    Attributes
    ----------
    first, stride : float
        Position at the first frame used, and advance per frame used, in steps: even ones, on
        which the search goes.
    position : (n_frames,) array
        Where the aperture really was, in steps.
    beam : (n_frames,) array
        Relative intensity of the incident beam.
    """

    first: float
    stride: float
    position: Floats
    beam: Floats

    @classmethod
    def of(cls, experiment: Experiment) -> FrameLine:
        """Take the frames of an experiment."""
        return cls(*experiment.even_steps, experiment.frame_positions, experiment.frame_intensities)

    @property
    def last(self) -> float:
        """Even position at the last frame used."""
        return self.first + self.stride * (self.position.size - 1)


@dataclass(frozen=True)
class _Grid:
    """Where one pixel's rays can lie: the rays and the depths asked for."""

    table: BarTable
    rays: RayMap
    frames: FrameLine
    depths: Depths
    bins: Bins
    model_error: ModelError | None


@dataclass(frozen=True)
class _Trace:
    """One pixel's counts per unit of beam, where they are measurements."""

    usable: npt.NDArray[np.bool_]
    measured: Floats
    level: float
    chi_square_flat: float

    @classmethod
    def of(cls, counts: Floats, usable: npt.NDArray[np.bool_], beam: Floats) -> _Trace:
        measured = counts[usable] / beam[usable]
        level = float(measured.mean())
        spread = float((beam[usable] * (measured - level) ** 2).sum())
        return cls(usable, measured, level, spread / max(level, 1e-12))

    def spread_out(self, values: Floats) -> Floats:
        """Return values at every frame, zero where nothing was measured."""
        spread = np.zeros(self.usable.size)
        spread[self.usable] = values
        return spread


def decode_pixel(
    table: BarTable,
    rays: RayMap,
    frames: FrameLine,
    depths: Depths,
    counts: Floats,
    usable: npt.NDArray[np.bool_],
    background: float = float("nan"),
    model_error: ModelError | None = None,
) -> PixelAnswer:
    """Decode one trace.

    Parameters
    ----------
    table : BarTable
    rays : RayMap
        Of this pixel.
    frames : FrameLine
    depths : Depths
    counts : (n_frames,) array
    usable : (n_frames,) array
        Where the counts are measurements.
    background : float
        Where it is known, the bars' absorption is found too.
    model_error : ModelError, optional
        What many pixels leave over.
    """
    if usable.sum() < max(limits.LEAST_FRAMES, limits.LEAST_USABLE * usable.size):
        return PixelAnswer(PixelStatus.INVALID)
    trace = _Trace.of(counts, usable, frames.beam)
    if trace.level <= 0:
        return PixelAnswer(PixelStatus.DARK)
    grid = _Grid(table, rays, frames, depths, footprint_bins(depths), model_error)
    if _misses_code(grid):
        return PixelAnswer(PixelStatus.OUTSIDE)
    candidates = _search(grid, trace, trace.measured, limits.CANDIDATES)
    spread = trace.chi_square_flat * trace.level
    if not candidates or not _significant(
        candidates[0].score, spread, trace.level, trace.measured.size - 2
    ):
        return PixelAnswer(PixelStatus.DARK, background=trace.level)
    middle = (depths.start_um + depths.stop_um) / 2
    view = PixelView.of(table, rays, frames.position[usable], frames.beam[usable], middle)
    fits = [
        fit_boxes(view, trace.measured, (_box(grid, candidate),))
        for candidate in candidates
        if candidate.score >= limits.CANDIDATE_SCORE * candidates[0].score
    ]
    fits.sort(key=lambda fit: fit.chi_square)
    return _judge(grid, trace, view, fits, background)


def _misses_code(grid: _Grid) -> bool:
    ends = grid.rays.position_um(
        np.array([grid.depths.start_um, grid.depths.stop_um])[:, None],
        np.array([grid.frames.first, grid.frames.last]),
    )
    if not np.all(np.abs(ends) < limits.MAXIMUM_POSITION_UM):  # or NaN
        return True
    middle = (grid.depths.start_um + grid.depths.stop_um) / 2
    travel = abs(float(grid.rays.advance_um(middle))) * abs(grid.frames.last - grid.frames.first)
    beside = ends.max() < grid.table.knots_um[0] or ends.min() > grid.table.knots_um[-1]
    return bool(beside or travel < limits.MINIMUM_TRAVEL_UM)


def _crosses_edges(grid: _Grid, depth_um: float) -> bool:
    """Return whether the ray from a depth crosses enough edges of bars over all frames."""
    ends = grid.rays.position_um(depth_um, np.array([grid.frames.first, grid.frames.last]))
    low, high = np.searchsorted(grid.table.knots_um, np.sort(ends))
    return bool(high - low >= limits.LEAST_EDGES)


def _search(grid: _Grid, trace: _Trace, values: Floats, number: int) -> list[Candidate]:
    """Return the places that fit values of the measured frames best."""
    middle = (grid.depths.start_um + grid.depths.stop_um) / 2
    return search(
        Shadow.of(grid.table, float(grid.rays.window_um(middle))),
        trace.spread_out(values),
        trace.usable,
        first_um=float(grid.rays.position_um(grid.depths.start_um, grid.frames.first)),
        last_um=float(grid.rays.position_um(grid.depths.stop_um, grid.frames.first)),
        advance_um=float(grid.rays.advance_um(middle)) * grid.frames.stride,
        number=number,
    )


def _significant(score: float, spread: float, level: float, freedom: int) -> bool:
    """Return whether a match stands out of the counting noise and of the trace's own scatter."""
    against_counting = score / level
    against_scatter = freedom * score / max(spread - score, 1e-9 * spread)
    return min(against_counting, against_scatter) > limits.DETECTION


def _box(grid: _Grid, candidate: Candidate) -> Box:
    """Turn a place on the code into a stretch of depth."""
    half = candidate.extent_um / 2
    ends = grid.rays.depth_um(
        np.array([candidate.position_um - half, candidate.position_um + half]), grid.frames.first
    )
    return Box(float(ends.mean()), float(abs(ends[1] - ends[0])))


def _judge(
    grid: _Grid,
    trace: _Trace,
    opaque: PixelView,
    fits: list[BoxFit],
    background: float,
) -> PixelAnswer:
    """Choose among the explanations of a trace and solve its footprint."""
    view, best = _as_one(trace, opaque, *_explain(grid, trace, opaque, fits[0]))
    if _unexplained(trace, best.chi_square):
        return PixelAnswer(PixelStatus.NO_MATCH, background=best.background)
    if best is fits[0] and _rivalled(fits, _scale(best)):
        return PixelAnswer(PixelStatus.AMBIGUOUS, background=best.background)
    if not _crosses_edges(grid, best.boxes[0].centre_um):
        return PixelAnswer(PixelStatus.OUTSIDE, background=best.background)
    answer = _solve(grid, trace, view, best)
    if np.isnan(background) or len(answer.found) != 1:
        return answer
    clear = _clear(trace, opaque, best, background)
    return replace(
        answer,
        absorption=clear.absorption or float("nan"),
        absorption_error=clear.absorption_error,
    )


def _explain(
    grid: _Grid, trace: _Trace, opaque: PixelView, single: BoxFit
) -> tuple[PixelView, BoxFit]:
    """Add a second depth, or bars that let light through, where the trace asks for it."""
    best = _second_depth(grid, trace, opaque, single) or single
    if best is single and not _misfits(single):
        return opaque, single
    clear = _clear(trace, opaque, single)
    if clear.chi_square > best.chi_square and _misfits(best):
        clear = _clear(trace, opaque, best)
    if clear.chi_square > best.chi_square or not _both_matter(clear):
        return opaque, best
    view = opaque.through(clear.absorption or limits.ABSORPTION_START)
    if len(clear.boxes) == 1:
        clear = _second_depth(grid, trace, view, clear) or clear
    return view, clear


def _as_one(
    trace: _Trace, opaque: PixelView, view: PixelView, best: BoxFit
) -> tuple[PixelView, BoxFit]:
    """Take two depths that are near for one footprint, if light through the bars explains both."""
    if len(best.sources) < 2 or best.gap_um >= sum(box.width_um for box in best.boxes):
        return view, best
    begin = min(box.begin_um for box in best.boxes)
    end = max(box.end_um for box in best.boxes)
    half = (end - begin) / 2
    halves = (Box(begin + half / 2, half), Box(end - half / 2, half))
    one = fit_boxes(opaque, trace.measured, halves, absorption=limits.ABSORPTION_START)
    near = one.chi_square < best.chi_square + limits.DISTINCT * _scale(best)
    if not near or len(one.sources) > 1:
        return view, best
    return opaque.through(one.absorption or limits.ABSORPTION_START), one


def _clear(
    trace: _Trace, opaque: PixelView, fit: BoxFit, background: float | None = None
) -> BoxFit:
    """Refit with bars of finite absorption."""
    return fit_boxes(
        opaque,
        trace.measured,
        fit.boxes,
        absorption=limits.ABSORPTION_START,
        background=background,
    )


def _scale(fit: BoxFit) -> float:
    """Return chi-square per degree of freedom where it exceeds one: model error as noise."""
    return max(1.0, fit.chi_square / fit.freedom)


def _misfits(fit: BoxFit) -> bool:
    return bool(fit.chi_square > fit.freedom + limits.MISFIT * np.sqrt(2 * fit.freedom))


def _unexplained(trace: _Trace, chi_square: float) -> bool:
    """Return whether the trace varies much more than counting, and the fit does not say why."""
    size = trace.measured.size
    excess = trace.chi_square_flat - size
    explained = trace.chi_square_flat - chi_square
    return excess > limits.MISFIT * np.sqrt(2 * size) and explained < limits.EXPLAINED * excess


def _rivalled(fits: list[BoxFit], scale: float) -> bool:
    """Return whether another place on the code explains the trace about as well."""
    best = fits[0].boxes[0]
    return any(
        fit.chi_square - fits[0].chi_square < limits.DISTINCT * scale
        and abs(fit.boxes[0].centre_um - best.centre_um)
        > (fit.boxes[0].width_um + best.width_um) / 2
        for fit in fits[1:]
    )


def _second_depth(grid: _Grid, trace: _Trace, view: PixelView, single: BoxFit) -> BoxFit | None:
    """Return a fit of two boxes where the trace asks for a second one."""
    misfits = _misfits(single)
    left = trace.measured - single.expected
    candidates = _search(grid, trace, left, limits.CANDIDATES if misfits else 1)
    spread = single.chi_square * trace.level
    first = single.boxes[0]
    seconds = [
        _box(grid, candidate)
        for candidate in candidates
        if _significant(candidate.score, spread, trace.level, single.freedom)
    ]
    starts = [(first, second) for second in seconds if _crosses_edges(grid, second.centre_um)]
    if misfits:
        quarter = first.width_um / 4
        starts.append(
            (
                Box(first.centre_um - quarter, quarter),
                Box(first.centre_um + quarter, quarter),
            )
        )
    pairs = (fit_boxes(view, trace.measured, start) for start in starts)
    common = _common_misfit(grid, single, trace.level)
    good = [pair for pair in pairs if _both_matter(pair) and _gains(single, pair, common)]
    return min(good, key=lambda pair: pair.chi_square, default=None)


def _both_matter(fit: BoxFit) -> bool:
    """Return whether no box is negligible; a single one is not."""
    intensities = [box.intensity for box in fit.boxes]
    return min(intensities) > limits.SECOND_INTENSITY * max(intensities)


def _common_misfit(grid: _Grid, single: BoxFit, level: float) -> float:
    """Return what pixels with this much light from there leave over in chi-square."""
    known, box = grid.model_error, single.boxes[0]
    if known is None or not known.code_um.size:
        return 0.0
    place = grid.rays.position_um(box.centre_um, 0.0)
    variance = float(np.interp(place, known.code_um, known.variance))
    through = 0.0 if single.absorption is None else np.exp(-single.absorption)
    return float(single.freedom * variance * (box.intensity * (1.0 - through)) ** 2 / level)


def _gains(single: BoxFit, pair: BoxFit, common: float) -> bool:
    gain = single.chi_square - pair.chi_square
    return gain > limits.DETECTION * _scale(pair) + common


def _solve(grid: _Grid, trace: _Trace, view: PixelView, fit: BoxFit) -> PixelAnswer:
    """Solve the footprint on the fit's bounds, and on wider ones where the trace gains."""
    scale = _scale(fit)
    weights = view.weights(fit.expected)
    sources = fit.sources
    supports = supports_of(grid.bins, sources)
    solution = solve_footprint(view, trace.measured, weights, grid.bins, supports)
    for _ in range(limits.WIDENINGS):
        wider = widened(grid.bins, supports, solution.footprints)
        if wider == supports:
            break
        trial = solve_footprint(view, trace.measured, weights, grid.bins, wider)
        if solution.chi_square - trial.chi_square < limits.DISTINCT * scale:
            break
        supports, solution = wider, trial
    if _unexplained(trace, solution.chi_square):
        return PixelAnswer(PixelStatus.NO_MATCH, background=fit.background)
    basis = basis_of(view, grid.bins, supports)
    located = locate(basis, trace.measured, weights, grid.bins, supports, fit)
    found = [
        Found(float(centroid), float(error), source.end_um - source.begin_um, support, footprint)
        for centroid, error, source, support, footprint in zip(
            located.centroid_um, located.error_um, sources, supports, solution.footprints,
            strict=True,
        )
        if footprint.sum() > 0
    ]  # fmt: skip
    found.sort(key=lambda one: -one.footprint.sum())
    return PixelAnswer(
        PixelStatus.DECODED if found else PixelStatus.NO_MATCH,
        located.background,
        located.chi_square / fit.freedom,
        tuple(found),
    )
