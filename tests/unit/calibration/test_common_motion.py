"""Jitter and drift of the aperture are seen in what the traces of a scan have in common."""

from __future__ import annotations

import numpy as np
import pytest

from lauedepth.calibration import MeasuredTraces, Scan
from lauedepth.calibration.common_motion import Pushes, drift_um, jitter_um
from lauedepth.calibration.positions import fit_scan, frames_from_middle, measured_traces
from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.simulation import Footprints, quick_traces


def pushed(displacement_um: Floats, seed: int) -> Pushes:
    """Pushes of thirty traces, each of which knows a displacement to some 0.5 µm per frame."""
    rng = np.random.default_rng(seed)
    firmness = rng.uniform(0, 8, (30, displacement_um.size))
    push = firmness * displacement_um + np.sqrt(firmness) * rng.normal(size=firmness.shape)
    line = np.stack([np.ones(displacement_um.size), np.linspace(-1, 1, displacement_um.size)])
    for index, known in enumerate(firmness):
        fit = np.linalg.solve((line * known) @ line.T, line @ push[index])
        push[index] -= known * (fit @ line)
    return Pushes(push, firmness)


def test_jitter_is_measured() -> None:
    found = [
        jitter_um(pushed(np.random.default_rng(seed).normal(0, 0.1, 261), seed + 100))
        for seed in range(20)
    ]
    assert np.mean(found) == pytest.approx(0.1, rel=0.1)


def test_a_drift_is_measured_and_none_invented() -> None:
    frames = np.arange(-130.0, 131.0)
    steady = [drift_um(pushed(np.zeros(261), seed), frames) for seed in range(40)]
    assert np.count_nonzero(steady) <= 1
    shaking = [
        drift_um(pushed(np.random.default_rng(seed).normal(0, 0.1, 261), seed), frames)
        for seed in range(40)
    ]
    assert np.count_nonzero(shaking) <= 1
    wave = 0.5 * np.sin(np.pi * frames / 130)
    found = [drift_um(pushed(wave, seed), frames) for seed in range(10)]
    # Its slope, which no trace shows, is 0.48 µm from the middle to the ends.
    assert 0.3 < np.mean(found) < 0.9


def test_a_line_does_not_show() -> None:
    frames = np.arange(-130.0, 131.0)
    assert drift_um(pushed(2.0 + frames / 50, 1), frames) == 0.0


@pytest.mark.parametrize("amplitude_um", [0.0, 0.5])
def test_traces_of_a_motor_that_drifts(twin: Experiment, amplitude_um: float) -> None:
    rng = np.random.default_rng(5)
    row, column = rng.uniform(100, 1900, (2, 12))
    frames = frames_from_middle(twin)
    wave = amplitude_um * np.sin(np.pi * frames / 130) / twin.motion.step_um
    light = Footprints(0.0, 2.0, 2000.0)
    counts = quick_traces(
        twin, row, column, light, background=20.0, frame=twin.frames.indices + wave
    )
    scan = Scan(row, column, rng.poisson(counts).astype(np.uint16), np.ones(261, bool))
    found: MeasuredTraces = measured_traces(fit_scan(twin, scan), scan, frames)
    assert (found.drift_um > 0.2) == (amplitude_um > 0)
