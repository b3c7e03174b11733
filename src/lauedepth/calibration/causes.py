"""Why positions scatter more than they should: possible causes are tried one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lauedepth.calibration.parameters import DETECTOR, FITTABLE, Parameter
from lauedepth.calibration.pose_fit import PoseFit, Problem, fit_pose

SIGNIFICANT: Final = 5.0
"""Standard deviations of chi-square by which scatter, and the gain of a cause, stand out."""
MAXIMUM_LEFT: Final = 0.5
"""Fraction of the excess of chi-square that a cause may leave."""
SIMPLER: Final = 1.3
"""The step is the cause if it leaves no more chi-square than this times what the detector does."""


@dataclass(frozen=True)
class Cause:
    """What explains the scatter.

    Attributes
    ----------
    warning : str
        In words.
    problem : Problem
        With what was changed.
    fit : PoseFit
        Of it; the pose that is right if this is the cause.
    is_adopted : bool
        Whether the scan itself determines it, so that the fit with it is the better one.
    """

    warning: str
    problem: Problem
    fit: PoseFit
    is_adopted: bool


def cause_of_scatter(problem: Problem, found: PoseFit) -> Cause | None:
    """Return what explains most of the scatter: the step, or the detector; None if nothing does.

    Parameters
    ----------
    problem : Problem
    found : PoseFit
        Its solution.
    """
    if not _stands_out(found):
        return None
    step, detector = (_tried(problem, found, one) for one in (FITTABLE["step"], DETECTOR))
    simpler = SIMPLER * detector[1].reduced_chi_square
    if _explains(found, step[1]) and step[1].reduced_chi_square < simpler:
        text = _step_warning(step[1])
        if _explains(found, detector[1]):
            text += "; a detector that stands elsewhere would explain it too"
        return Cause(text, *step, is_adopted=True)
    if _explains(found, detector[1]):
        return Cause(_detector_warning(detector[1]), *detector, is_adopted=False)
    return None


def _tried(problem: Problem, found: PoseFit, more: Sequence[Parameter]) -> tuple[Problem, PoseFit]:
    """Fit some more parameters, those that are fitted already aside."""
    new = tuple(one for one in more if one not in problem.parameters)
    wider = replace(problem, parameters=(*problem.parameters, *new))
    return wider, fit_pose(wider, found.used)


def _step_warning(fit: PoseFit) -> str:
    (change,) = (one for one in fit.parameters if one.name == "step_change_percent")
    return (
        f"positions scatter unless the step is {change.value:+.3f} ± {change.error:.3f} % longer "
        "than stated: it was fitted too"
    )


def _detector_warning(fit: PoseFit) -> str:
    names = {one.name for one in DETECTOR}
    moved = [one for one in fit.parameters if one.name in names and one.determined]
    changes = ", ".join(f"{one.name} {one.value:+.2g}" for one in moved)
    return (
        f"positions scatter as if the detector stood elsewhere ({changes}): check its geometry "
        "file; the pose makes up for most of it"
    )


def _stands_out(fit: PoseFit) -> bool:
    return (fit.reduced_chi_square - 1) * float(np.sqrt(fit.freedom / 2)) > SIGNIFICANT


def _explains(before: PoseFit, after: PoseFit) -> bool:
    """Return whether what was added takes away most of the excess, and not by chance."""
    left, excess = after.reduced_chi_square - 1, before.reduced_chi_square - 1
    more = max(before.freedom - after.freedom, 1)
    gain = before.reduced_chi_square / after.reduced_chi_square - 1
    by_chance = more + SIGNIFICANT * float(np.sqrt(2 * more))
    return bool(left < MAXIMUM_LEFT * excess and gain * before.freedom > by_chance)
