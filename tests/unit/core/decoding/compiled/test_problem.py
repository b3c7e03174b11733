"""What all pixels have in common."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lauedepth.core.decoding.compiled.problem import problem_of
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.instrument.experiment import Depths, Experiment
from lauedepth.core.instrument.raymap import RayMap


@pytest.mark.parametrize(("step_um", "width_um"), [(1.0, 1.0), (0.25, 1.0), (2.0, 2.0)])
def test_bins_begin_half_a_step_before_the_first_depth(
    twin: Experiment, step_um: float, width_um: float
) -> None:
    experiment = replace(twin, depths=Depths(-10.0, 50.0, step_um))
    problem = problem_of(experiment, RayMap.of(twin, [0.0], [0.0]), DecodeOptions())
    assert problem.bins.tolist() == [-10.0 - step_um / 2, width_um]
    assert problem.depths.tolist() == [experiment.depths.start_um, experiment.depths.stop_um]
