"""The compiled search against the same sums taken one by one."""

from __future__ import annotations

import numpy as np
import pytest

from lauedepth.core.decoding.code_search import LEAST_CONTRAST
from lauedepth.core.decoding.compiled.problem import problem_of
from lauedepth.core.decoding.compiled.rays import OPAQUE, OUTSIDE, WIDTHS, window_of
from lauedepth.core.decoding.cpu._batch import set_search
from lauedepth.core.decoding.cpu._shadow import build_integral, build_knots
from lauedepth.core.decoding.cpu._types import View, new_space
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap


@pytest.mark.parametrize("lost", [slice(0), slice(100, 131), slice(0, None, 3), slice(200, None)])
def test_every_candidate_has_the_variance_of_its_own_stretch(twin: Experiment, lost: slice) -> None:
    rays = RayMap.of(twin, [100.0, 1024.0, 1900.0], [1900.0, 1024.0, 150.0])
    problem = problem_of(twin, rays, DecodeOptions())
    frames = len(twin.frames)
    knots = np.empty(2 * problem.bar_knots.size + 2)
    bars, rises, integral = np.empty_like(knots), np.empty_like(knots), np.empty_like(knots)
    mask = np.ones(frames)
    mask[lost] = 0.0
    space = new_space(frames, problem.candidates)
    for number in range(3):
        pixel = np.ascontiguousarray(rays.pixel_mm[number])
        view = View(
            knots,
            bars,
            rises,
            integral,
            pixel,
            problem.geometry,
            mask,
            np.empty(0),
            int(mask.sum()),
        )
        middle = float(problem.depths.mean())
        window = window_of(pixel, problem.geometry, middle)
        build_knots(problem.bar_knots, problem.bar_running, window, knots, bars, rises)
        build_integral(knots, bars, rises, OPAQUE, integral)
        for scratch in space:
            scratch[...] = np.nan if scratch.dtype.kind == "f" else -1
        group, count, summed = set_search(view, problem, space)
        weights = mask[: summed * group].reshape(summed, group).mean(axis=1)
        for which, width in enumerate(WIDTHS):
            length = count + 2 * OUTSIDE + summed - 1
            smooth = np.convolve(space.template[:length], np.full(width, 1 / width), "valid")
            smooth = smooth[OUTSIDE - width // 2 :]
            stretches = np.lib.stride_tricks.sliding_window_view(smooth, summed)[:count]
            mean = np.average(stretches, axis=1, weights=weights)
            spread = (stretches - mean[:, None]) ** 2 @ weights
            threshold = LEAST_CONTRAST * weights.sum()
            wanted = np.where(spread > threshold, 1 / spread, 0.0)
            clear = np.abs(spread / threshold - 1) > 1e-6
            found = space.inverse[which, :count]
            np.testing.assert_allclose(found[clear], wanted[clear], rtol=1e-6)
