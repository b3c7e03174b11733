"""Counts per photon and offset from simulated readings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.calibration.detector_gain import estimate_gain
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.simulation import Footprints, quick_traces


def photons(experiment: Experiment, seed: int, intensity: float) -> npt.NDArray[np.int64]:
    """Return photons of coded traces, bright and faint."""
    rng = np.random.default_rng(seed)
    row, column = rng.uniform(100, 1900, (2, 60))
    light = Footprints(
        rng.uniform(0, 100, 60), rng.uniform(4, 15, 60), intensity * rng.lognormal(0, 1, 60)
    )
    return rng.poisson(quick_traces(experiment, row, column, light, background=20.0))


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
        assert found.offset == pytest.approx(offset, abs=8.0 * gain)


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
