"""Errors of depths say how far these are off, whatever the footprint's shape."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from tests.geometries import NORCADA, TWIN

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.decode import decode
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.simulation import Footprints, expected_traces

PIXELS, PARTS, BACKGROUND = 240, 12, 20.0


class Found(NamedTuple):
    error_um: Floats
    pull: Floats
    residual: Floats


def _decoded(experiment: Experiment, counts: float, skew: float, seed: int) -> Found:
    """Decode footprints of 2 to 12 µm, the light of which falls off by up to e^skew."""
    rng = np.random.default_rng(seed)
    low, high = experiment.depths.start_um + 30, experiment.depths.stop_um - 30
    centre, width = rng.uniform(low, high, PIXELS), rng.uniform(2.0, 12.0, PIXELS)
    row, column = rng.uniform(150, 1900, (2, PIXELS))
    place = (np.arange(PARTS) + 0.5) / PARTS - 0.5
    depth = centre[:, None] + width[:, None] * place
    share = np.exp(rng.uniform(-skew, skew, (PIXELS, 1)) * place)
    share /= share.sum(axis=1, keepdims=True)
    light = Footprints(depth, np.repeat(width[:, None] / PARTS, PARTS, axis=1), counts * share)
    expected = expected_traces(experiment, row, column, light, background=BACKGROUND)
    found = decode(experiment, row, column, rng.poisson(expected), backend="cpu")
    first = np.concatenate([[True], np.diff(found.trace) > 0]) & np.isfinite(found.depth_um)
    assert first.sum() >= 0.99 * PIXELS
    error = found.depth_um[first] - (depth * share).sum(axis=1)[found.trace[first]]
    pull = np.clip(error / found.depth_error_um[first], -10.0, 10.0)
    return Found(error, pull, found.residual[first])


@pytest.mark.parametrize("experiment", [NORCADA, TWIN], ids=["norcada", "twin"])
@pytest.mark.parametrize("counts", [500.0, 3000.0, 10000.0])
def test_errors_are_honest_whatever_the_shape(experiment: Experiment, counts: float) -> None:
    found = _decoded(experiment, counts, 3.0, seed=20 + int(counts))
    # 240 pulls of unit variance have an rms of 1 within 5 %; the design allows 0.85 to 1.2.
    assert 0.85 < np.sqrt(np.mean(found.pull**2)) < 1.2
    assert np.median(found.residual) < 1.1


@pytest.mark.parametrize("experiment", [NORCADA, TWIN], ids=["norcada", "twin"])
def test_even_light_is_known_as_well_as_a_box_is(experiment: Experiment) -> None:
    found = _decoded(experiment, 3000.0, 0.0, seed=7)
    assert 0.85 < np.sqrt(np.mean(found.pull**2)) < 1.2
    said = np.abs(found.error_um / found.pull)
    shape = _decoded(experiment, 3000.0, 3.0, seed=7)
    # What a shape costs is not paid by light that has none.
    assert np.median(said) < 0.8 * np.median(np.abs(shape.error_um / shape.pull))
