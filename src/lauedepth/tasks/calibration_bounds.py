"""The ranges that an experiment gives for its calibration: where to start, and what to expect."""

from __future__ import annotations

from typing import Final

from lauedepth.calibration import CalibrationReport
from lauedepth.config import ExperimentConfig

POSE: Final = ("cenx_mm", "dist_mm", "cenz_mm", "anglex_deg", "angley_deg", "anglez_deg")


def start_within_bounds(config: ExperimentConfig) -> ExperimentConfig:
    """Return an experiment whose pose starts within the ranges given for its calibration.

    What lies outside its range starts in the middle of it.
    """
    moved = {
        name: (low + high) / 2
        for name, (low, high) in bounds_of(config).items()
        if not low <= getattr(config.pose, name) <= high
    }
    return config.model_copy(update={"pose": config.pose.model_copy(update=moved)})


def warnings_of_bounds(config: ExperimentConfig, report: CalibrationReport) -> list[str]:
    """Return which parameters were found outside the ranges given for them."""
    found = {one.name: one.value for one in report.fit.parameters if one.determined}
    return [
        f"{name} {found[name]:.6g} lies outside the range {low:g} to {high:g} that the experiment "
        "gives for its calibration"
        for name, (low, high) in bounds_of(config).items()
        if name in found and not low <= found[name] <= high
    ]


def bounds_of(config: ExperimentConfig) -> dict[str, tuple[float, float]]:
    """Return the ranges of the pose's parameters; those of no width say nothing."""
    if config.calibration is None:
        return {}
    given = {name: getattr(config.calibration, name, None) for name in POSE}
    return {
        name: (float(range_[0]), float(range_[1]))
        for name, range_ in given.items()
        if range_ is not None and range_[1] > range_[0]
    }
