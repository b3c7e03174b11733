"""Traces of a scan to positions on the code: a search over the whole code, then the fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.calibration.common_motion import Pushes, drift_um, jitter_um
from lauedepth.calibration.trace_fit import Shape, TraceFit, extra_noise, fit_trace, start_theta
from lauedepth.core.arrays import Flags, Floats
from lauedepth.core.decoding import limits
from lauedepth.core.decoding.answers import is_measured
from lauedepth.core.decoding.code_search import search
from lauedepth.core.instrument.aperture import BarTable
from lauedepth.core.instrument.experiment import Experiment, Frames, Vector
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.core.instrument.shadow import Shadow

TILT_REACH: Final = 0.035
"""Tilt of the aperture, in rad, that the search for the advance allows for: 2°."""
STEP_REACH: Final = 0.01
"""Relative error of the step that the search allows for."""
END_ERROR_UM: Final = 3.0
"""Largest error of a tried advance at the ends of the scan: less than half a bar."""
PLACES: Final = 3
"""Places on the code that are fitted for each trace."""
APART_UM: Final = 12.0
"""Places nearer than this are one."""


@dataclass(frozen=True)
class Scan:
    """Traces of one calibration scan.

    Attributes
    ----------
    row, column : (n_pixels,) arrays
        Unbinned detector coordinates.
    counts : (n_pixels, n_frames) array
        The experiment's frames in order.
    usable : (n_frames,) bool array
        False for frames that were lost.
    shift_mm : float
        Displacement of the aperture along its scan direction, beyond the experiment's own.
    name : str
        What to call it in messages.
    frames : Frames, optional
        Those of the experiment by default.
    stands_mm : (x, y, z)
        Where the aperture's centre was stated to stand, beyond the experiment's pose.
    origin : str
        When and where it was measured, in words.
    positions_um : tuple of float, optional
        Where the aperture was at each frame of the file, as in `Motion`; those of the experiment
        by default.
    beam : tuple of float, optional
        The incident beam at each frame of the file, relative; that of the experiment by default.
    """

    row: Floats
    column: Floats
    counts: npt.NDArray[np.generic]
    usable: Flags
    shift_mm: float = 0.0
    name: str = "scan"
    frames: Frames | None = None
    stands_mm: Vector = (0.0, 0.0, 0.0)
    origin: str = ""
    positions_um: tuple[float, ...] | None = None
    beam: tuple[float, ...] | None = None

    def __len__(self) -> int:
        return int(self.row.size)

    def experiment(self, experiment: Experiment) -> Experiment:
        """Return an experiment with the aperture displaced as in this scan, and its frames."""
        motion = experiment.motion
        return replace(
            experiment,
            motion=replace(
                motion,
                shift_mm=motion.shift_mm + self.shift_mm,
                positions_um=self.positions_um or motion.positions_um,
            ),
            pose=experiment.pose.moved(self.stands_mm),
            frames=self.frames or experiment.frames,
            beam_intensity=self.beam or experiment.beam_intensity,
        )


@dataclass(frozen=True)
class MeasuredTraces:
    """Where on the code each trace of a scan lies.

    Attributes
    ----------
    found : (n,) bool array
        False where no place on the code explains the trace better than others.
    values : (n, 2 + n_shapes) array
        Position at the middle frame, advance per frame number, further shapes asked for; µm.
    covariance : (n, 2 + n_shapes, 2 + n_shapes) array
        Of counting, what stands out of it in the trace, and the aperture's jitter.
    extent_um : (n,) array
        Extent of the source along the code.
    residual : (n,) array
        Chi-square per degree of freedom.
    theta : (n, 9) array
        All parameters of the fits.
    opaque : (n,) bool array
        Whether bars that stop everything explain the trace better than absorbing ones.
    shared_jitter : (n, 2 + n_shapes, n_frames) array, optional
        How much one standard deviation of the aperture's jitter in each frame changes the
        values. It is in the covariance too; here it shows what the pixels have in common.
    drift_um : float
        How far the aperture may well have drifted from the middle of the scan to its ends. It is
        in no covariance.
    """

    found: Flags
    values: Floats
    covariance: Floats
    extent_um: Floats
    residual: Floats
    theta: Floats
    opaque: Flags
    shared_jitter: Floats | None = None
    drift_um: float = 0.0


def middle_frame(frames: Frames) -> float:
    """Return the frame number to which positions on the code belong."""
    numbers = frames.indices
    return float(numbers[0] + numbers[-1]) / 2


def usable_frames(scan: Scan, index: int) -> Flags:
    """Return where one trace of a scan holds measurements: (n_frames,) bool."""
    return scan.usable & is_measured(scan.counts[index])


def frames_from_middle(experiment: Experiment) -> Floats:
    """Return where the aperture was at each frame, in steps from the middle frame."""
    return experiment.frame_positions - middle_frame(experiment.frames)


def fit_scan(
    experiment: Experiment,
    scan: Scan,
    *,
    depth_um: float = 0.0,
    shapes: tuple[Shape, ...] = (),
    near: MeasuredTraces | None = None,
) -> Iterator[TraceFit | None]:
    """Measure where on the code the traces of a scan lie, one after the other.

    Parameters
    ----------
    experiment : Experiment
        Its pose gives the size of the window and roughly how fast the traces advance; the place
        is looked for on the whole code.
    scan : Scan
    depth_um : float
        Where the light comes from.
    shapes : tuple of {"window", "widening"}
        What else to measure.
    near : MeasuredTraces, optional
        An earlier measurement: it is refined, nothing is searched.

    Yields
    ------
    TraceFit or None
        None where no place on the code explains the trace better than others.
    """
    moved = scan.experiment(experiment)
    rays = RayMap.of(moved, scan.row, scan.column)
    window, advance = rays.window_um(depth_um), rays.advance_um(depth_um)
    slope = np.abs(rays.slope(depth_um))
    for index in range(len(scan)):
        trace = _Trace.of(moved, scan, index)
        if trace is None or (near is not None and not near.found[index]):
            yield None
        elif near is None:
            starts = trace.starts(advance[index], slope[index], window[index])
            yield trace.best(starts, shapes)
        else:
            start = _restarted(near.theta[index], window[index], moved.aperture.widening_um)
            yield _with_errors(trace.fit(start, shapes, opaque=bool(near.opaque[index])))


def advances_to_try(advance_um: float, slope: float, step_um: float, n_frames: int) -> Floats:
    """Return advances per frame that an aperture turned by up to 2° could have.

    A turn by a small angle changes the advance d.a - m d.n by up to the angle times the
    larger of 1 and m; along the code it hardly changes d.a.
    """
    reach = abs(step_um) * (TILT_REACH * slope + STEP_REACH)
    number = int(np.ceil(reach * n_frames / 2 / END_ERROR_UM))
    return advance_um + np.linspace(-reach, reach, 2 * number + 1)


@dataclass(frozen=True)
class _Trace:
    """One trace with its aperture."""

    experiment: Experiment
    counts: Floats
    usable: Flags
    frames: Floats

    @classmethod
    def of(cls, experiment: Experiment, scan: Scan, index: int) -> _Trace | None:
        """Take one trace of a scan; None where too little of it is a measurement."""
        counts, usable = scan.counts[index].astype(np.float64), usable_frames(scan, index)
        enough = max(limits.LEAST_FRAMES, limits.LEAST_USABLE * usable.size)
        if usable.sum() < enough or not counts[usable].mean() > 0:
            return None
        return cls(
            experiment,
            counts / experiment.frame_intensities,
            usable,
            frames_from_middle(experiment),
        )

    def starts(self, advance_um: float, slope: float, window_um: float) -> list[Floats]:
        """Search the whole code for advances around the expected one; the best places first."""
        measured = self.counts[self.usable]
        aperture = self.experiment.aperture
        shadow = Shadow.of(BarTable.of(aperture), window_um)
        stride = self.experiment.even_steps[1]
        step_um, count = self.experiment.motion.step_um, self.frames.size
        found = []
        for advance in advances_to_try(advance_um, slope, step_um, int(count * stride)):
            to_middle = -advance * self.frames[0]
            for place in search(
                shadow,
                self.counts,
                self.usable,
                -to_middle,
                aperture.length_um - to_middle,
                advance * stride,
                PLACES,
            ):
                found.append((place.score, place.position_um + to_middle, advance, place.extent_um))
        found.sort(reverse=True)
        level = max(float(measured.mean()), 1e-12)
        kept: list[Floats] = []
        for score, position, advance, extent in found:
            if len(kept) == PLACES or score < limits.CANDIDATE_SCORE * found[0][0]:
                break
            if score / level < limits.DETECTION:
                break
            if all(abs(position - other[0]) > APART_UM for other in kept):
                kept.append(
                    start_theta(position, advance, extent / 2, window_um, aperture.widening_um)
                )
        return kept

    def fit(self, start: Floats, shapes: tuple[Shape, ...], *, opaque: bool = True) -> TraceFit:
        """Fit from a start."""
        return fit_trace(
            self.experiment.aperture,
            self.frames[self.usable],
            self.counts[self.usable],
            start,
            shapes,
            opaque=opaque,
        )

    def best(self, starts: list[Floats], shapes: tuple[Shape, ...]) -> TraceFit | None:
        """Fit from each start; None where nothing fits, or two places fit nearly as well."""
        fits = [self.fit(start, shapes) for start in starts]
        if not fits:
            return None
        fits.sort(key=lambda fit: fit.chi_square)
        clear = limits.DISTINCT * max(1.0, fits[0].chi_square / fits[0].freedom)
        if len(fits) > 1 and fits[1].chi_square - fits[0].chi_square < clear:
            return None
        absorbing = self.fit(fits[0].theta, shapes, opaque=False)
        best = min(fits[0], absorbing, key=lambda fit: fit.chi_square)
        return None if self._is_unexplained(best) else _with_errors(best)

    def _is_unexplained(self, fit: TraceFit) -> bool:
        """Return whether the trace varies much more than the fit says."""
        counts = self.counts[self.usable]
        flat = float(((counts - counts.mean()) ** 2).sum() / counts.mean())
        return flat - fit.chi_square < limits.EXPLAINED * (flat - counts.size)


def _with_errors(fit: TraceFit) -> TraceFit | None:
    """Return a fit that has errors; a position at the end of its reach has none."""
    return fit if np.all(np.diag(fit.covariance) > 0) else None


def _restarted(theta: Floats, window_um: float, widening_um: float) -> Floats:
    """Return fitted parameters as a start, with another window and widening."""
    start = theta.copy()
    start[-2:] = window_um, widening_um
    return start


def measured_traces(
    fitted: Iterable[TraceFit | None],
    scan: Scan,
    frames: Floats,
    shapes: tuple[Shape, ...] = (),
) -> MeasuredTraces:
    """Put the fits of a scan's traces together, with errors that hold what they share.

    Parameters
    ----------
    fitted : iterable of TraceFit or None
        Of each trace in turn, see `fit_scan`.
    scan : Scan
    frames : (n_frames,) array
        Steps from the middle frame (`frames_from_middle`).
    shapes : tuple of {"window", "widening"}
        What else was measured.
    """
    fits, size = list(fitted), 2 + len(shapes)
    values = np.full((len(fits), size), np.nan)
    covariance = np.full((len(fits), size, size), np.nan)
    shared = np.zeros((len(fits), size, scan.usable.size))
    extent, residual = np.full(len(fits), np.nan), np.full(len(fits), np.nan)
    theta = np.full((len(fits), 9), np.nan)
    pushes = _pushes(fits, scan)
    jitter, drift = jitter_um(pushes), drift_um(pushes, frames)
    for index, fit in enumerate(fits):
        if fit is not None:
            shaken = fit.influence * jitter
            shared[index][:, usable_frames(scan, index)] = shaken
            explained = 1.0 + jitter**2 * float(fit.firmness.sum()) / fit.freedom
            noise = extra_noise(fit.chi_square / explained, fit.freedom)
            values[index], covariance[index] = (
                fit.values,
                fit.covariance * noise + shaken @ shaken.T,
            )
            extent[index], residual[index] = fit.extent_um, fit.chi_square / fit.freedom
            theta[index] = fit.theta
    found = np.array([fit is not None for fit in fits], bool)
    opaque = np.array([fit is not None and fit.opaque for fit in fits], bool)
    return MeasuredTraces(found, values, covariance, extent, residual, theta, opaque, shared, drift)


def _pushes(fits: list[TraceFit | None], scan: Scan) -> Pushes:
    """Return what the fitted traces say of displacements in each frame."""
    push, firmness = np.zeros((2, len(fits), scan.usable.size))
    for index, fit in enumerate(fits):
        if fit is not None:
            at = usable_frames(scan, index)
            push[index, at], firmness[index, at] = fit.push, fit.firmness
    return Pushes(push, firmness)
