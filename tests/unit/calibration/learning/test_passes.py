"""An instrument far from its design is learnt in two passes."""

from __future__ import annotations

import numpy as np
import pytest
from tests.geometries import TWIN

from lauedepth.calibration.learning import (
    InstrumentFit,
    LearnOptions,
    learn_from_traces,
    learn_instrument,
    start_from,
)
from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.pixels import DecodeOptions, PixelFlag
from lauedepth.simulation import Flaws, Footprints, flawed_traces

PIXELS = 300
FAR = Flaws(
    edges_um=1.0,
    widening_um=2.5,
    jitter_um=1.0,
    motor_drift_um=5.0,
    step_error=0.01,
    top_up=0.25,
    thickness=0.3,
)
OPTIONS = LearnOptions(energy_kev=(8.0, 22.0))


def test_light_that_a_departing_instrument_hides_teaches_in_the_second_pass() -> None:
    rng = np.random.default_rng(2)
    row, column = rng.uniform(200, 1850, (2, PIXELS))
    light = Footprints(
        rng.uniform(-60, 260, PIXELS),
        rng.uniform(3, 10, PIXELS),
        np.full(PIXELS, 3000.0),
        rng.uniform(8, 22, PIXELS),
    )
    expected, _, _ = flawed_traces(TWIN, row, column, light, FAR, background=20.0, seed=2)
    counts = rng.poisson(np.minimum(expected, 6e4)).astype(np.uint16)

    def seconds(fit: InstrumentFit) -> int:
        options = DecodeOptions(model_error=fit.model_error)
        found = decode(fit.applied_to(TWIN), row, column, counts, backend="cpu", options=options)
        return int(np.sum((found.flags & PixelFlag.SECOND_DEPTH) > 0))

    index, start = start_from(decode(TWIN, row, column, counts, backend="cpu"))
    once = learn_instrument(TWIN, row[index], column[index], counts[index], start, options=OPTIONS)
    twice = learn_from_traces(TWIN, row, column, counts, decoder="cpu", options=OPTIONS)
    assert once.accepted and twice is not None and twice.accepted
    assert twice.pixels_used > once.pixels_used
    assert seconds(once) > 5
    assert seconds(twice) <= 1


def test_nothing_is_learnt_from_dark_pixels() -> None:
    dark = np.random.default_rng(0).poisson(20.0, (40, len(TWIN.frames)))
    places = np.linspace(200.0, 1800.0, 40)
    assert learn_from_traces(TWIN, places, places, dark, decoder="cpu") is None


@pytest.mark.parametrize("pixels", [0, 1])
def test_no_pixels_teach_nothing(pixels: int) -> None:
    counts = np.full((pixels, len(TWIN.frames)), 20.0)
    assert learn_from_traces(TWIN, np.ones(pixels), np.ones(pixels), counts, decoder="cpu") is None
