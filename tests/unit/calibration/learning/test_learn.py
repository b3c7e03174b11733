"""Instruments that depart from their design, learnt from simulated traces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.calibration.learning import (
    InstrumentFit,
    LearnOptions,
    Start,
    learn_instrument,
    start_from,
)
from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.pixels import ModelError, PixelFlag
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.aperture import bar_edges
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.known import KnownAperture
from lauedepth.simulation import BuiltAperture, Flaws, Footprints, Timeline, flawed_traces

PIXELS = 240
OPTIONS = LearnOptions(energy_kev=(8.0, 22.0))
NOTHING_KNOWN = KnownAperture("", False, (), np.zeros((0, 0)), np.zeros(0))


class Scan:
    """Traces of an instrument with flaws, and what the decoder makes of them as designed."""

    def __init__(self, experiment: Experiment, flaws: Flaws, counts: float, opaque: bool) -> None:
        rng = np.random.default_rng(7)
        self.experiment = experiment
        self.row, self.column = rng.uniform(200, 1850, (2, PIXELS))
        self.depth = rng.uniform(-50, 250, PIXELS)
        width = rng.uniform(3, 10, PIXELS)
        energy = np.full(PIXELS, np.nan) if opaque else rng.uniform(8, 22, PIXELS)
        light = Footprints(self.depth, width, np.full(PIXELS, counts), energy)
        expected, self.timeline, self.built = flawed_traces(
            experiment, self.row, self.column, light, flaws, background=20.0, seed=9
        )
        self.counts = rng.poisson(expected).astype(np.uint16)

    def true_experiment(self) -> Experiment:
        """Return the experiment with the instrument as it was, calibrated.

        Mean errors of edges and positions are the pose's, which no scan tells.
        """
        designed = np.stack(bar_edges(self.experiment.aperture), axis=1).ravel()
        edges = np.stack([self.built.begin_um, self.built.end_um], axis=1).ravel()
        edges -= (edges - designed).mean()
        steps = np.arange(self.timeline.position.size)
        moved = position_errors(self.timeline, self.experiment)
        positions = self.experiment.motion.step_um * steps + moved
        return replace(
            self.experiment,
            aperture=replace(
                self.experiment.aperture,
                edges_um=tuple(edges.tolist()),
                thickness_um=self.built.nominal_thickness_um,
            ),
            motion=replace(self.experiment.motion, positions_um=tuple(positions.tolist())),
            beam_intensity=tuple(self.timeline.current.tolist()),
        )

    def learn(self) -> InstrumentFit:
        found = decode(self.experiment, self.row, self.column, self.counts, backend="cpu")
        index, start = start_from(found)
        return learn_instrument(
            self.experiment,
            self.row[index],
            self.column[index],
            self.counts[index],
            start,
            options=OPTIONS,
        )


def position_errors(timeline: Timeline, experiment: Experiment) -> npt.NDArray[np.float64]:
    error = (timeline.position - np.arange(timeline.position.size)) * experiment.motion.step_um
    return np.asarray(error - error.mean())


def edge_errors(built: BuiltAperture, experiment: Experiment) -> npt.NDArray[np.float64]:
    """Return the errors of the edges without their mean and common widening."""
    begin, end = bar_edges(experiment.aperture)
    one, other = built.begin_um - begin, built.end_um - end
    return np.stack([one - one.mean(), other - other.mean()], axis=1).ravel()


DEPARTED = Flaws(
    edges_um=0.2,
    widening_um=0.5,
    thickness=0.1,
    jitter_um=0.2,
    motor_drift_um=1.0,
    step_error=0.002,
    top_up=0.05,
)


def test_everything_is_learnt_to_its_error_and_depths_come_back(twin: Experiment) -> None:
    scan = Scan(twin, DEPARTED, 2000.0, opaque=False)
    fit = scan.learn()
    assert fit.accepted and fit.gain_sigma > 5
    assert fit.departed == {"position", "beam", "edge", "widening", "window"}
    assert fit.misfit_before > 2.0 and fit.misfit_after < 1.1
    moved = position_errors(scan.timeline, twin)
    assert np.sqrt(np.mean(moved**2)) > 0.25
    pulls = (fit.position_um - moved) / fit.position_error_um
    assert 0.7 < np.sqrt(np.mean(pulls**2)) < 1.6
    beam = np.log(scan.timeline.current)
    pulls = (fit.log_beam - beam + beam.mean()) / fit.log_beam_error
    assert 0.7 < np.sqrt(np.mean(pulls**2)) < 1.4
    seen = fit.edge_error_um < 0.1
    assert seen.mean() > 0.5
    left = (fit.edge_offset_um - edge_errors(scan.built, twin))[seen]
    assert np.sqrt(np.mean(left**2)) < 0.06
    designed = scan.built.end_um - scan.built.begin_um - np.diff(bar_edges(twin.aperture), axis=0)
    assert fit.widening_um == pytest.approx(float(designed.mean()), abs=0.06)
    assert fit.thickness_factor == pytest.approx(1.1, abs=0.03)
    as_designed = decode(twin, scan.row, scan.column, scan.counts, backend="cpu")
    as_learnt = decode(fit.applied_to(twin), scan.row, scan.column, scan.counts, backend="cpu")
    second = [
        int(((one.flags & PixelFlag.SECOND_DEPTH) > 0).sum()) for one in (as_designed, as_learnt)
    ]
    assert second[0] > 20 and second[1] <= 1
    assert 0.002 < np.median(fit.depth_error_um) < 0.05
    told = fit.with_error(as_learnt)
    assert np.all(told.depth_error_um > as_learnt.depth_error_um)
    first = np.concatenate([[True], np.diff(as_learnt.trace) > 0])
    error = as_learnt.depth_um[first] - scan.depth
    assert np.median(np.abs(error - np.median(error))) < 0.05
    as_it_was = decode(scan.true_experiment(), scan.row, scan.column, scan.counts, backend="cpu")
    strayed = as_learnt.depth_um[first] - as_it_was.depth_um[as_it_was.flags & 4 == 0]
    strayed -= np.median(strayed)
    said = np.sqrt(told.depth_error_um**2 - as_learnt.depth_error_um**2)[first]
    assert 0.7 < np.sqrt(np.median((strayed / said) ** 2) / 0.455) < 1.5


@pytest.mark.parametrize("opaque", [False, True], ids=["absorbing", "opaque"])
def test_a_perfect_instrument_is_left_as_designed(twin: Experiment, opaque: bool) -> None:
    fit = Scan(twin, Flaws(), 500.0, opaque).learn()
    assert not fit.accepted
    assert fit.opaque == opaque
    assert fit.warnings and "as designed" in fit.warnings[0]


def test_too_few_pixels_are_refused(twin: Experiment) -> None:
    few = Start(*(np.ones(5) for _ in range(4)))
    with pytest.raises(InputError, match="5 pixels with one clear depth"):
        learn_instrument(twin, np.ones(5), np.ones(5), np.ones((5, 261)), few)


def test_what_is_learnt_is_put_into_an_experiment(twin: Experiment) -> None:
    strided = replace(twin, frames=replace(twin.frames, first=2, stop=261, stride=2))
    size, edges = len(strided.frames), 2 * len(bar_edges(twin.aperture)[0])
    fit = InstrumentFit(
        edges_um=np.arange(float(edges)),
        edge_offset_um=np.zeros(edges),
        edge_error_um=np.zeros(edges),
        widening_um=0.0,
        widening_error_um=0.0,
        thickness_factor=1.1,
        thickness_error=0.01,
        position_um=np.full(size, 0.25),
        position_error_um=np.zeros(size),
        log_beam=np.log(np.where(np.arange(size) < 10, 0.5, 1.0)),
        log_beam_error=np.zeros(size),
        opaque=False,
        departed=frozenset({"position"}),
        misfit_before=1.0,
        misfit_after=1.0,
        gain_sigma=4.0,
        accepted=True,
        edges_seen=1.0,
        pixels_used=100,
        pixels_held_out=50,
        rounds=1,
        code_um=np.array([0.0, 1000.0]),
        depth_error_um=np.array([0.0, 0.1]),
        model_error=ModelError(np.zeros(0), np.zeros(0)),
        aperture=NOTHING_KNOWN,
        told=NOTHING_KNOWN,
    )
    learnt = fit.applied_to(strided)
    assert learnt.aperture.thickness_um == pytest.approx(1.1 * 3.7)
    assert bar_edges(learnt.aperture)[0].tolist() == list(range(0, edges, 2))
    assert learnt.frame_positions == pytest.approx(strided.frames.indices + 0.25)
    assert learnt.frame_intensities.mean() == pytest.approx(1.0)
    assert learnt.frame_intensities[0] == pytest.approx(learnt.frame_intensities[-1] / 2)
