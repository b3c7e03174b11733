"""Where code or scan run in the opposite sense, what fits is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lauedepth.calibration import Scan
from lauedepth.calibration.parameters import State
from lauedepth.calibration.senses import advice_on_senses
from lauedepth.core.instrument.experiment import Experiment

ScanMaker = Callable[..., Scan]


def in_senses(experiment: Experiment, code: bool, scan: bool) -> Experiment:
    """The experiment with the code, the scan, or both reversed."""
    aperture, motion = experiment.aperture, experiment.motion
    if code:
        aperture = replace(aperture, code=aperture.code[::-1])
    if scan:
        motion = replace(motion, step_um=-motion.step_um)
    return replace(experiment, aperture=aperture, motion=motion)


@pytest.mark.parametrize(
    ("code", "scan", "advice"),
    [
        (True, False, "the code fits when reversed: change aperture: reversed"),
        (False, True, "the scan fits in the opposite sense: give step_um -1"),
        (True, True, "code and scan fit when both are reversed: change aperture: reversed, and"),
    ],
)
def test_the_sense_that_fits_is_named(
    twin: Experiment, membrane_scan: ScanMaker, code: bool, scan: bool, advice: str
) -> None:
    traces = membrane_scan(in_senses(twin, code, scan), 1, pixels=16, peak=2000.0)
    assert advice_on_senses(State(twin, 0.0), traces).startswith(advice)


def test_nothing_is_said_of_traces_that_fit_in_no_sense(
    twin: Experiment, membrane_scan: ScanMaker
) -> None:
    traces = membrane_scan(twin, 2, pixels=8)
    noise = np.random.default_rng(2).poisson(300, traces.counts.shape).astype(np.uint16)
    assert advice_on_senses(State(twin, 0.0), replace(traces, counts=noise)) == ""
