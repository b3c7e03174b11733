"""What one point told of an aperture helps the next one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from tests.geometries import TWIN

from lauedepth.calibration.learning import InstrumentFit, LearnOptions, learn_from_traces
from lauedepth.calibration.learning.carrying import added, experiment_with
from lauedepth.calibration.learning.equations import Scales
from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.aperture import bar_edges
from lauedepth.core.instrument.known import KnownAperture
from lauedepth.simulation import BuiltAperture, Flaws, Footprints, Timeline
from lauedepth.simulation.flaws import APERTURE, TIMELINE, generator
from lauedepth.simulation.forward import quick_traces

FLAWS = Flaws(edges_um=0.3, widening_um=0.5, jitter_um=0.2, motor_drift_um=1.0, step_error=0.002)
DESIGNED = np.stack(bar_edges(TWIN.aperture), axis=1).ravel()


def built(aperture: int) -> BuiltAperture:
    return BuiltAperture.of(TWIN.aperture, FLAWS, generator(aperture, APERTURE))


def true_offsets(aperture: int) -> Floats:
    """Return where the edges are beyond the design, without what no scan tells."""
    one = built(aperture)
    offset = np.stack([one.begin_um, one.end_um], axis=1).ravel() - DESIGNED
    return np.asarray(offset - offset.mean())


def point(
    seed: int, pixels: int, aperture: int = 1
) -> tuple[Floats, Floats, npt.NDArray[np.uint16]]:
    """Return row, column and counts of pixels of one point."""
    rng = np.random.default_rng(seed)
    row, column = rng.uniform(200, 1850, (2, pixels))
    light = Footprints(
        rng.uniform(-60, 260, pixels),
        rng.uniform(3, 10, pixels),
        np.full(pixels, 2000.0),
        rng.uniform(8, 22, pixels),
    )
    timeline = Timeline.of_point(TWIN, FLAWS, generator(seed, TIMELINE))
    used = TWIN.frames.indices
    traces = quick_traces(
        TWIN, row, column, light, background=20.0, frame=timeline.position[used],
        built=built(aperture),
    )  # fmt: skip
    counts = rng.poisson(traces * timeline.current[used])
    return row, column, counts.astype(np.uint16)


def learn(
    seed: int, pixels: int, aperture: int = 1, known: KnownAperture | None = None
) -> InstrumentFit:
    row, column, counts = point(seed, pixels, aperture)
    options = LearnOptions(energy_kev=(8.0, 22.0), name=f"point {seed}")
    fit = learn_from_traces(TWIN, row, column, counts, decoder="cpu", options=options, known=known)
    assert fit is not None
    return fit


@pytest.fixture(scope="module")
def first() -> InstrumentFit:
    return learn(1, 300)


def test_a_point_of_few_pixels_knows_the_edges_that_the_one_before_it_told(
    first: InstrumentFit,
) -> None:
    alone, carried = learn(2, 90), learn(2, 90, known=first.aperture)

    seen = first.edge_error_um < 0.1

    def off(fit: InstrumentFit) -> float:
        return float(np.std((fit.edges_um - DESIGNED - true_offsets(1))[seen]))

    assert carried.accepted and not carried.contradicted
    assert off(carried) < 0.7 * off(alone)
    assert off(carried) < 1.1 * off(first)
    assert carried.edges_seen >= first.edges_seen
    assert carried.aperture.points == ("point 1", "point 2")
    assert abs(carried.widening_um - 0.5) < 0.1


def test_errors_of_what_is_carried_are_honest(first: InstrumentFit) -> None:
    carried = learn(3, 150, known=first.aperture)
    pull = (
        carried.edge_offset_um
        + carried.widening_um * np.where(np.arange(DESIGNED.size) % 2, 0.5, -0.5)
        - true_offsets(1)
    ) / carried.edge_error_um
    seen = carried.edge_error_um < 0.15
    assert 0.7 < np.sqrt(np.mean(pull[seen] ** 2)) < 1.4


def test_another_aperture_is_noticed_and_learnt_anew(first: InstrumentFit) -> None:
    other = learn(4, 300, aperture=77, known=first.aperture)
    assert other.contradicted
    assert other.aperture.points == ("point 4",)
    assert np.std(other.edges_um - DESIGNED - true_offsets(77)) < 0.2


def test_a_point_adds_to_what_is_known_once(first: InstrumentFit) -> None:
    told = first.aperture
    assert added(None, told) is told
    assert added(told, told) is told
    twice = added(told, replace(told, points=("another",)))
    np.testing.assert_array_equal(twice.matrix, 2 * told.matrix)
    np.testing.assert_array_equal(twice.target, 2 * told.target)


def test_what_was_learnt_of_another_design_is_refused(first: InstrumentFit) -> None:
    thicker = replace(TWIN, aperture=replace(TWIN.aperture, thickness_um=9.0))
    with pytest.raises(InputError, match="another aperture"):
        experiment_with(first.aperture, thicker, Scales())
    applied = experiment_with(first.aperture, TWIN, Scales())
    assert applied.aperture.edges_um == pytest.approx(first.edges_um.tolist(), abs=0.1)
