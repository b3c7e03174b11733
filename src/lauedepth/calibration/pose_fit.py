"""Least squares for the pose: what the data determine is fitted, the rest is held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import chi2

from lauedepth.calibration.parameters import Parameter, State, apply_changes
from lauedepth.calibration.positions import MeasuredTraces, Scan, frames_from_middle, middle_frame
from lauedepth.calibration.shared_errors import (
    pulls_of_edges,
    shared_drift,
    shared_jitter,
    variances,
)
from lauedepth.calibration.trace_fit import Shape
from lauedepth.core.arrays import Flags, Floats
from lauedepth.core.instrument.geometry import pose_matrix
from lauedepth.core.instrument.raymap import RayMap

HELD_PART: Final = 0.3
"""A direction is held where its error would exceed this fraction of how far off a start may be."""
HOLDING_ROUNDS: Final = 8
CLIP_ROUNDS: Final = 20
CLIP_SIGMA: Final = 5.0
DIFFERENCE: Final = 1e-5
"""Step of numerical slopes, as a fraction of the parameters' scales."""
NAMED_PART: Final = 0.1
"""Components of a direction at least this large are named."""
SLIDING: Final = "sliding along the bars"
"""What no scan can determine, and no depth depends on."""
SLIDING_PART: Final = 0.99


@dataclass(frozen=True)
class Held:
    """A direction that the data do not determine.

    Attributes
    ----------
    direction : mapping of str to float
        Change of each parameter along it, in the parameters' own units.
    name : str
        In words.
    """

    direction: dict[str, float]
    name: str


@dataclass(frozen=True)
class FittedParameter:
    """One parameter of a fit.

    Attributes
    ----------
    name : str
        Ends in its unit.
    start, value, error : float
        Before and after the fit; its standard error.
    determined : bool
        False where the data do not determine it, and it is held.
    """

    name: str
    start: float
    value: float
    error: float
    determined: bool


@dataclass(frozen=True)
class PoseFit:
    """Parameters that fit the measured positions best.

    Attributes
    ----------
    state : State
    names : tuple of str
    values, errors : (n,) arrays
        Fitted values and their standard errors; directions that are held add nothing to them.
    start : (n,) array
        Values before.
    covariance : (n, n) array
        Of the fitted directions: counting noise, scaled to the scatter where that is larger, and
        what pixels share: jitter, drift and the edges of the bars.
    singular_values : (n,) array
        Of the weighted slopes, parameters in units of their scales: the inverse of each is
        the error of a combination of parameters.
    directions : (n, n) array
        Those combinations, one per row.
    determined : (n,) bool array
        False for parameters that lie mostly along directions that are held: their errors are
        those of the small part that is fitted.
    held : tuple of Held
    used : tuple of (n_pixels,) bool arrays
        Pixels of each scan that were fitted.
    pulls : tuple of (n_pixels, n_measured) arrays
        (MeasuredTraces - fitted) / error of each position, advance ... before any scaling.
    reduced_chi_square : float
    freedom : int
    """

    state: State
    names: tuple[str, ...]
    values: Floats
    errors: Floats
    start: Floats
    covariance: Floats
    singular_values: Floats
    directions: Floats
    determined: Flags
    held: tuple[Held, ...]
    used: tuple[Flags, ...]
    pulls: tuple[Floats, ...]
    reduced_chi_square: float
    freedom: int

    @property
    def parameters(self) -> tuple[FittedParameter, ...]:
        """The parameters one by one."""
        columns = (self.names, self.start, self.values, self.errors, self.determined)
        return tuple(
            FittedParameter(name, float(start), float(value), float(error), bool(determined))
            for name, start, value, error, determined in zip(*columns, strict=True)
        )

    @property
    def pixels(self) -> int:
        """Number of pixels that were fitted."""
        return sum(int(mask.sum()) for mask in self.used)

    @property
    def correlation(self) -> Floats:
        """Correlations of the fitted values; 0 with those that are held altogether."""
        error = np.where(self.errors > 0, self.errors, 1.0)
        return np.asarray(self.covariance / np.outer(error, error))


@dataclass(frozen=True)
class Problem:
    """MeasuredTraces positions against the exact geometry.

    Attributes
    ----------
    start : State
    parameters : tuple of Parameter
    scans : tuple of Scan
    measured : tuple of MeasuredTraces
    shapes : tuple of {"window", "widening"}
        What was measured besides positions and advances.
    """

    start: State
    parameters: tuple[Parameter, ...]
    scans: tuple[Scan, ...]
    measured: tuple[MeasuredTraces, ...]
    shapes: tuple[Shape, ...] = ()

    @property
    def scales(self) -> Floats:
        """How far off each parameter may be at the start."""
        return np.array([parameter.scale for parameter in self.parameters])

    def state(self, changes: Floats) -> State:
        """Return the state after changes of the parameters."""
        return apply_changes(self.start, self.parameters, changes)

    def pulls(self, state: State, number: int) -> Floats:
        """Return what is left of a scan's measurements in units of their errors.

        Correlations are taken out: the squares of a row sum up to its chi-square.
        """
        scan, measured = self.scans[number], self.measured[number]
        left = measured.values - predicted(state, scan, self.shapes, number)
        whole = np.full(left.shape, np.nan)
        ok = measured.found
        factor = np.linalg.cholesky(measured.covariance[ok])
        whole[ok] = np.linalg.solve(factor, left[ok][..., None])[..., 0]
        return whole


def predicted(state: State, scan: Scan, shapes: tuple[Shape, ...] = (), number: int = 0) -> Floats:
    """Return what the exact geometry gives: (n_pixels, 2 + n_shapes), columns as measured.

    Parameters
    ----------
    state : State
    scan : Scan
    shapes : tuple of {"window", "widening"}
    number : int
        Of the scan among those that are fitted: 0 for the first.
    """
    experiment = scan.experiment(state.displaced(number))
    rays = RayMap.of(experiment, scan.row, scan.column)
    depth_um = state.depths_um(scan.row, scan.column)
    columns = [
        rays.position_um(depth_um, middle_frame(experiment.frames)),
        rays.advance_um(depth_um),
    ]
    for shape in shapes:
        if shape == "window":
            columns.append(rays.window_um(depth_um))
        else:
            columns.append(np.full(len(scan), experiment.aperture.widening_um))
    return np.stack(columns, axis=1)


def fit_pose(problem: Problem, used: Sequence[Flags]) -> PoseFit:
    """Fit, leaving out pixels that do not agree with the others.

    Parameters
    ----------
    problem : Problem
    used : sequence of (n_pixels,) bool arrays
        Pixels of each scan to begin with.
    """
    masks = [np.array(mask) for mask in used]
    changes = _solve(problem, masks, np.zeros(len(problem.parameters)), "soft_l1")
    for _ in range(CLIP_ROUNDS):
        kept = _agreeing(problem, masks, changes)
        settled = all(np.array_equal(a, b) for a, b in zip(kept, masks, strict=True))
        masks = kept
        changes = _solve(problem, masks, changes, "linear")
        if settled:
            break
    return evaluate(problem, masks, changes)


def slopes(problem: Problem, used: Sequence[Flags], changes: Floats) -> Floats:
    """Return slopes of all pulls by the parameters in units of their scales (central)."""

    def residual(part: Floats) -> Floats:
        return _residuals(problem, used, part)

    return slopes_of(residual, changes, problem.scales)


def slopes_of(residual: Callable[[Floats], Floats], changes: Floats, scales: Floats) -> Floats:
    """Return the slopes of a function by parameters in units of their scales (central)."""
    columns = [
        (residual(changes + step * scales) - residual(changes - step * scales)) / (2 * DIFFERENCE)
        for step in DIFFERENCE * np.eye(scales.size)
    ]
    return np.stack(columns, axis=1)


def _residuals(problem: Problem, used: Sequence[Flags], changes: Floats) -> Floats:
    state = problem.state(changes)
    return np.concatenate(
        [problem.pulls(state, number)[mask].ravel() for number, mask in enumerate(used)]
    )


def _solve(
    problem: Problem,
    used: Sequence[Flags],
    changes: Floats,
    loss: Literal["linear", "soft_l1"],
) -> Floats:
    """Minimise within the directions that the data determine, as they are at the solution."""
    scales = problem.scales
    for _ in range(HOLDING_ROUNDS):
        _, sizes, rows = np.linalg.svd(slopes(problem, used, changes), full_matrices=False)
        kept = sizes > 1 / HELD_PART
        if not kept.any():
            return np.zeros_like(changes)
        basis = scales[:, None] * rows[kept].T
        before = changes

        def residual(part: Floats, basis: Floats = basis) -> Floats:
            return _residuals(problem, used, basis @ part)

        found = least_squares(
            residual,
            rows[kept] @ (changes / scales),
            jac="2-point",
            x_scale=1 / sizes[kept],
            loss=loss,
            xtol=1e-12,
            ftol=1e-12,
        )
        changes = basis @ found.x
        if np.all(np.abs(rows[kept] @ ((changes - before) / scales)) * sizes[kept] < 1e-2):
            break
    return changes


def _agreeing(problem: Problem, used: Sequence[Flags], changes: Floats) -> list[Flags]:
    """Return the pixels whose pulls are not much larger than those of the others."""
    state = problem.state(changes)
    squares = [(problem.pulls(state, number) ** 2).sum(axis=1) for number in range(len(used))]
    size = 2 + len(problem.shapes)
    typical = np.median(np.concatenate([s[m] for s, m in zip(squares, used, strict=True)]))
    scale = max(1.0, float(typical / chi2.median(size)))
    limit = scale * chi2.isf(chi2.sf(CLIP_SIGMA**2, 1), size)
    with np.errstate(invalid="ignore"):
        return [np.asarray(square < limit) for square in squares]


def evaluate(problem: Problem, used: Sequence[Flags], changes: Floats) -> PoseFit:
    """Return errors, correlations and what is held, for given changes from the start."""
    scales = problem.scales
    names = tuple(parameter.name for parameter in problem.parameters)
    left, sizes, rows = np.linalg.svd(slopes(problem, used, changes), full_matrices=False)
    kept = sizes > 1 / HELD_PART
    residuals = _residuals(problem, used, changes)
    freedom = max(residuals.size - int(kept.sum()), 1)
    chi_square = float(residuals @ residuals)
    root = scales[:, None] * rows[kept].T / sizes[kept]
    state = problem.state(changes)
    covariance = root @ _spread(problem, used, state, residuals, left[:, kept]) @ root.T
    start = np.array([parameter.get(problem.start) for parameter in problem.parameters])
    return PoseFit(
        state=state,
        names=names,
        values=start + changes,
        errors=np.sqrt(np.diag(covariance)),
        start=start,
        covariance=covariance,
        singular_values=sizes,
        directions=rows,
        determined=(rows[kept] ** 2).sum(axis=0) > 0.5,
        held=_held(state, names, scales, rows[~kept]),
        used=tuple(used),
        pulls=tuple(problem.pulls(state, number) for number in range(len(used))),
        reduced_chi_square=chi_square / freedom,
        freedom=freedom,
    )


def _spread(
    problem: Problem, used: Sequence[Flags], state: State, residuals: Floats, fitted: Floats
) -> Floats:
    """Return the covariance of the fitted combinations of pulls: (n_fitted, n_fitted).

    Noise of each pixel is at least as expected; jitter and edges are what pixels share.
    """
    reaches = [
        float(frames_from_middle(scan.experiment(state.experiment)).max()) for scan in problem.scans
    ]
    edges = pulls_of_edges(state.experiment.aperture.length_um, problem.measured, used, reaches)
    white, edge = variances(residuals, fitted, edges)
    together = fitted.T @ edges.reshape(len(residuals), -1)
    own = np.eye(fitted.shape[1]) + shared_jitter(problem.measured, used, fitted)
    drift = shared_drift(problem.measured, used, reaches, fitted)
    return np.asarray(max(1.0, white) * own + edge * together @ together.T + drift)


def _held(state: State, names: tuple[str, ...], scales: Floats, rows: Floats) -> tuple[Held, ...]:
    """Name the directions that are held, (n_held, n); sliding along the bars apart from others."""
    slides = _slides(state, names, scales)
    inside = slides @ rows.T @ rows
    inside = inside[np.linalg.norm(inside, axis=1) > SLIDING_PART]
    if not len(inside):
        return tuple(_named(names, scales, row) for row in rows)
    units = np.linalg.qr(inside.T)[0].T
    others = np.linalg.svd(rows - rows @ units.T @ units, full_matrices=False)[2]
    others = others[: len(rows) - len(units)]
    slide = Held(_components(names, scales, inside[0]), SLIDING)
    return (slide, *(_named(names, scales, row) for row in others))


def _slides(state: State, names: tuple[str, ...], scales: Floats) -> Floats:
    """Return unit directions in which the aperture slides along its bars, one per row.

    In all scans, or in one of the later ones alone.
    """
    bars = pose_matrix(state.experiment.pose)[:, 2]
    groups = [("cenx_mm", "dist_mm", "cenz_mm")]
    for number in range(2, len(state.displacements_mm) + 1):
        x, y, z = (f"displacement_{number}_{axis}_mm" for axis in "xyz")
        groups.append((x, y, z))
    along = [dict(zip(group, bars, strict=True)) for group in groups]
    slides = np.array([[one.get(name, 0.0) for name in names] for one in along]) / scales
    lengths = np.linalg.norm(slides, axis=1)
    return np.asarray(slides[lengths > 0] / lengths[lengths > 0, None])


def _components(names: tuple[str, ...], scales: Floats, row: Floats) -> dict[str, float]:
    """Return a direction in the parameters' units, at most as large as their scales."""
    change = scales * row / row[np.argmax(np.abs(row))]
    return {name: float(part) for name, part in zip(names, change, strict=True)}


def _named(names: tuple[str, ...], scales: Floats, row: Floats) -> Held:
    direction = _components(names, scales, row)
    large = np.abs(row) > NAMED_PART * np.abs(row).max()
    involved = [name for name, is_large in zip(names, large, strict=True) if is_large]
    if len(involved) == 1:
        return Held(direction, involved[0])
    return Held(direction, " ".join(f"{direction[name]:+.2g} {name}" for name in involved))
