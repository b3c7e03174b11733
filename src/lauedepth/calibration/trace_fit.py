"""One trace: where on the code it lies at the middle frame, and how far it moves per frame.

The model needs no pose. A source of small extent seen through the aperture gives

    counts_k = (1 + drift kappa_k) (intensity T(u_k) + background),   u_k = u + p (k - middle),

T being the thick aperture's shadow averaged over the source's extent along the code, and
kappa running from -1 to 1 over the scan. The position u and the advance p move edges; what
shapes them (extent, absorption, window, widening) acts alike on both sides of a bar, so that
errors there hardly touch u and p.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding import limits
from lauedepth.core.instrument.aperture import BarTable
from lauedepth.core.instrument.experiment import Aperture
from lauedepth.core.instrument.shadow import Shadow

Shape = Literal["window", "widening"]

POSITION, ADVANCE, EXTENT, INTENSITY, BACKGROUND, DRIFT, ABSORPTION, WINDOW, WIDENING = range(9)
ALWAYS_FREE: Final = (POSITION, ADVANCE, EXTENT, INTENSITY, BACKGROUND, DRIFT)
SHAPES: Final[dict[Shape, int]] = {"window": WINDOW, "widening": WIDENING}

POSITION_REACH_UM: Final = 12.0
"""How far a fit may move from where the search put it."""
ADVANCE_REACH: Final = 0.06
"""The same for the advance, as a fraction of it."""
MINIMUM_EXTENT_UM: Final = 0.2
MAXIMUM_EXTENT_UM: Final = 150.0
DIFFERENCE_UM: Final = 1e-3
DIFFERENCE_LOG: Final = 1e-3
NOISE_SIGMA: Final = 2.0
"""Chi-square this many of its standard deviations above its expectation is no accident."""
WEIGHTINGS: Final = 2
"""How often the weights are computed from the model."""


@dataclass(frozen=True)
class TraceFit:
    """What a fit of one trace gives.

    Attributes
    ----------
    values : (2 + n_shapes,) array
        Position on the code at the middle frame and advance per frame number, µm; then the
        window and widening, µm, where they were asked for.
    covariance : (2 + n_shapes, 2 + n_shapes) array
        Of counting alone, from the Fisher information.
    extent_um : float
        Extent of the source along the code.
    theta : (9,) array
        All parameters, to start another fit from.
    opaque : bool
        Whether bars that stop everything explain the trace better than absorbing ones.
    chi_square, freedom : float, int
    influence : (2 + n_shapes, n_frames) array
        How much a displacement of the aperture in one frame changes each value, per µm.
    push, firmness : (n_frames,) arrays
        Slope of the log-likelihood by a displacement in each frame, and the information on it.
    """

    values: Floats
    covariance: Floats
    extent_um: float
    theta: Floats
    opaque: bool
    chi_square: float
    freedom: int
    influence: Floats
    push: Floats
    firmness: Floats


@dataclass(frozen=True)
class TraceModel:
    """The model of a trace, for one aperture and set of frames.

    Attributes
    ----------
    aperture : Aperture
    frames : (n_frames,) array
        Frame numbers counted from the middle.
    opaque : bool
        T = 1 - B, or T = exp(-x B).
    free : tuple of int
        Indices of the parameters that are fitted.
    """

    aperture: Aperture
    frames: Floats
    opaque: bool
    free: tuple[int, ...]

    @cached_property
    def _bars(self) -> BarTable:
        return BarTable.of(self.aperture)

    def expected(self, theta: Floats) -> tuple[Floats, Floats]:
        """Return the counts (n_frames,) and their slopes (n_frames, n_free)."""
        shadow = self.shadow(theta)
        shape, by_position, by_extent = _seen(shadow, theta, self.frames)
        kappa = self._kappa()
        gain = 1.0 + theta[DRIFT] * kappa
        light = theta[INTENSITY] * shape + theta[BACKGROUND]
        lit = gain * theta[INTENSITY]
        slopes = {
            POSITION: lit * by_position,
            ADVANCE: lit * by_position * self.frames,
            EXTENT: lit * by_extent,
            INTENSITY: gain * shape,
            BACKGROUND: gain,
            DRIFT: kappa * light,
        }
        for index in set(self.free) - set(slopes):
            slopes[index] = lit * self._shape_slope(theta, shape, index)
        return gain * light, np.stack([slopes[index] for index in self.free], axis=1)

    def _kappa(self) -> Floats:
        return self.frames / max(float(np.abs(self.frames).max()), 1.0)

    def shadow(self, theta: Floats) -> Shadow:
        """Return the shadow that parameters give."""
        bars = self._bars
        if theta[WIDENING] != self.aperture.widening_um:
            aperture = replace(self.aperture, widening_um=float(theta[WIDENING]))
            bars = BarTable.of(aperture)
        absorption = None if self.opaque else float(np.exp(theta[ABSORPTION]))
        return Shadow.of(bars, float(theta[WINDOW]), absorption)

    def _shape_slope(self, theta: Floats, shape: Floats, index: int) -> Floats:
        step = DIFFERENCE_LOG if index == ABSORPTION else DIFFERENCE_UM
        other = theta.copy()
        other[index] += step
        return (_seen(self.shadow(other), other, self.frames)[0] - shape) / step


def _seen(shadow: Shadow, theta: Floats, frames: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the shadow averaged over the source, and its slopes by position and extent."""
    centre = theta[POSITION] + theta[ADVANCE] * frames
    extent = theta[EXTENT]
    left, right = shadow.at(centre - extent / 2), shadow.at(centre + extent / 2)
    mean = (shadow.integral(centre + extent / 2) - shadow.integral(centre - extent / 2)) / extent
    return mean, (right - left) / extent, ((left + right) / 2 - mean) / extent


def start_theta(
    position_um: float, advance_um: float, extent_um: float, window_um: float, widening_um: float
) -> Floats:
    """Return parameters to start from; intensity and background follow in the fit."""
    theta = np.zeros(9)
    theta[[POSITION, ADVANCE]] = position_um, advance_um
    theta[EXTENT] = np.clip(extent_um, 2 * MINIMUM_EXTENT_UM, MAXIMUM_EXTENT_UM / 2)
    theta[ABSORPTION] = np.log(limits.ABSORPTION_START)
    theta[[WINDOW, WIDENING]] = window_um, widening_um
    return theta


def fit_trace(
    aperture: Aperture,
    frames: Floats,
    counts: Floats,
    start: Floats,
    shapes: tuple[Shape, ...] = (),
    *,
    opaque: bool = True,
) -> TraceFit:
    """Fit a trace through bars that stop everything, or absorbing ones.

    Parameters
    ----------
    aperture : Aperture
    frames : (n_frames,) array
        Frame numbers counted from the scan's middle.
    counts : (n_frames,) array
    start : (9,) array
        See `start_theta`.
    shapes : tuple of {"window", "widening"}
        What else to fit.
    opaque : bool
    """
    extra = tuple(SHAPES[name] for name in shapes)
    free = ALWAYS_FREE if opaque else (*ALWAYS_FREE, ABSORPTION)
    return _fit(TraceModel(aperture, frames, opaque, free + extra), counts, start, extra)


class _Weighted:
    """Residuals of the free parameters, weighted by the counting errors of the start."""

    def __init__(
        self, model: TraceModel, counts: Floats, theta: Floats, free: npt.NDArray[np.int64]
    ) -> None:
        self._model, self._counts, self._theta, self._free = model, counts, theta, free
        self._root = 1.0 / np.sqrt(np.maximum(model.expected(theta)[0], 1.0))
        self._last: tuple[Floats, Floats, Floats] | None = None

    def whole(self, part: Floats) -> Floats:
        full = self._theta.copy()
        full[self._free] = part
        return full

    def residual(self, part: Floats) -> Floats:
        return np.asarray((self._expected(part)[0] - self._counts) * self._root)

    def slopes(self, part: Floats) -> Floats:
        return np.asarray(self._expected(part)[1] * self._root[:, None])

    def _expected(self, part: Floats) -> tuple[Floats, Floats]:
        """Return the model; the solver asks for residual and slopes at the same place."""
        if self._last is None or not np.array_equal(self._last[0], part):
            self._last = (part.copy(), *self._model.expected(self.whole(part)))
        return self._last[1:]


def _fit(model: TraceModel, counts: Floats, start: Floats, extra: tuple[int, ...]) -> TraceFit:
    theta = _with_heights(model, counts, start)
    free = np.array(model.free)
    low, high = _bounds(theta, counts)
    theta = np.clip(theta, low, high)
    typical = _typical(theta)
    for _ in range(WEIGHTINGS):
        weighted = _Weighted(model, counts, theta, free)
        found = least_squares(
            weighted.residual,
            theta[free],
            jac=weighted.slopes,
            bounds=(low[free], high[free]),
            x_scale=typical[free],
            xtol=1e-9,
            ftol=1e-9,
            max_nfev=60,
        )
        theta = weighted.whole(found.x)
    return _result(model, counts, theta, (low, high), extra)


def _with_heights(model: TraceModel, counts: Floats, theta: Floats) -> Floats:
    """Return parameters with the intensity and background that fit best."""
    shape = _seen(model.shadow(theta), theta, model.frames)[0]
    basis = np.stack([shape, np.ones_like(shape)], axis=1)
    intensity, background = np.linalg.lstsq(basis, counts, rcond=None)[0]
    level = max(float(counts.mean()), 1e-3)
    full = theta.copy()
    full[INTENSITY] = max(intensity, 0.05 * level)
    full[BACKGROUND] = max(background, 1e-3 * level)
    return full


def _bounds(theta: Floats, counts: Floats) -> tuple[Floats, Floats]:
    reach = np.zeros(9)
    reach[POSITION] = POSITION_REACH_UM + theta[EXTENT]
    reach[ADVANCE] = ADVANCE_REACH * abs(theta[ADVANCE])
    low, high = theta - reach, theta + reach
    top = 20.0 * max(float(counts.max()), 1.0)
    low[EXTENT], high[EXTENT] = MINIMUM_EXTENT_UM, MAXIMUM_EXTENT_UM
    low[[INTENSITY, BACKGROUND]], high[[INTENSITY, BACKGROUND]] = 0.0, top
    low[DRIFT], high[DRIFT] = -0.9, 0.9
    low[ABSORPTION], high[ABSORPTION] = np.log(limits.ABSORPTION_RANGE)
    low[WINDOW], high[WINDOW] = 0.05 * theta[WINDOW], 5.0 * theta[WINDOW] + 1.0
    low[WIDENING], high[WIDENING] = theta[WIDENING] - 4.0, theta[WIDENING] + 4.0
    return low, high


def _typical(theta: Floats) -> Floats:
    typical = np.ones(9)
    typical[ADVANCE] = 1e-2 * abs(theta[ADVANCE])
    typical[[INTENSITY, BACKGROUND]] = max(0.1 * theta[INTENSITY], 1.0)
    typical[[DRIFT, ABSORPTION]] = 0.1, 0.5
    return typical


def extra_noise(chi_square: float, freedom: int) -> float:
    """Return by how much variances exceed counting statistics: 1 unless it stands out."""
    stands_out = chi_square > freedom + NOISE_SIGMA * np.sqrt(2 * freedom)
    return chi_square / freedom if stands_out else 1.0


def expected_covariance(
    aperture: Aperture,
    frames: Floats,
    *,
    position_um: float,
    advance_um: float,
    extent_um: float,
    window_um: float,
    intensity: float,
    background: float,
    shapes: tuple[Shape, ...] = (),
) -> Floats:
    """Return the covariance that a fit of such a trace would have."""
    extra = tuple(SHAPES[name] for name in shapes)
    model = TraceModel(aperture, frames, opaque=False, free=(*ALWAYS_FREE, ABSORPTION, *extra))
    theta = start_theta(position_um, advance_um, extent_um, window_um, aperture.widening_um)
    theta[[EXTENT, INTENSITY, BACKGROUND]] = extent_um, intensity, background
    counts = model.expected(theta)[0]
    return _result(model, counts, theta, _bounds(theta, counts), extra).covariance


def _result(
    model: TraceModel,
    counts: Floats,
    theta: Floats,
    bounds: tuple[Floats, Floats],
    extra: tuple[int, ...],
) -> TraceFit:
    """Work out the errors; parameters at a bound count as known."""
    expected, slopes = model.expected(theta)
    weights = 1.0 / np.maximum(expected, 1.0)
    free = np.array(model.free)
    low, high = bounds
    typical = _typical(theta)
    inside = (theta[free] - low[free] > 1e-6 * typical[free]) & (
        high[free] - theta[free] > 1e-6 * typical[free]
    )
    scaled = slopes[:, inside] * typical[free][inside]
    inverse = np.linalg.pinv(scaled.T @ (weights[:, None] * scaled), hermitian=True)
    wide = np.zeros((9, 9))
    kept = free[inside]
    wide[np.ix_(kept, kept)] = inverse * np.outer(typical[kept], typical[kept])
    by_place = weights * slopes[:, np.flatnonzero(free == POSITION)[0]]
    influence = np.zeros((9, counts.size))
    influence[kept] = typical[kept, None] * (inverse @ (scaled.T * by_place))
    chi_square = float(weights @ (counts - expected) ** 2)
    freedom = counts.size - free.size
    asked = np.array([POSITION, ADVANCE, *extra])
    return TraceFit(
        theta[asked],
        wide[np.ix_(asked, asked)],
        float(theta[EXTENT]),
        theta,
        model.opaque,
        chi_square,
        freedom,
        influence[asked],
        by_place * (counts - expected),
        by_place**2 / weights,
    )
