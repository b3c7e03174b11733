"""Second depths: found where they are, and not made up of what a model leaves over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from tests.geometries import NORCADA, TWIN

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.pixels import (
    DecodedPixels,
    DecodeOptions,
    ModelError,
    PixelFlag,
    PixelStatus,
)
from lauedepth.core.instrument.aperture import bar_edges
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.simulation import Flaws, Footprints, expected_traces, flawed_traces

PIXELS, PARTS, BACKGROUND = 150, 12, 20.0


def _places(experiment: Experiment, seed: int) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    row, column = rng.uniform(150, 1900, (2, PIXELS))
    depths = experiment.depths
    return row, column, rng.uniform(depths.start_um + 40, depths.stop_um - 40, PIXELS)


def _seconds(found: DecodedPixels) -> npt.NDArray[np.int64]:
    return found.trace[(found.flags & PixelFlag.SECOND_DEPTH) > 0]


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_hard_light_that_falls_off_to_one_side_is_one_footprint(backend: str) -> None:
    row, column, centre = _places(TWIN, 3)
    rng = np.random.default_rng(4)
    width, energy = rng.uniform(7, 12, (PIXELS, 1)), rng.uniform(18, 22, (PIXELS, 1))
    place = (np.arange(PARTS) + 0.5) / PARTS - 0.5
    share = np.exp(rng.choice([-1, 1], (PIXELS, 1)) * rng.uniform(1.5, 3, (PIXELS, 1)) * place)
    share /= share.sum(axis=1, keepdims=True)
    light = Footprints(centre[:, None] + width * place, width / PARTS, 800.0 * share, energy)
    expected = expected_traces(TWIN, row, column, light, background=BACKGROUND)
    some = slice(None) if backend == "cpu" else slice(0, 40)
    counts = rng.poisson(expected)[some]
    found = decode(TWIN, row[some], column[some], counts, backend=backend)
    assert _seconds(found).size <= 1
    assert np.mean(found.status == PixelStatus.DECODED) > 0.98


def test_what_many_pixels_leave_over_is_no_second_depth() -> None:
    row, column, centre = _places(TWIN, 5)
    rng = np.random.default_rng(6)
    overlap = np.arange(PIXELS) % 10 == 0
    other = np.where(centre > 100.0, centre - 60.0, centre + 60.0)
    light = Footprints(
        np.stack([centre, other], axis=1),
        np.full((PIXELS, 2), 5.0),
        np.stack([np.where(overlap, 1800.0, 3000.0), np.where(overlap, 1200.0, 0.0)], axis=1),
    )
    flaws = Flaws(edges_um=0.5, motor_drift_um=1.5, widening_um=0.7)
    expected, _, _ = flawed_traces(TWIN, row, column, light, flaws, background=BACKGROUND, seed=7)
    counts = rng.poisson(expected)
    designed = decode(TWIN, row, column, counts, backend="cpu")
    made_up = np.setdiff1d(_seconds(designed), np.flatnonzero(overlap))
    assert made_up.size > 15  # or nothing is tested
    # As measured: what single boxes leave over, over the light that bars modulate.
    excess = (designed.residual - 1.0) * (designed.background + designed.intensity / 2)
    left = float(np.nanmedian(excess / designed.intensity**2))
    known = ModelError(np.array([0.0, 4000.0]), np.full(2, left))
    judged = decode(
        TWIN, row, column, counts, backend="cpu", options=DecodeOptions(model_error=known)
    )
    assert set(np.flatnonzero(overlap)) <= set(_seconds(judged))
    assert np.setdiff1d(_seconds(judged), np.flatnonzero(overlap)).size <= 1
    few = slice(0, 30)
    defined = decode(
        TWIN, row[few], column[few], counts[few], backend="reference",
        options=DecodeOptions(model_error=known),
    )  # fmt: skip
    assert _seconds(defined).tolist() == [one for one in _seconds(judged) if one < 30]


def _shifted(shift_mm: float) -> Experiment:
    return replace(NORCADA, motion=replace(NORCADA.motion, shift_mm=shift_mm))


def _crossed(experiment: Experiment) -> int:
    """Return how many edges the ray from 0 µm to a pixel crosses."""
    edges = np.concatenate(bar_edges(experiment.aperture))
    rays = RayMap.of(experiment, [1000.0], [1000.0])
    low, high = np.sort([float(rays.position_um(0.0, frame)[0]) for frame in (0, 540)])
    return int(np.sum((edges > low) & (edges < high)))


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_one_edge_of_the_code_tells_no_depth(backend: str) -> None:
    moved = next(one for one in map(_shifted, np.arange(-1.5, 1.5, 0.01)) if _crossed(one) == 1)
    light = Footprints(0.0, 4.0, 5000.0)
    expected = expected_traces(moved, [1000.0], [1000.0], light, background=BACKGROUND)
    counts = np.random.default_rng(1).poisson(expected)
    found = decode(moved, np.full(1, 1000.0), np.full(1, 1000.0), counts, backend=backend)
    assert found.status[0] == PixelStatus.OUTSIDE
