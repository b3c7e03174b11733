"""Ranges that an experiment gives for its calibration: the start, and a warning outside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lauedepth.calibration import CalibrationReport, forecast
from lauedepth.config import ExperimentConfig
from lauedepth.config.sections import CalibrationBounds
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.tasks.calibration_bounds import (
    bounds_of,
    start_within_bounds,
    warnings_of_bounds,
)


@pytest.fixture
def config(twin: Experiment) -> ExperimentConfig:
    """Its dist_mm, 1.604, lies within its range; anglez_deg, 43.31, lies outside."""
    bounds = CalibrationBounds(
        dist_mm=(1.5, 1.7, 0.01), anglez_deg=(44.0, 45.0, 0.1), cenx_mm=(0.01, 0.01, 0.001)
    )
    return ExperimentConfig.from_core(twin).model_copy(update={"calibration": bounds})


def test_ranges_of_no_width_say_nothing(config: ExperimentConfig) -> None:
    assert bounds_of(config) == {"dist_mm": (1.5, 1.7), "anglez_deg": (44.0, 45.0)}
    assert bounds_of(config.model_copy(update={"calibration": None})) == {}


def test_the_pose_starts_within_its_ranges(config: ExperimentConfig) -> None:
    start = start_within_bounds(config)
    assert start.pose.anglez_deg == 44.5
    assert start.pose.dist_mm == config.pose.dist_mm
    assert start.pose.cenx_mm == config.pose.cenx_mm


def test_a_pose_outside_its_ranges_is_warned_of(config: ExperimentConfig, twin: Experiment) -> None:
    fit = forecast(twin).fit
    report = CalibrationReport(twin, 0.0, fit, (), 0.02, (), ())
    assert warnings_of_bounds(config, report) == [
        "anglez_deg 43.3119 lies outside the range 44 to 45 that the experiment gives for its "
        "calibration"
    ]
    held = replace(fit, determined=fit.determined & False)
    assert warnings_of_bounds(config, replace(report, fit=held)) == []
