"""Errors of depths say how far these are off, whatever the footprint's shape."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from tests.geometries import NORCADA, TWIN

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.decode import decode
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.simulation import Footprints, expected_traces

PIXELS, PARTS, BACKGROUND = 200, 12, 20.0


class Lit(NamedTuple):
    row: Floats
    column: Floats
    centre: Floats
    width: Floats


class Found(NamedTuple):
    trace: npt.NDArray[np.int64]
    said_um: Floats
    pull: Floats
    residual: Floats


def _lit(experiment: Experiment, rng: np.random.Generator) -> Lit:
    """Pixels anywhere on the detector that see light of 2 to 12 µm of depth."""
    low, high = experiment.depths.start_um + 30, experiment.depths.stop_um - 30
    row, column = rng.uniform(150, 1900, (2, PIXELS))
    return Lit(row, column, rng.uniform(low, high, PIXELS), rng.uniform(2.0, 12.0, PIXELS))


def _decoded(experiment: Experiment, counts: float, skew: float, seed: int) -> tuple[Lit, Found]:
    """Decode light that falls off by up to e^skew from one end of a footprint to the other."""
    rng = np.random.default_rng(seed)
    lit = _lit(experiment, rng)
    place = (np.arange(PARTS) + 0.5) / PARTS - 0.5
    depth = lit.centre[:, None] + lit.width[:, None] * place
    share = np.exp(rng.uniform(-skew, skew, (PIXELS, 1)) * place)
    share /= share.sum(axis=1, keepdims=True)
    part = np.repeat(lit.width[:, None] / PARTS, PARTS, axis=1)
    expected = _expected(experiment, lit, Footprints(depth, part, counts * share))
    found = decode(experiment, lit.row, lit.column, rng.poisson(expected), backend="cpu")
    first = np.concatenate([[True], np.diff(found.trace) > 0]) & np.isfinite(found.depth_um)
    assert first.sum() >= 0.99 * PIXELS
    trace, said = found.trace[first], found.depth_error_um[first]
    pull = (found.depth_um[first] - (depth * share).sum(axis=1)[trace]) / said
    return lit, Found(trace, said, np.clip(pull, -10.0, 10.0), found.residual[first])


def _expected(experiment: Experiment, lit: Lit, light: Footprints) -> Floats:
    return expected_traces(experiment, lit.row, lit.column, light, background=BACKGROUND)


def _least_error_um(experiment: Experiment, counts: float, lit: Lit) -> Floats:
    """Least error that the centre of a box can have: the Cramér-Rao bound of its four unknowns."""

    def expected(shift: float = 0.0, wider: float = 0.0) -> Floats:
        centre, width = lit.centre[:, None] + shift, lit.width[:, None] + wider
        return _expected(experiment, lit, Footprints(centre, width, np.full_like(centre, counts)))

    here = expected()
    slopes = [
        (expected(shift=0.05) - expected(shift=-0.05)) / 0.1,
        (expected(wider=0.05) - expected(wider=-0.05)) / 0.1,
        (here - BACKGROUND) / counts,
        np.ones_like(here),
    ]
    slope = np.stack(slopes, axis=2)
    information = np.einsum("pfi,pfj,pf->pij", slope, slope, 1.0 / here)
    return np.sqrt(np.linalg.inv(information)[:, 0, 0])


@pytest.mark.parametrize("experiment", [NORCADA, TWIN], ids=["norcada", "twin"])
@pytest.mark.parametrize("counts", [500.0, 3000.0])
def test_errors_are_honest_whatever_the_shape(experiment: Experiment, counts: float) -> None:
    _, found = _decoded(experiment, counts, 3.0, seed=20 + int(counts))
    # Where a pixel sees few edges of the code, light's thin end passes for background.
    beyond = np.abs(found.pull) > 5.0
    assert np.mean(beyond) < 0.015
    # 200 pulls of unit variance have an rms of 1 within 5 %; the design allows 0.85 to 1.2.
    assert 0.85 < np.sqrt(np.mean(found.pull[~beyond] ** 2)) < 1.2
    assert np.median(found.residual) < 1.1


@pytest.mark.parametrize("experiment", [NORCADA, TWIN], ids=["norcada", "twin"])
def test_even_light_is_known_as_well_as_a_box_can_be(experiment: Experiment) -> None:
    lit, found = _decoded(experiment, 3000.0, 0.0, seed=7)
    assert 0.85 < np.sqrt(np.mean(found.pull**2)) < 1.2
    least = _least_error_um(experiment, 3000.0, lit)[found.trace]
    # What a shape costs is hardly paid by light that has none.
    assert 0.95 < np.median(found.said_um / least) < 1.15
