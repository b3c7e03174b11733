"""Learn the instrument from the traces of one point: see docs/instrument.md for the method."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from lauedepth.calibration.learning import limits
from lauedepth.calibration.learning._fit import Equations
from lauedepth.calibration.learning.carrying import added, expected_aperture, told_of_aperture
from lauedepth.calibration.learning.equations import (
    Estimate,
    Scales,
    depth_errors,
    information_of,
    solve,
)
from lauedepth.calibration.learning.instrument import Layout, Nominal
from lauedepth.calibration.learning.pixels import PixelFits, Start
from lauedepth.calibration.learning.remarks import remarks_on
from lauedepth.calibration.learning.result import InstrumentFit
from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.pixels import ModelError
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.known import KnownAperture, design_of


@dataclass(frozen=True)
class LearnOptions:
    """How to learn.

    Attributes
    ----------
    energy_kev : (float, float)
        Range of the beam's spectrum: what is known of how strongly the bars absorb.
    rounds : int
        Most rounds over all pixels.
    scales : Scales
        How far each part may depart.
    name : str
        The point's, for what is known of the aperture.
    """

    energy_kev: tuple[float, float] = (7.0, 25.0)
    rounds: int = limits.ROUNDS
    scales: Scales = field(default_factory=Scales)
    name: str = ""


@dataclass(frozen=True)
class _Learner:
    """What stays the same while an instrument is learnt."""

    nominal: Nominal
    options: LearnOptions
    opaque: bool
    known: KnownAperture | None

    @property
    def layout(self) -> Layout:
        return self.nominal.layout

    @property
    def start(self) -> Floats:
        """The instrument as designed, or with the aperture that other points told."""
        departures = np.zeros(self.layout.size)
        if self.known is not None:
            scales = self.options.scales
            departures[self.layout.aperture], _ = expected_aperture(self.known, self.layout, scales)
        return departures

    def fitted(self, pixels: PixelFits, departures: Floats) -> PixelFits:
        """Return the pixels fitted through an instrument that departs so from its design."""
        shared = self.nominal.with_departures(departures, opaque=self.opaque)
        thickness = float(np.exp(departures[self.layout.window][0]))
        return pixels.fitted(shared, thickness)

    def step(self, pixels: PixelFits, departures: Floats) -> Estimate:
        """Return the instrument that explains fitted pixels best."""
        equations, rows, _ = self._equations(pixels, departures)
        information = information_of(equations, rows, self.layout, departures)
        return solve(information, self.layout, self.options.scales, self.known)

    def depth_errors(self, pixels: PixelFits, estimate: Estimate) -> Floats:
        """Return what is not known of the instrument as errors of depths: (n_pixels,) in µm."""
        _, rows, scales = self._equations(pixels, estimate.departures)
        return depth_errors(rows, scales, self.layout, estimate.covariance)

    def _equations(
        self, pixels: PixelFits, departures: Floats
    ) -> tuple[list[Equations], Floats, Floats]:
        shared = self.nominal.with_departures(departures, opaque=self.opaque)
        scales = np.where(kept(pixels.misfit), np.maximum(pixels.misfit, 1.0), np.inf)
        return *pixels.equations(shared, scales, self.layout.size - 1), scales

    def learn(
        self, pixels: PixelFits, departures: Floats, rounds: int
    ) -> tuple[PixelFits, Estimate, int]:
        """Go from an instrument to a better one until it settles."""
        done = 0
        while done < rounds:
            done += 1
            pixels = self.fitted(pixels, departures)
            estimate = self.step(pixels, departures)
            moved = (estimate.departures - departures) / estimate.error
            departures = estimate.departures
            if float(np.sqrt(np.mean(moved**2))) < limits.SETTLED:
                break
        return pixels, estimate, done


def learn_instrument(
    experiment: Experiment,
    row: Floats,
    column: Floats,
    counts: npt.NDArray[np.generic],
    start: Start,
    *,
    usable: npt.NDArray[np.bool_] | None = None,
    options: LearnOptions | None = None,
    begin: InstrumentFit | None = None,
    known: KnownAperture | None = None,
) -> InstrumentFit:
    """Learn bars, motion and beam from traces of which a decoder found the depths.

    Two thirds of the pixels teach, the last third judges: what is learnt is accepted only
    if it explains pixels better that it has not seen. Accepted, it is learnt once more from
    all of them.

    Parameters
    ----------
    experiment : Experiment
        As designed.
    row, column : (n_pixels,) arrays
        Unbinned detector coordinates, of bright pixels spread over detector and code
        (`choose_pixels`).
    counts : (n_pixels, n_frames) array
        The experiment's frames in order; negative values, NaN and 65535 are not measurements.
    start : Start
        Where the light of each pixel comes from, roughly.
    usable : (n_frames,) bool array, optional
        False for frames that were lost.
    options : LearnOptions, optional
    begin : InstrumentFit, optional
        What was learnt before, of the same experiment: the rounds begin there.
    known : KnownAperture, optional
        What other points told of the aperture.

    Returns
    -------
    InstrumentFit

    Raises
    ------
    InputError
        Too few pixels to learn from.
    """
    options = options or LearnOptions()
    if len(row) < limits.FEWEST_PIXELS:
        raise InputError(
            f"{len(row)} pixels with one clear depth",
            "learning the instrument",
            f"it takes {limits.FEWEST_PIXELS}; decode with the instrument as designed",
        )
    frames = np.ones(counts.shape[1], bool) if usable is None else usable
    pixels = PixelFits.of(experiment, row, column, counts, frames, start, options.energy_kev)
    # on several threads sums come out otherwise in the last digits, and so would depths
    with threadpool_limits(1, "blas"):
        return _learn(experiment, pixels, options, begin, known)


def _learn(
    experiment: Experiment,
    pixels: PixelFits,
    options: LearnOptions,
    begin: InstrumentFit | None,
    known: KnownAperture | None,
) -> InstrumentFit:
    """Learn from two thirds of the pixels, judge by the others, and then learn from all."""
    learner = _with_law(Nominal.of(experiment), options, pixels, known)
    judges = np.arange(len(pixels)) % 3 == 2
    designed = np.zeros(learner.layout.size)
    taught, estimate, rounds = learner.learn(
        pixels.chosen(np.flatnonzero(~judges)),
        learner.start if begin is None else begin.departures,
        options.rounds if known is None else limits.KNOWN_ROUNDS,
    )
    held_out = pixels.chosen(np.flatnonzero(judges))
    before = learner.fitted(held_out, designed)
    after = learner.fitted(before, estimate.departures)
    gain = gain_of(before, after)
    accepted = bool(estimate.departed) and gain > limits.GAIN
    if accepted:
        everything = _joined(taught, after, judges)
        last_rounds = limits.LAST_ROUNDS if known is None else 1
        taught, estimate, more = learner.learn(everything, estimate.departures, last_rounds)
        rounds += more
    told = told_of_aperture(
        estimate.information,
        learner.layout,
        estimate.scales,
        options.name,
        design_of(experiment.aperture),
        opaque=learner.opaque,
    )
    fit = _result(learner, estimate, taught, rounds, told)
    places = pixels.code_um
    code, error = _along_code(
        places if accepted else places[~judges], learner.depth_errors(taught, estimate)
    )
    fit = replace(
        fit,
        code_um=code,
        depth_error_um=error,
        model_error=model_error(taught if accepted else before, opaque=learner.opaque),
        misfit_before=_typical(before),
        misfit_after=_typical(after),
        gain_sigma=gain,
        accepted=accepted,
        pixels_held_out=len(held_out),
        held_out_before=before.misfit,
        held_out_after=after.misfit,
    )
    return replace(fit, warnings=remarks_on(fit, experiment, taught))


def _with_law(
    nominal: Nominal, options: LearnOptions, pixels: PixelFits, known: KnownAperture | None
) -> _Learner:
    """Choose how bars act on light: they absorb, or stop it, whichever explains more."""
    if known is not None:
        return _Learner(nominal, options, known.opaque, known)
    sample = pixels.chosen(np.arange(0, len(pixels), max(1, len(pixels) // 150)))
    laws = [_Learner(nominal, options, opaque, None) for opaque in (False, True)]
    designed = np.zeros(nominal.layout.size)
    return min(laws, key=lambda law: float(np.median(law.fitted(sample, designed).misfit)))


def kept(misfit: Floats) -> npt.NDArray[np.bool_]:
    """Return which pixels do not misfit much more than the others."""
    middle = float(np.median(misfit))
    spread = 1.4826 * float(np.median(np.abs(misfit - middle)))
    worst = max(limits.WORST * middle, middle + limits.SPREAD_OF_MISFITS * spread)
    return np.asarray(misfit <= worst)


def gain_of(before: PixelFits, after: PixelFits) -> float:
    """Return by how many standard errors pixels fit better after than before."""
    least = np.minimum(before.misfit, after.misfit)
    use = kept(least)
    gain = ((before.loss - after.loss) / np.maximum(least, 1.0))[use]
    scatter = float(np.sqrt(((gain - gain.mean()) ** 2).sum()))
    return float(gain.sum()) / max(scatter, 1e-9)


def _typical(pixels: PixelFits) -> float:
    """Return chi-square per degree of freedom of the pixels together, without the worst."""
    use = kept(pixels.misfit)
    return float(pixels.loss[use].sum() / pixels.freedom[use].sum())


def _joined(taught: PixelFits, judges: PixelFits, judging: npt.NDArray[np.bool_]) -> PixelFits:
    """Put the two sets of pixels together in their old order."""
    order = np.argsort(np.concatenate([np.flatnonzero(~judging), np.flatnonzero(judging)]))
    return PixelFits.joined(taught, judges).chosen(order)


def model_error(pixels: PixelFits, *, opaque: bool) -> ModelError:
    """Return what pixels leave over, by where on the code they are.

    Half of the pixels at a place leave more, so that true second depths, which few have, are
    not in it; nothing is left over where it is within the counting noise.

    Parameters
    ----------
    pixels : PixelFits
        As fitted through the instrument that decodes.
    opaque : bool
    """
    order = np.argsort(pixels.code_um, kind="stable")
    groups = np.array_split(order, max(1, order.size // limits.MISFIT_PIXELS))
    told = pixels.freedom * pixels.modulation(opaque=opaque)
    excess = (pixels.loss - pixels.freedom) / told
    noise = np.sqrt(2 * pixels.freedom) / told
    variance = [
        max(float(np.median(excess[group]) - np.median(noise[group]) / np.sqrt(group.size)), 0.0)
        for group in groups
    ]
    middle = [float(np.median(pixels.code_um[group])) for group in groups]
    return ModelError(np.array(middle), np.array(variance))


def _along_code(places: Floats, error: Floats) -> tuple[Floats, Floats]:
    """Return places along the code, in order, and the typical error of depths at each."""
    known = np.flatnonzero(np.isfinite(error))
    order = known[np.argsort(places[known], kind="stable")]
    groups = np.array_split(order, max(1, min(limits.CODE_PLACES, order.size // 5)))
    return (
        np.array([np.median(places[group]) for group in groups]),
        np.array([np.median(error[group]) for group in groups]),
    )


def _result(
    learner: _Learner,
    estimate: Estimate,
    pixels: PixelFits,
    rounds: int,
    told: KnownAperture,
) -> InstrumentFit:
    layout = learner.layout
    found, error = estimate.departures, estimate.error
    shared = learner.nominal.with_departures(found, opaque=learner.opaque)
    thickness = float(np.exp(found[layout.window][0]))
    seen = error[layout.edge] < limits.EDGE_SCALE_UM / 2
    return InstrumentFit(
        edges_um=shared.edges,
        edge_offset_um=found[layout.edge],
        edge_error_um=error[layout.edge],
        widening_um=float(found[layout.widening][0]),
        widening_error_um=float(error[layout.widening][0]),
        thickness_factor=thickness,
        thickness_error=thickness * float(error[layout.window][0]),
        position_um=found[layout.position],
        position_error_um=error[layout.position],
        log_beam=found[layout.beam],
        log_beam_error=error[layout.beam],
        opaque=learner.opaque,
        departed=estimate.departed,
        misfit_before=float("nan"),
        misfit_after=float("nan"),
        gain_sigma=float("nan"),
        accepted=False,
        edges_seen=float(np.mean(seen)),
        pixels_used=int(kept(pixels.misfit).sum()),
        pixels_held_out=0,
        rounds=rounds,
        code_um=np.zeros(0),
        depth_error_um=np.zeros(0),
        model_error=ModelError(np.zeros(0), np.zeros(0)),
        aperture=added(learner.known, told),
        told=told,
    )
