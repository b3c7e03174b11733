"""Counts per photon and offset from simulated readings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.calibration.detector_gain import estimate_gain
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.simulation import Footprints, quick_traces


def light(experiment: Experiment, seed: int, intensity: float) -> npt.NDArray[np.float64]:
    """Return expected photons of coded traces, bright and faint."""
    rng = np.random.default_rng(seed)
    row, column = rng.uniform(100, 1900, (2, 60))
    footprints = Footprints(
        rng.uniform(0, 100, 60), rng.uniform(4, 15, 60), intensity * rng.lognormal(0, 1, 60)
    )
    return quick_traces(experiment, row, column, footprints, background=20.0)


def photons(experiment: Experiment, seed: int, intensity: float) -> npt.NDArray[np.int64]:
    """Return such traces with counting noise."""
    return np.random.default_rng(seed + 100).poisson(light(experiment, seed, intensity))


@pytest.mark.parametrize("geometry", ["norcada", "twin"])
@pytest.mark.parametrize(("gain", "offset"), [(1, 0), (2, 0), (5, 0), (10, 0), (5, 100), (1, 2000)])
def test_gain_and_offset_are_found(
    request: pytest.FixtureRequest, geometry: str, gain: int, offset: int
) -> None:
    experiment = request.getfixturevalue(geometry)
    for seed in range(3):
        readings = gain * photons(experiment, seed, 300.0) + offset
        found = estimate_gain(readings, np.ones(readings.shape[1], bool))
        assert found.counts_per_photon == pytest.approx(gain, rel=0.15)
        assert found.has_offset == (offset > 0)
        # the line is fitted to levels of tens to hundreds of photons, far from zero
        assert found.offset == pytest.approx(offset, abs=12.0 * gain)


def test_bright_code_is_not_taken_for_gain(norcada: Experiment, twin: Experiment) -> None:
    for experiment in (norcada, twin):
        readings = photons(experiment, 3, 3000.0)
        found = estimate_gain(readings, np.ones(readings.shape[1], bool))
        assert 0.9 < found.counts_per_photon < 1.3


def test_dark_traces_tell_nothing(twin: Experiment) -> None:
    readings = np.random.default_rng(0).poisson(3.0, (60, len(twin.frames)))
    assert np.isnan(estimate_gain(readings, np.ones(readings.shape[1], bool)).counts_per_photon)


def test_lost_frames_are_left_out(twin: Experiment) -> None:
    readings = 5 * photons(twin, 1, 300.0)
    usable = np.ones(readings.shape[1], bool)
    usable[40:60] = usable[::7] = False
    readings[:, ~usable] = 0
    assert estimate_gain(readings, usable).counts_per_photon == pytest.approx(5, rel=0.15)


@pytest.mark.parametrize("geometry", ["norcada", "twin"])
def test_a_beam_that_flickers_is_not_taken_for_gain(
    request: pytest.FixtureRequest, geometry: str
) -> None:
    experiment = request.getfixturevalue(geometry)
    rng = np.random.default_rng(8)
    beam = 1.0 + 0.05 * rng.standard_normal(len(experiment.frames))
    readings = 5 * rng.poisson(light(experiment, 4, 300.0) * beam)
    found = estimate_gain(readings, np.ones(readings.shape[1], bool))
    assert found.counts_per_photon == pytest.approx(5.0, rel=0.15)
