"""The bounds of a footprint: boxes of even light, fitted to a trace.

A source spread evenly over a stretch of depth (a box) has four parameters and a closed form;
fitted by Fisher scoring it reaches the counting statistics' limit. What lies within the
bounds is solved in bins afterwards (`footprint_bins`), so that it may take any shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.limits import (
    ABSORPTION_RANGE,
    BOX_KNOWN,
    CONVERGED,
    DAMPING_RETRY,
    DAMPING_START,
    FIT_ROUNDS,
    LEAST_GAP_UM,
    LEAST_WIDTH_UM,
    LOG_STEP,
    REACH_UM,
    TINY,
)
from lauedepth.core.instrument.pixel_view import PixelView


@dataclass(frozen=True)
class Box:
    """A source spread evenly over depth: centre and full width in µm, intensity in counts."""

    centre_um: float
    width_um: float
    intensity: float = 0.0

    @property
    def begin_um(self) -> float:
        """Where it begins."""
        return self.centre_um - self.width_um / 2

    @property
    def end_um(self) -> float:
        """Where it ends."""
        return self.centre_um + self.width_um / 2


@dataclass(frozen=True)
class Source:
    """A stretch of depth that light comes from: a box, or two that touch.

    Attributes
    ----------
    begin_um, end_um : float
    centroid_um, error_um : float
        Its centroid as that of even light, and that one's standard error.
    intensity : float
        Counts per frame.
    """

    begin_um: float
    end_um: float
    centroid_um: float
    error_um: float
    intensity: float


@dataclass(frozen=True)
class BoxFit:
    """One or two boxes on a constant background, fitted to a trace.

    Attributes
    ----------
    boxes : tuple of Box
    background : float
        Counts per frame.
    absorption : float or None
        x = mu x path through a whole bar, where it was fitted.
    absorption_error : float
        Its relative standard error, NaN where it was not fitted.
    expected : (n_frames,) array
        The model.
    chi_square : float
        Sum of (counts - model)²/model.
    centre_error_um : (n_boxes,) array
        Standard errors of the centres, from the Fisher information.
    centroid_error_um : float
        Standard error of the centroid of all boxes together.
    freedom : int
        Degrees of freedom.
    log_narrowing : float
        Logarithm of how much less is possible for the boxes, squared, than before the trace was
        seen: ln det(I + Q F), F the Fisher information of centres, widths and intensities and Q
        their variances by `limits.BOX_KNOWN`.
    """

    boxes: tuple[Box, ...]
    background: float
    absorption: float | None
    absorption_error: float
    expected: Floats
    chi_square: float
    centre_error_um: Floats
    centroid_error_um: float
    freedom: int
    log_narrowing: float

    @property
    def gap_um(self) -> float:
        """The stretch of depth between two boxes, negative where they overlap."""
        low, high = sorted(self.boxes, key=lambda box: box.centre_um)
        return high.begin_um - low.end_um

    @property
    def sources(self) -> tuple[Source, ...]:
        """The stretches of depth that light comes from; boxes that touch are one."""
        spans = [
            Source(box.begin_um, box.end_um, box.centre_um, float(error), box.intensity)
            for box, error in zip(self.boxes, self.centre_error_um, strict=True)
        ]
        if len(spans) == 1 or self.gap_um >= LEAST_GAP_UM:
            return tuple(spans)
        total = sum(box.intensity for box in self.boxes)
        centroid = sum(box.intensity * box.centre_um for box in self.boxes) / total
        begin = min(span.begin_um for span in spans)
        end = max(span.end_um for span in spans)
        return (Source(begin, end, centroid, self.centroid_error_um, total),)


@dataclass(frozen=True)
class _Problem:
    """Parameters: (centre, width, intensity) of each box, background, log of absorption."""

    view: PixelView
    start: Floats
    low: Floats
    high: Floats
    boxes: int

    @property
    def free(self) -> npt.NDArray[np.bool_]:
        return self.high > self.low

    def model(self, theta: Floats) -> tuple[Floats, Floats]:
        """Return the expected trace and its derivatives by every parameter."""
        view, shifted = self.view, None
        if theta.size > 3 * self.boxes + 1:
            view = self.view.through(float(np.exp(theta[-1])))
            shifted = self.view.through(float(np.exp(theta[-1] + LOG_STEP)))
        slopes = np.ones((view.frames.size, theta.size))
        expected = np.full(view.frames.size, theta[3 * self.boxes])
        by_absorption = np.zeros_like(expected)
        for number, (centre, width, intensity) in enumerate(theta[: 3 * self.boxes].reshape(-1, 3)):
            begin, end = centre - width / 2, centre + width / 2
            mean = view.mean_open_fraction(begin, end)
            first, last = view.open_fraction(begin), view.open_fraction(end)
            expected = expected + intensity * mean
            slopes[:, 3 * number] = intensity * (last - first) / width
            slopes[:, 3 * number + 1] = intensity * ((first + last) / 2 - mean) / width
            slopes[:, 3 * number + 2] = mean
            if shifted is not None:
                by_absorption += intensity * (shifted.mean_open_fraction(begin, end) - mean)
        if shifted is not None:
            slopes[:, -1] = by_absorption / LOG_STEP
        return expected, slopes


def fit_boxes(
    view: PixelView,
    counts: Floats,
    start: tuple[Box, ...],
    *,
    absorption: float | None = None,
    background: float | None = None,
) -> BoxFit:
    """Fit boxes and a background to a trace by Fisher scoring of the Poisson likelihood.

    Parameters
    ----------
    view : PixelView
    counts : (n_frames,) array
    start : tuple of Box
        Where to begin; the intensities need no start. Centres stay within a width and 4 µm
        of where they began.
    absorption : float, optional
        Fit the bars' absorption too, from this value on; else the bars are the view's own.
    background : float, optional
        Counts per frame that do not pass the aperture, where they are known.
    """
    from scipy.linalg import solve  # noqa: PLC0415  (slow)

    problem = _pose(view, counts, start, absorption, background)
    theta, free = problem.start, problem.free
    expected, slopes = problem.model(theta)
    damping = DAMPING_START
    for _ in range(FIT_ROUNDS):
        weights = view.weights(expected)
        normal = _normal_matrix(slopes[:, free], weights)
        normal[np.diag_indices_from(normal)] *= 1.0 + damping
        push = slopes[:, free].T @ (weights * (counts - expected))
        step = solve(normal, push, assume_a="pos")
        if step @ push < CONVERGED:
            break
        trial = theta.copy()
        trial[free] += step
        trial = np.clip(trial, problem.low, problem.high)
        trial_expected, trial_slopes = problem.model(trial)
        before = weights @ (counts - expected) ** 2
        after = weights @ (counts - trial_expected) ** 2
        if after > before:
            damping = max(10.0 * damping, DAMPING_RETRY)
            continue
        theta, expected, slopes = trial, trial_expected, trial_slopes
        damping *= 0.1
    return _finish(problem, counts, theta, expected, slopes)


def _normal_matrix(slopes: Floats, weights: Floats) -> Floats:
    normal = slopes.T @ (weights[:, None] * slopes)
    normal[np.diag_indices_from(normal)] += TINY
    return np.asarray(normal)


def _pose(
    view: PixelView,
    counts: Floats,
    start: tuple[Box, ...],
    absorption: float | None,
    background: float | None,
) -> _Problem:
    """Set up the parameters: intensities and background are fitted to the shapes given."""
    from scipy.optimize import nnls  # noqa: PLC0415  (slow)

    seen = view if absorption is None else view.through(absorption)
    columns = [seen.mean_open_fraction(box.begin_um, box.end_um) for box in start]
    basis = np.stack([*columns, np.ones_like(counts)], axis=1)
    root = np.sqrt(view.beam)
    heights, _ = nnls(basis * root[:, None], counts * root)
    theta, low, high = [], [], []
    for box, height in zip(start, heights[:-1], strict=True):
        reach = box.width_um + REACH_UM
        minimum = max(height, 1e-3 * counts.mean())
        theta += [box.centre_um, max(box.width_um, LEAST_WIDTH_UM), minimum]
        low += [box.centre_um - reach, LEAST_WIDTH_UM, 0.0]
        high += [box.centre_um + reach, 3.0 * reach, np.inf]
    theta += [heights[-1] if background is None else background]
    low += [0.0 if background is None else background]
    high += [np.inf if background is None else background]
    if absorption is not None:
        theta += [np.log(absorption)]
        low += [np.log(ABSORPTION_RANGE[0])]
        high += [np.log(ABSORPTION_RANGE[1])]
    return _Problem(view, np.array(theta), np.array(low), np.array(high), len(start))


def _finish(
    problem: _Problem, counts: Floats, theta: Floats, expected: Floats, slopes: Floats
) -> BoxFit:
    weights, free = problem.view.weights(expected), problem.free
    variance = np.zeros(theta.size)
    covariance = np.linalg.inv(_normal_matrix(slopes[:, free], weights))
    variance[free] = np.diag(covariance)
    pull = _centroid_gradient(theta, problem.boxes)[free]
    shapes = theta[: 3 * problem.boxes].reshape(-1, 3)
    fitted = theta.size > 3 * problem.boxes + 1
    return BoxFit(
        boxes=tuple(Box(*map(float, shape)) for shape in shapes),
        background=float(theta[3 * problem.boxes]),
        absorption=float(np.exp(theta[-1])) if fitted else problem.view.shadow.absorption,
        absorption_error=float(np.sqrt(np.abs(variance[-1]))) if fitted else float("nan"),
        expected=expected,
        chi_square=float(weights @ (counts - expected) ** 2),
        centre_error_um=np.sqrt(np.abs(variance[: 3 * problem.boxes : 3])),
        centroid_error_um=float(np.sqrt(np.abs(pull @ covariance @ pull))),
        freedom=counts.size - int(free.sum()),
        log_narrowing=_log_narrowing(slopes[:, : 3 * problem.boxes + 1], weights, shapes[:, 2]),
    )


def _log_narrowing(slopes: Floats, weights: Floats, intensities: Floats) -> float:
    """Return ln det(I + Q F) of the boxes' parameters; the background may be any."""
    normal = _normal_matrix(slopes, weights)
    known = np.tile(BOX_KNOWN, intensities.size)
    known[2::3] *= np.maximum(intensities, TINY)
    log_background = np.log(normal[-1, -1])
    normal[np.diag_indices(known.size)] += known**-2
    log_normal = np.linalg.slogdet(normal)[1]
    return float(log_normal - log_background + 2.0 * np.log(known).sum())


def _centroid_gradient(theta: Floats, boxes: int) -> Floats:
    """Return the derivatives of the boxes' common centroid by every parameter."""
    shapes = theta[: 3 * boxes].reshape(-1, 3)
    total = shapes[:, 2].sum()
    gradient = np.zeros(theta.size)
    gradient[: 3 * boxes : 3] = shapes[:, 2] / total
    gradient[2 : 3 * boxes : 3] = (shapes[:, 0] - shapes[:, 2] @ shapes[:, 0] / total) / total
    return gradient
