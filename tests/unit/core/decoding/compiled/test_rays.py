"""Rays along the code against `RayMap`, which reference uses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lauedepth.core.decoding.compiled.problem import problem_of
from lauedepth.core.decoding.compiled.rays import (
    bar_length,
    depth_of,
    misses_code,
    ray_line,
    search_line,
    search_size,
    window_of,
)
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.instrument.experiment import Experiment, Frames, Motion
from lauedepth.core.instrument.raymap import RayMap

ROWS, COLUMNS = [100.0, 1024.0, 1900.0], [1900.0, 1024.0, 150.0]


@pytest.mark.parametrize("depth_um", [-80.0, 0.0, 217.0])
def test_a_ray_is_a_straight_line_over_the_frames_used(twin: Experiment, depth_um: float) -> None:
    strided = replace(twin, frames=Frames(7, 240, 3))
    rays = RayMap.of(strided, ROWS, COLUMNS)
    problem = problem_of(strided, rays, DecodeOptions())
    frames = strided.frames.indices
    for number, pixel in enumerate(rays.pixel_mm):
        a, b = ray_line(pixel, problem.geometry, depth_um)
        wanted = rays.pick(number).position_um(depth_um, frames)
        np.testing.assert_allclose(a + b * np.arange(len(frames)), wanted, atol=1e-8)
        assert depth_of(pixel, problem.geometry, a) == pytest.approx(depth_um, abs=1e-6)
        window = float(rays.pick(number).window_um(depth_um))
        assert window_of(pixel, problem.geometry, depth_um) == pytest.approx(window)


def test_bars_before_a_coordinate_are_interpolated() -> None:
    knots, running = np.array([0.0, 10.0, 30.0]), np.array([0.0, 10.0, 10.0])
    for u, at in ((-5.0, 0), (4.0, 0), (10.0, 1), (25.0, 1), (40.0, 1)):
        assert bar_length(knots, running, u, at) == np.interp(u, knots, running)


def test_a_search_steps_by_whole_frames_up_to_its_spacing() -> None:
    assert search_size(0.0, 99.0, 0.9, 261) == (2, 56, 130)  # 2 x 0.9 µm; 99 / 1.8 = 55
    assert search_size(99.0, 0.0, -5.0, 261) == (1, 20, 261)


def test_a_search_covers_the_depths_and_begins_where_frames_lead_away(twin: Experiment) -> None:
    rays = RayMap.of(twin, ROWS, COLUMNS)
    problem = problem_of(twin, rays, DecodeOptions())
    for number, pixel in enumerate(rays.pixel_mm):
        ends = rays.pick(number).position_um(np.array([-100.0, 300.0]), 0)
        start, advance, (group, count, _) = search_line(
            pixel, problem.geometry, problem.depths, len(twin.frames)
        )
        first, last = sorted(ends) if advance > 0 else sorted(ends)[::-1]
        assert start == pytest.approx(first)
        assert 0 <= abs(last - start) - abs(advance * group) * (count - 1) < abs(advance * group)
        assert count <= problem.candidates


@pytest.mark.parametrize(("shift_mm", "missed"), [(0.22, False), (40.0, True), (-40.0, True)])
def test_rays_beside_the_code_miss_it(twin: Experiment, shift_mm: float, missed: bool) -> None:
    away = replace(twin, motion=Motion(1.0, shift_mm, rotation_rad=twin.motion.rotation_rad))
    rays = RayMap.of(away, [1000.0], [1000.0])
    problem = problem_of(away, rays, DecodeOptions())
    knots = problem.bar_knots
    frames = len(away.frames)
    assert missed == misses_code(
        rays.pixel_mm[0], problem.geometry, problem.depths, frames, knots[0], knots[-1]
    )
