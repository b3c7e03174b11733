"""Names of parameters, and what changing them does."""

from __future__ import annotations

import numpy as np
import pytest

from lauedepth.calibration.parameters import FITTABLE, State, apply_changes, parameters_named
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.geometry import scan_direction

EVERYTHING = ("pose", "step", "scan-direction", "thickness", "widening", "sample-depth")


def test_each_parameter_changes_by_what_is_asked(norcada: Experiment) -> None:
    state = State(norcada, 12.0)
    for parameter in parameters_named(EVERYTHING):
        after = parameter.add(state, 0.25)
        if parameter.name.startswith(("scan_", "step_")):
            assert parameter.get(state) == 0.0
            assert after != state
        else:
            assert parameter.get(after) == pytest.approx(parameter.get(state) + 0.25)


def test_scan_direction_turns_by_the_angle(norcada: Experiment) -> None:
    before = scan_direction(norcada.motion)
    for name in ("scan_in_plane_deg", "scan_out_of_plane_deg"):
        after = apply_changes(State(norcada, 0.0), parameters_named([name]), np.array([0.5]))
        turned = scan_direction(after.experiment.motion)
        assert np.rad2deg(np.arccos(turned @ before)) == pytest.approx(0.5, abs=1e-4)
        assert np.linalg.norm(turned) == pytest.approx(1.0)


def test_step_changes_in_percent(twin: Experiment) -> None:
    after = apply_changes(State(twin, 0.0), parameters_named(["step"]), np.array([2.0]))
    assert after.experiment.motion.step_um == pytest.approx(1.02)


def test_groups_and_single_names_do_not_double() -> None:
    names = [one.name for one in parameters_named(["pose", "dist_mm", "thickness"])]
    assert names == [
        *("cenx_mm", "dist_mm", "cenz_mm", "anglex_deg", "angley_deg", "anglez_deg"),
        "thickness_um",
    ]
    assert {one.name for one in parameters_named(list(FITTABLE))} == {
        one.name for one in parameters_named(EVERYTHING)
    }


@pytest.mark.parametrize(
    ("names", "message"),
    [(["thicknes"], "did you mean thickness"), (["temperature"], "choose from"), ([], "nothing")],
)
def test_unknown_names_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parameters_named(names)
