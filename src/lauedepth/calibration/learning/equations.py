"""One step of an instrument: the pixels' equations, what is known beforehand, and evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import blas, lapack

from lauedepth.calibration.learning import limits
from lauedepth.calibration.learning._fit import Equations
from lauedepth.calibration.learning.instrument import Layout
from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.known import KnownAperture


@dataclass(frozen=True)
class Information:
    """What traces say of an instrument near a vector of unknowns, the pixels' own left out.

    Attributes
    ----------
    matrix : (n, n) array
        Fisher information after Schur's complement over the pixels.
    push : (n,) array
        Gradient of the log likelihood at `departures`.
    departures : (n,) array
        Where both were taken.
    """

    matrix: Floats
    push: Floats
    departures: Floats

    @property
    def target(self) -> Floats:
        """Right-hand side of the equations for the departures themselves."""
        return np.asarray(self.matrix @ self.departures + self.push)

    def with_known(self, known: KnownAperture, layout: Layout) -> Information:
        """Return it together with what other points told of the aperture."""
        matrix, push = self.matrix.copy(), self.push.copy()
        matrix[layout.aperture, layout.aperture] += known.matrix
        push[layout.aperture] += known.target - known.matrix @ self.departures[layout.aperture]
        return Information(matrix, push, self.departures)


def information_of(
    equations: list[Equations], rows: Floats, layout: Layout, departures: Floats
) -> Information:
    """Sum the equations of all pixels and take their own unknowns out (Schur's complement).

    Parameters
    ----------
    equations : list of Equations
        In a fixed order, so that sums come out the same.
    rows : (n_pixels, SIZE, n_shared + 2) array
        From `_fit.add_pixel`.
    layout : Layout
    departures : (n,) array
        Where the equations were taken.
    """
    inner = layout.size - 1
    frames = layout.frames
    diagonal, mixed, square, push = (
        np.sum([one[part] for one in equations], axis=0) for part in range(4)
    )
    matrix = np.zeros((inner, inner))
    each = np.arange(frames)
    matrix[each, each] = diagonal[0]
    matrix[frames + each, each] = diagonal[1]
    matrix[frames + each, frames + each] = diagonal[2]
    matrix[2 * frames :, :frames] = mixed[0].T
    matrix[2 * frames :, frames : 2 * frames] = mixed[1].T
    matrix[2 * frames :, 2 * frames :] = square
    flat = rows.reshape(-1, inner + 2)
    coupling = np.ascontiguousarray(flat[:, :inner])
    # the transpose of a C array is the Fortran array that BLAS wants; `lower` turns over
    matrix -= blas.dsyrk(1.0, coupling.T, trans=0, lower=1)
    push = push - coupling.T @ flat[:, inner]
    lower = np.tril(matrix)
    whole = lower + np.tril(lower, -1).T
    return Information(_spread(whole, layout), _spread_push(push, layout), departures)


def _spread_push(push: Floats, layout: Layout) -> Floats:
    """Return a gradient with an entry for the widening, a sum of the edges'."""
    return np.insert(push, layout.widening.start, layout.outward @ push[layout.edge])


def _spread(whole: Floats, layout: Layout) -> Floats:
    """Return the information with a column for the widening, a sum of the edges'."""
    inner = layout.size - 1
    keep = np.r_[0 : inner - 1, layout.size - 1]
    full = np.zeros((layout.size, layout.size))
    full[np.ix_(keep, keep)] = whole
    column = whole[:, layout.edge] @ layout.outward
    at = layout.widening.start
    full[keep, at] = full[at, keep] = column
    full[at, at] = layout.outward @ column[layout.edge]
    return full


def depth_errors(rows: Floats, scales: Floats, layout: Layout, covariance: Floats) -> Floats:
    """Return what is not known of an instrument as standard errors of the pixels' centroids.

    Parameters
    ----------
    rows : (n_pixels, SIZE, n_shared + 2) array
        From `_fit.add_pixel`.
    scales : (n_pixels,) array
        What the pixels' weights were divided by; NaN comes out where it is infinite.
    layout : Layout
    covariance : (n, n) array
        Of the instrument's unknowns.

    Returns
    -------
    (n_pixels,) array
        µm; the part that pixels far apart on the code do not share.
    """
    inner = layout.size - 1
    slopes = np.einsum("pi,pij->pj", rows[:, :, inner + 1], rows[:, :, :inner])
    slopes *= np.where(np.isfinite(scales), scales, np.nan)[:, None]
    widening = slopes[:, layout.edge] @ layout.outward
    slopes = np.insert(slopes, layout.widening.start, widening, axis=1)
    return np.asarray(np.sqrt(np.einsum("pi,pi->p", slopes @ covariance, slopes)))


@dataclass(frozen=True)
class Scales:
    """How far each part may depart (standard deviations): one number each.

    Attributes
    ----------
    position, beam, edge, widening, window : float
    step : float
        Relative error of the step, which all positions follow. Taken for independent errors of
        so many positions, a wrong step would rather be a stretched code, and depths a slope.
    """

    position: float = limits.POSITION_SCALE_UM
    beam: float = limits.BEAM_SCALE
    edge: float = limits.EDGE_SCALE_UM
    widening: float = limits.WIDENING_SCALE_UM
    window: float = limits.THICKNESS_SCALE
    step: float = limits.STEP_SCALE

    def spread_over(self, layout: Layout) -> Floats:
        """Return the standard deviation of every unknown."""
        scales = np.empty(layout.size)
        for part in PARTS:
            scales[getattr(layout, part)] = getattr(self, part)
        return scales

    def precision(self, layout: Layout) -> Floats:
        """Return the inverse covariance of all unknowns before anything is known: (n, n)."""
        matrix = np.diag(self.spread_over(layout) ** -2.0)
        follow = layout.stretch * self.step / self.position
        matrix[layout.position, layout.position] -= (
            np.outer(follow, follow) / (1.0 + follow @ follow) / self.position**2
        )
        return matrix


PARTS = ("position", "beam", "edge", "widening", "window")


@dataclass(frozen=True)
class Estimate:
    """A step's answer.

    Attributes
    ----------
    departures : (n,) array
    error : (n,) array
        Standard errors; of parts taken to be as designed, what the traces tell of them.
    covariance : (n, n) array
    scales : Scales
        By the evidence.
    departed : frozenset of str
        Parts that stand out.
    information : Information
        What the traces alone say.
    """

    departures: Floats
    error: Floats
    covariance: Floats
    scales: Scales
    departed: frozenset[str]
    information: Information


def solve(
    told: Information,
    layout: Layout,
    start: Scales | None = None,
    known: KnownAperture | None = None,
) -> Estimate:
    """Solve for an instrument, its parts' scales by the evidence.

    Parts whose spread does not stand out of its errors are held at their design; the scales
    of the others are those that explain best what is found (MacKay's fixed point).

    Parameters
    ----------
    told : Information
        By the traces.
    layout : Layout
    start : Scales, optional
        How far parts may depart before anything is known.
    known : KnownAperture, optional
        What other points told.
    """
    start = start or Scales()
    information = told if known is None else told.with_known(known, layout)
    departures, covariance = _posterior(information, layout, start)
    error = np.sqrt(np.diag(covariance))
    departed = frozenset(
        part
        for part in PARTS
        if _stands_out(
            departures,
            covariance,
            start.precision(layout),
            getattr(layout, part),
            _floor_of(part),
        )
    )
    as_designed = set(PARTS) - departed
    if "position" in as_designed:
        as_designed.add("step")
    scales = replace(start, **{part: limits.NOTHING * getattr(start, part) for part in as_designed})
    for _ in range(limits.EVIDENCE_ROUNDS if departed and known is None else 1):
        departures, covariance = _posterior(information, layout, scales)
        scales = replace(
            scales,
            **{
                part: _evident_scale(departures, covariance, scales, layout, part)
                for part in departed & {"position", "beam", "edge"}
            },
        )
    seen = np.sqrt(np.diag(covariance))
    for part in departed:
        error[getattr(layout, part)] = seen[getattr(layout, part)]
    return Estimate(departures, error, covariance, scales, departed, told)


def _posterior(information: Information, layout: Layout, scales: Scales) -> tuple[Floats, Floats]:
    """Return the mean and covariance of the departures."""
    matrix = information.matrix + scales.precision(layout)
    for mode in unknown_means(layout, (layout.position, layout.beam, layout.edge)):
        matrix += np.outer(mode, mode) / limits.HELD**2
    factor, failed = lapack.dpotrf(matrix, lower=1)
    if failed:
        raise np.linalg.LinAlgError("the equations of the instrument are singular")
    mean, _ = lapack.dpotrs(factor, information.target, lower=1)
    inverse, _ = lapack.dpotri(factor, lower=1)
    lower = np.tril(inverse)
    return np.asarray(mean), np.asarray(lower + np.tril(lower, -1).T)


def unknown_means(layout: Layout, parts: tuple[slice, ...]) -> list[Floats]:
    """Return what pixels cannot tell of parts: means, and the edges' own widening, as directions.

    Returns
    -------
    list of (n,) arrays
    """
    modes = []
    for part in parts:
        mode = np.zeros(layout.size)
        mode[part] = 1.0 / (part.stop - part.start)
        modes.append(mode)
    if layout.edge in parts:
        mode = np.zeros(layout.size)
        mode[layout.edge] = layout.outward / layout.edges
        modes.append(mode)
    return modes


def _stands_out(
    departures: Floats, covariance: Floats, precision: Floats, part: slice, floor: float
) -> bool:
    """Return whether a part's departures exceed what an instrument as designed would show.

    Such a one's estimates scatter with V N V, V the covariance and N the information.
    """
    across = covariance[part]
    scatter = covariance[part, part] - across @ precision @ across.T
    scatter[np.diag_indices_from(scatter)] += floor**2
    square = float(departures[part] @ departures[part])
    excess = square - float(np.trace(scatter))
    return excess > limits.SIGNIFICANT * float(np.sqrt(2 * (scatter**2).sum()))


def _floor_of(part: str) -> float:
    """Return the systematic error of a part, which no number of pixels makes smaller."""
    return {"widening": limits.WIDENING_FLOOR_UM, "window": limits.THICKNESS_FLOOR}.get(part, 0.0)


def _evident_scale(
    departures: Floats, covariance: Floats, scales: Scales, layout: Layout, part: str
) -> float:
    """Return the scale that explains the departures of a part best (MacKay)."""
    where = getattr(layout, part)
    found = departures[where]
    spread = float(getattr(scales, part))
    told = found.size - float(np.trace(covariance[where, where])) / spread**2
    if part == "position":  # what follows a wrong step has a scale of its own
        stretch = layout.stretch / np.linalg.norm(layout.stretch)
        found = found - stretch * (stretch @ found)
        told -= 1.0
    return float(np.sqrt(max(found @ found / max(told, 1.0), (1e-3 * spread) ** 2)))
