"""The pixel's model against the decoder's definition of right, its derivatives by differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.calibration.learning._model import (
    ABSORPTION,
    SIZE,
    Shared,
    edge_slope,
    fill_model,
    new_work,
)
from lauedepth.calibration.learning.instrument import Nominal
from lauedepth.core.instrument.aperture import BarTable
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.core.instrument.shadow import Shadow

Array = npt.NDArray[Any]
THETA = np.array([20.0, 8.0, 100.0, 300.0, 200.0, 50.0, 30.0, np.log(1.3)])
STEP = 1e-4


class Pixel:
    """One pixel of an instrument that departs from its design everywhere."""

    def __init__(self, experiment: Experiment, opaque: bool) -> None:
        rng = np.random.default_rng(3)
        rays = RayMap.of(experiment, np.array([700.0]), np.array([1300.0]))
        self.place = np.ascontiguousarray(rays.pixel_mm[0])
        self.window = float(rays.window_um(20.0)[0])
        nominal = Nominal.of(experiment)
        layout = nominal.layout
        departures = np.zeros(layout.size)
        departures[layout.position] = rng.normal(0, 0.3, layout.frames)
        departures[layout.beam] = rng.normal(0, 0.05, layout.frames)
        departures[layout.edge] = rng.normal(0, 0.3, layout.edges)
        departures[layout.widening] = 0.4
        self.step_um = nominal.step_um
        self.shared = nominal.with_departures(departures, opaque=opaque)
        self.work = new_work(layout.frames, layout.edges)

    def light(
        self,
        theta: Array = THETA,
        window: float | None = None,
        shared: Shared | None = None,
    ) -> Array:
        fill_model(self.place, window or self.window, theta, shared or self.shared, self.work)
        return self.work.light.copy()

    def difference(self, at: Callable[[float], dict[str, Any]]) -> Array:
        return (self.light(**at(STEP)) - self.light(**at(-STEP))) / (2 * STEP)


@pytest.fixture(params=[False, True], ids=["absorbing", "opaque"])
def pixel(request: pytest.FixtureRequest, twin: Experiment) -> Pixel:
    return Pixel(twin, request.param)


def test_model_is_the_shadow_averaged_over_the_sub_boxes(twin: Experiment) -> None:
    for opaque in (False, True):
        pixel = Pixel(twin, opaque)
        light = pixel.light()
        rays = RayMap.of(twin, np.array([700.0]), np.array([1300.0])).pick(0)
        edges = pixel.shared.edges
        lengths = np.concatenate([[0.0], np.cumsum(edges[1::2] - edges[::2])])
        table = BarTable(edges, np.repeat(lengths, 2)[1:-1])
        x = None if opaque else float(np.exp(THETA[ABSORPTION]))
        shadow = Shadow.of(table, pixel.window, x)
        ends = [rays.position_um(16.0 + 2.0 * end, pixel.shared.positions) for end in range(5)]
        wanted = 30.0 + sum(
            light_of * shadow.mean(ends[box], ends[box + 1])
            for box, light_of in enumerate(THETA[2:6])
        )
        np.testing.assert_allclose(light, wanted, atol=1e-6)


@pytest.mark.parametrize("parameter", range(SIZE))
def test_derivatives_by_the_pixels_own_unknowns(pixel: Pixel, parameter: int) -> None:
    pixel.light()
    slopes = pixel.work.slopes[parameter].copy()

    def at(step: float) -> dict[str, Any]:
        theta = THETA.copy()
        theta[parameter] += step
        return {"theta": theta}

    np.testing.assert_allclose(slopes, pixel.difference(at), atol=1e-5)


def test_derivatives_by_position_and_window(pixel: Pixel) -> None:
    pixel.light()
    by_position, by_window = pixel.work.by_position.copy(), pixel.work.by_window.copy()
    moved = pixel.difference(
        lambda step: {
            "shared": pixel.shared._replace(positions=pixel.shared.positions + step / pixel.step_um)
        }
    )
    assert np.abs(moved).max() > 10
    np.testing.assert_allclose(by_position, moved, atol=1e-5)
    wider = pixel.difference(lambda step: {"window": pixel.window * np.exp(step)})
    assert np.abs(wider).max() > 10
    np.testing.assert_allclose(by_window, wider, atol=1e-5)


def test_derivatives_by_edges(pixel: Pixel) -> None:
    pixel.light()
    frames, edges = pixel.shared.positions.size, pixel.shared.edges.size
    slopes = np.array(
        [
            [edge_slope(n, k, pixel.window, THETA, pixel.shared, pixel.work) for n in range(edges)]
            for k in range(frames)
        ]
    )
    seen = np.flatnonzero(np.abs(slopes).max(axis=0) > 1.0)
    assert seen.size > 10
    for edge in seen[:: seen.size // 8]:

        def at(step: float, edge: int = edge) -> dict[str, Any]:
            moved = pixel.shared.edges.copy()
            moved[edge] += step
            return {"shared": pixel.shared._replace(edges=moved)}

        np.testing.assert_allclose(slopes[:, edge], pixel.difference(at), atol=1e-5)
