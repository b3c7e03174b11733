"""Each thing that is doubtful or large about an instrument is told, and nothing of a good one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lauedepth.calibration.learning import InstrumentFit
from lauedepth.calibration.learning._batch import Batch
from lauedepth.calibration.learning.pixels import PixelFits
from lauedepth.calibration.learning.remarks import remarks_on
from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.pixels import ModelError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.known import KnownAperture

EDGES = 100
RAMP = np.arange(261.0) - 130.0
APART = np.eye(3) * 20.0
NOTHING_KNOWN = KnownAperture("", False, (), np.zeros((0, 0)), np.zeros(0))


def learnt(**changed: Any) -> InstrumentFit:
    """Return an instrument of which all is well, but for what is given."""
    values: dict[str, Any] = {
        "edges_um": np.arange(float(EDGES)),
        "edge_offset_um": np.tile([0.1, -0.1], EDGES // 2),
        "edge_error_um": np.full(EDGES, 0.02),
        "widening_um": 0.1,
        "widening_error_um": 0.01,
        "thickness_factor": 1.0,
        "thickness_error": 0.01,
        "position_um": 0.5 * np.sin(RAMP),
        "position_error_um": np.full(RAMP.size, 0.05),
        "log_beam": np.zeros(RAMP.size),
        "log_beam_error": np.full(RAMP.size, 0.01),
        "opaque": False,
        "departed": frozenset({"position"}),
        "misfit_before": 2.0,
        "misfit_after": 1.0,
        "gain_sigma": 8.0,
        "accepted": True,
        "edges_seen": 0.9,
        "pixels_used": 100,
        "pixels_held_out": 50,
        "rounds": 2,
        "code_um": np.array([0.0, 1000.0]),
        "depth_error_um": np.array([0.0, 0.1]),
        "model_error": ModelError(np.zeros(0), np.zeros(0)),
        "aperture": NOTHING_KNOWN,
        "told": NOTHING_KNOWN,
    }
    return InstrumentFit(**values | changed)


def at(places_mm: Floats) -> PixelFits:
    """Return pixels at places on the detector; remarks ask nothing else of them."""
    none = np.zeros(len(places_mm))
    table = np.zeros((len(places_mm), 1))
    batch = Batch(places_mm, table, table, none, none, none)
    return PixelFits(batch, none, none, np.zeros((len(places_mm), 8)), none)


def test_nothing_is_said_of_a_good_instrument(twin: Experiment) -> None:
    assert remarks_on(learnt(), twin, at(APART)) == ()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"position_error_um": np.full(261, 0.4)}, "too few photons: positions are known to 0.40"),
        ({"edges_seen": 0.59}, "only 59 % of the bars' edges were seen"),
        ({"position_um": 1.2 * np.sin(RAMP)}, "up to 1.2 µm from its place: check the motor"),
        ({"position_um": 0.003 * RAMP}, "steps are +0.30 % from 1 µm: correct motion.step_um"),
        ({"edge_offset_um": np.tile([0.6, -0.6], 50)}, "edges lie 0.6 µm (rms) from the design"),
        ({"widening_um": -0.7}, "-0.70 µm wider than the experiment says"),
        ({"accepted": False, "gain_sigma": 1.2}, "nothing was gained on pixels held out (1.2"),
    ],
)
def test_what_is_doubtful_or_large_is_told_alone(
    twin: Experiment, changed: dict[str, Any], told: str
) -> None:
    lines = remarks_on(learnt(**changed), twin, at(APART))
    assert len(lines) == 1 and told in lines[0]


@pytest.mark.parametrize(("spots", "warned"), [(1, True), (2, True), (3, False)])
def test_fewer_than_three_spots_are_told(twin: Experiment, spots: int, warned: bool) -> None:
    places = np.repeat(APART[:spots], 4, axis=0) + np.tile(np.linspace(0, 1, 4), spots)[:, None]
    lines = remarks_on(learnt(), twin, at(places))
    assert ["fewer than three spots" in line for line in lines] == [True] * warned


def test_departures_of_an_instrument_that_is_not_used_are_not_told(twin: Experiment) -> None:
    fit = learnt(accepted=False, gain_sigma=1.0, widening_um=3.0, position_um=5.0 * RAMP)
    assert len(remarks_on(fit, twin, at(APART))) == 1
