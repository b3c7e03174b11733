"""A pose that fits and cannot be right is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lauedepth.calibration import MeasuredTraces, PoseFit, Scan
from lauedepth.calibration.matching import MismatchError
from lauedepth.calibration.parameters import State, parameters_named
from lauedepth.calibration.plausibility import is_between, refuse_implausible
from lauedepth.calibration.pose_fit import Problem, fit_pose
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Experiment

IdealScan = Callable[..., tuple[Scan, MeasuredTraces]]
Shifted = Callable[..., Experiment]


def fitted(start: Experiment, scan: Scan, measured: MeasuredTraces) -> PoseFit:
    problem = Problem(State(start, 0.0), parameters_named(("pose",)), (scan,), (measured,))
    return fit_pose(problem, [measured.found])


def reversed_throughout(experiment: Experiment) -> Experiment:
    """Code and scan in the opposite sense: as if mirrored through the sample."""
    aperture = replace(experiment.aperture, code=experiment.aperture.code[::-1])
    motion = replace(experiment.motion, step_um=-experiment.motion.step_um)
    return replace(experiment, aperture=aperture, motion=motion)


def test_an_aperture_is_before_the_detector_or_behind_the_sample(
    norcada: Experiment, twin: Experiment
) -> None:
    for experiment in (norcada, twin):
        pose = experiment.pose
        assert is_between(experiment)
        for dist_mm in (-pose.dist_mm, 600.0):
            beyond = replace(experiment, pose=replace(pose, dist_mm=dist_mm, cenx_mm=-0.5))
            assert not is_between(beyond)


def test_a_start_far_off_is_no_reason_to_refuse(
    twin: Experiment, ideal_scan: IdealScan, moved_pose: Shifted
) -> None:
    truth = moved_pose(twin, [-0.5, 0.6, 0.2, 3.0, -4.0, 5.0])
    scan, measured = ideal_scan(State(truth, 0.0), 40, 1)
    found = fitted(twin, scan, measured)
    refuse_implausible(State(twin, 0.0), found, [scan], [measured.found])


def test_a_pose_far_beyond_its_start_is_refused(
    twin: Experiment, ideal_scan: IdealScan, moved_pose: Shifted
) -> None:
    truth = moved_pose(twin, [0, 2.5, 0, 0, 0, 0])
    scan, measured = ideal_scan(State(truth, 0.0), 40, 2)
    found = fitted(twin, scan, measured)
    with pytest.raises(InputError, match=r"far beyond its start: .*dist_mm by \+2\.5"):
        refuse_implausible(State(twin, 0.0), found, [scan], [measured.found])


def test_a_pose_mirrored_through_the_sample_is_refused(
    twin: Experiment, ideal_scan: IdealScan
) -> None:
    """Positions on a reversed code run backwards: an aperture behind the sample explains them."""
    scan, measured = ideal_scan(State(reversed_throughout(twin), 0.0), 40, 3)
    read_forwards = measured.values.copy()
    read_forwards[:, 0] = twin.aperture.length_um - measured.values[:, 0]
    read_forwards[:, 1] *= -1
    found = fitted(twin, scan, replace(measured, values=read_forwards))
    assert found.reduced_chi_square < 1.5
    with pytest.raises(MismatchError, match=r"mirrored through the sample.*dist_mm -1\.\d+"):
        refuse_implausible(State(twin, 0.0), found, [scan], [measured.found])


@pytest.mark.parametrize(("number", "error"), [(0, MismatchError), (1, InputError)])
def test_a_fit_that_drops_most_of_a_scan_is_refused(
    twin: Experiment, ideal_scan: IdealScan, number: int, error: type[Exception]
) -> None:
    state = State(twin, 0.0)
    scans, measured = zip(*(ideal_scan(state, 40, seed) for seed in (4, 5)), strict=True)
    problem = Problem(state, parameters_named(("pose",)), scans, measured)
    found = fit_pose(problem, [one.found for one in measured])
    used = list(found.used)
    used[number] = np.arange(40) < 15
    with pytest.raises(error, match="only 15 of 40 pixels that match the code agree") as refused:
        refuse_implausible(
            state, replace(found, used=tuple(used)), scans, [one.found for one in measured]
        )
    assert type(refused.value) is error
