"""Which sense of code and scan fits traces that do not match as the experiment states them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from lauedepth.calibration.consistency import consistent
from lauedepth.calibration.parameters import State, parameters_named
from lauedepth.calibration.plausibility import is_between
from lauedepth.calibration.pose_fit import Problem, fit_pose
from lauedepth.calibration.positions import (
    Scan,
    fit_scan,
    frames_from_middle,
    measured_traces,
)
from lauedepth.core.instrument.experiment import Experiment

PIXELS: Final = 12
"""Traces that are tried in each sense."""
MINIMUM_MATCHING: Final = 0.6
"""Fraction of them that must go together for a sense to fit."""


def advice_on_senses(start: State, scan: Scan) -> str:
    """Return which other sense of code and scan fits a scan, in words; empty if none does.

    Parameters
    ----------
    start : State
    scan : Scan
        Its brightest pixels are searched again for each of the three other senses.
    """
    some = _brightest(scan)
    for advice, experiment in _other_senses(start.experiment):
        if _fits(replace(start, experiment=experiment), some):
            return advice
    return ""


def _other_senses(experiment: Experiment) -> list[tuple[str, Experiment]]:
    """Return the experiment with the code, the scan, and both reversed."""
    aperture, motion = experiment.aperture, experiment.motion
    code = replace(aperture, code=aperture.code[::-1])
    scan = replace(motion, step_um=-motion.step_um)
    step = f"step_um {-motion.step_um:g}"
    return [
        (
            "the code fits when reversed: change aperture: reversed",
            replace(experiment, aperture=code),
        ),
        (f"the scan fits in the opposite sense: give {step}", replace(experiment, motion=scan)),
        (
            f"code and scan fit when both are reversed: change aperture: reversed, and give {step}",
            replace(experiment, aperture=code, motion=scan),
        ),
    ]


def _brightest(scan: Scan) -> Scan:
    best = np.argsort(-scan.counts[:, scan.usable].mean(axis=1), kind="stable")[:PIXELS]
    return replace(scan, row=scan.row[best], column=scan.column[best], counts=scan.counts[best])


def _fits(start: State, scan: Scan) -> bool:
    """Return whether most traces match, and put the aperture before the detector."""
    fits = fit_scan(start.experiment, scan, depth_um=start.depth_um)
    measured = measured_traces(fits, scan, frames_from_middle(scan.experiment(start.experiment)))
    used = consistent(scan.row, scan.column, measured.values[:, 0], measured.found)
    if used.sum() < MINIMUM_MATCHING * len(scan):
        return False
    problem = Problem(start, parameters_named(("pose",)), (scan,), (measured,))
    return is_between(fit_pose(problem, [used]).state.experiment)
