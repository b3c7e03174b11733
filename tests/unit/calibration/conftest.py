"""Poses off by a known amount, and scans of a membrane simulated with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.calibration import MeasuredTraces, Scan
from lauedepth.calibration.parameters import State
from lauedepth.core.instrument.experiment import (
    Experiment,
    Pose,
)
from lauedepth.core.instrument.geometry import code_coordinate, pixel_positions
from lauedepth.simulation import Flaws, Footprints, quick_traces
from lauedepth.simulation.flaws import Timeline

ScanMaker = Callable[..., Scan]
Shifted = Callable[..., Experiment]
IdealScan = Callable[..., tuple[Scan, MeasuredTraces]]
ERRORS = np.array([0.02, 2e-4])
"""Of position and advance, µm."""


@pytest.fixture(scope="session")
def moved_pose() -> Shifted:
    """Change a pose by (cenx, dist, cenz) in mm and (x, y, z) in degrees."""

    def moved(experiment: Experiment, change: npt.ArrayLike) -> Experiment:
        values = np.array(list(vars(experiment.pose).values())) + np.asarray(change)
        return replace(experiment, pose=Pose(*values.tolist()))

    return moved


@pytest.fixture(scope="session")
def membrane_scan() -> ScanMaker:
    """Simulate the traces of a thin crystal with the forward model."""

    def scan(
        experiment: Experiment,
        seed: int,
        *,
        shift_mm: float = 0.0,
        real_shift_mm: float | None = None,
        pixels: int = 30,
        span: tuple[float, float] = (20.0, 2028.0),
        depth_um: npt.ArrayLike = 0.0,
        width_um: float = 2.0,
        energy_kev: float = np.nan,
        peak: float = 500.0,
        flaws: Flaws | None = None,
        wrong: int = 0,
    ) -> Scan:
        rng = np.random.default_rng([seed, round(1e4 * shift_mm) + 10**6])
        row, column = rng.uniform(*span, (2, pixels))
        real = shift_mm if real_shift_mm is None else real_shift_mm
        motion = replace(experiment.motion, shift_mm=experiment.motion.shift_mm + real)
        there = replace(experiment, motion=motion)
        depth = np.array(np.broadcast_to(np.asarray(depth_um, np.float64), pixels))
        depth[:wrong] = rng.uniform(-90, 90, wrong)
        happened = Timeline.of(flaws or Flaws(), len(there.frames), motion.step_um, rng)
        light = Footprints(depth, width_um, peak * rng.uniform(0.3, 1.0, pixels), energy_kev)
        expected = quick_traces(
            there,
            row,
            column,
            light,
            background=100.0 if flaws else 20.0,
            frame=there.frames.indices + happened.position - np.arange(len(there.frames)),
        )
        counts = rng.poisson(expected * happened.current).astype(np.uint16)
        return Scan(row, column, counts, happened.recorded, shift_mm, f"scan {shift_mm:g}")

    return scan


@pytest.fixture(scope="session")
def ideal_scan() -> IdealScan:
    """Make measurements of known errors from what independent geometry gives."""

    def ideal(
        truth: State, number: int, seed: int, shift_mm: float = 0.0, sharper: float = 1.0
    ) -> tuple[Scan, MeasuredTraces]:
        errors = ERRORS / sharper
        rng = np.random.default_rng(seed)
        row, column = rng.uniform(0, 2047, (2, number))
        frames = len(truth.experiment.frames)
        scan = Scan(row, column, np.zeros((number, frames)), np.ones(frames, bool), shift_mm)
        there = scan.experiment(truth.experiment)
        pixels = pixel_positions(there.detector, row, column)
        middle = (frames - 1) / 2
        here, later = (code_coordinate(there, pixels, truth.depth_um, middle + k) for k in (0, 1))
        values = np.stack([here, later - here], axis=1) + rng.normal(0, errors, (number, 2))
        covariance = np.broadcast_to(np.diag(errors**2), (number, 2, 2))
        found, zeros = np.ones(number, bool), np.zeros(number)
        fits = np.zeros((number, 9))
        return scan, MeasuredTraces(found, values, covariance, zeros, zeros + 1, fits, found)

    return ideal
