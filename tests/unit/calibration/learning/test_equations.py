"""The reduced equations against all unknowns solved together, dense and in full."""

from __future__ import annotations

import numpy as np
import pytest

from lauedepth.calibration.learning import Start
from lauedepth.calibration.learning._model import SIZE, edge_slope, fill_model, new_work
from lauedepth.calibration.learning.equations import PARTS, Information, information_of, solve
from lauedepth.calibration.learning.instrument import Layout, Nominal
from lauedepth.calibration.learning.limits import HELD
from lauedepth.calibration.learning.pixels import PixelFits
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.simulation import Footprints, quick_traces


def few_pixels(experiment: Experiment) -> PixelFits:
    rng = np.random.default_rng(5)
    row, column = rng.uniform(600, 1400, (2, 3))
    depth = np.array([20.0, 60.0, 110.0])
    light = Footprints(depth, np.full(3, 8.0), np.full(3, 800.0), np.full(3, 13.0))
    counts = rng.poisson(quick_traces(experiment, row, column, light, background=20.0))
    start = Start(depth, np.full(3, 8.0), np.full(3, 500.0), np.full(3, 100.0))
    usable = np.ones(len(experiment.frames), bool)
    return PixelFits.of(experiment, row, column, counts, usable, start, (8.0, 22.0))


def test_schur_complement_leaves_out_the_pixels_own_unknowns(twin: Experiment) -> None:
    """The dense Fisher matrix of three pixels' 24 unknowns and the instrument's, reduced."""
    nominal = Nominal.of(twin)
    layout = nominal.layout
    shared = nominal.with_departures(np.zeros(layout.size), opaque=False)
    pixels = few_pixels(twin).fitted(shared, 1.0)
    equations, rows = pixels.equations(shared, np.ones(3), layout.size - 1)
    found = information_of(equations, rows, layout, np.zeros(layout.size))

    own = 3 * SIZE
    dense = np.zeros((own + layout.size, own + layout.size))
    push = np.zeros(own + layout.size)
    work = new_work(layout.frames, layout.edges)
    for index in range(3):
        theta = pixels.theta[index]
        window = float(pixels.batch.window[index])
        fill_model(pixels.batch.pixel[index], window, theta, shared, work)
        jacobian = np.zeros((layout.frames, own + layout.size))
        jacobian[:, index * SIZE : (index + 1) * SIZE] = work.slopes.T
        by_shared = jacobian[:, own:]
        each = np.arange(layout.frames)
        by_shared[each, each] = work.by_position
        by_shared[each, layout.frames + each] = work.light
        edges = np.array(
            [
                [edge_slope(n, int(k), window, theta, shared, work) for n in range(layout.edges)]
                for k in each
            ]
        )
        by_shared[:, layout.edge] = edges
        by_shared[:, layout.widening] = (edges @ layout.outward)[:, None]
        by_shared[:, layout.window] = work.by_window[:, None]
        left = pixels.batch.counts[index] - work.light
        weight = 1.0 / np.maximum(work.light, 1.0)
        size = np.abs(left) * np.sqrt(weight)
        weight *= np.minimum(1.0, 4.0 / np.maximum(size, 1e-9))
        dense += jacobian.T @ (weight[:, None] * jacobian)
        push += jacobian.T @ (weight * left)
        mine = slice(index * SIZE, (index + 1) * SIZE)
        stiff = 1.0 / theta[2:6].mean() ** 2
        dense[mine, mine][2:6, 2:6] += stiff * (np.eye(4) - 0.25)
        dense[mine, mine][7, 7] += pixels.batch.precision[index]
        push[mine][2:6] -= stiff * (theta[2:6] - theta[2:6].mean())
        push[mine][7] -= pixels.batch.precision[index] * (
            theta[7] - pixels.batch.log_absorption[index]
        )
    inner, across = dense[:own, :own], dense[:own, own:]
    wanted = dense[own:, own:] - across.T @ np.linalg.solve(inner, across)
    scale = np.sqrt(np.diag(dense)[own:] + 1.0)
    np.testing.assert_allclose(
        found.matrix / np.outer(scale, scale), wanted / np.outer(scale, scale), atol=1e-9
    )
    reduced = push[own:] - across.T @ np.linalg.solve(inner, push[:own])
    np.testing.assert_allclose(found.push / scale, reduced / scale, atol=1e-8)


def drawn(layout: Layout, seed: int, **size: float) -> tuple[Information, np.ndarray]:
    """Return what measurements of each unknown by itself, to 0.1, would tell of a truth."""
    rng = np.random.default_rng(seed)
    truth = np.zeros(layout.size)
    for part, spread in size.items():
        where = getattr(layout, part)
        truth[where] = rng.normal(0, spread, where.stop - where.start)
    seen = truth + rng.normal(0, 0.1, layout.size)
    matrix = 100.0 * np.eye(layout.size)
    return Information(matrix, matrix @ seen, np.zeros(layout.size)), truth


@pytest.mark.parametrize("seed", range(5))
def test_parts_that_do_not_depart_shrink_to_nothing(seed: int) -> None:
    layout = Layout(200, 80)
    information, truth = drawn(layout, seed, position=0.4)
    estimate = solve(information, layout)
    assert "position" in estimate.departed
    assert len(estimate.departed) <= 2
    for part in set(PARTS) - estimate.departed:
        assert np.abs(estimate.departures[getattr(layout, part)]).max() < 1e-3
    assert estimate.scales.position == pytest.approx(0.4, rel=0.15)
    error = (estimate.departures - truth)[layout.position]
    assert np.sqrt(np.mean(error**2)) == pytest.approx(0.1, rel=0.15)
    assert estimate.error[layout.position].mean() == pytest.approx(0.097, rel=0.02)


def test_means_that_traces_cannot_tell_are_held_at_zero() -> None:
    layout = Layout(200, 80)
    information, _ = drawn(layout, 1, position=0.4, beam=0.3, edge=0.3)
    found = solve(information, layout).departures
    for part in (layout.position, layout.beam, layout.edge):
        assert abs(found[part].mean()) < HELD
    assert abs(found[layout.edge] @ layout.outward) / layout.edges < HELD
