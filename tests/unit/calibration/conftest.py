"""The two published 34-ID-E geometries, and scans of a membrane simulated with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.calibration import Scan
from lauedepth.core.aperture import prefer_same_code
from lauedepth.core.experiment import (
    Aperture,
    Depths,
    Detector,
    Experiment,
    Frames,
    Motion,
    Pose,
)
from lauedepth.simulation import Flaws, Footprints, quick_traces
from lauedepth.simulation.flaws import Timeline

DETECTOR = Detector(
    shape=(2048, 2048),
    size_mm=(409.6, 409.6),
    rotation_rad=(-1.20161887, -1.21404493, -1.21852276),
    translation_mm=(28.828, 2.715, 512.993),
)
SCANNER = (0.0045, -0.00684, -3.375e-05)

ScanMaker = Callable[..., Scan]
Shifted = Callable[..., Experiment]


@pytest.fixture(scope="session")
def norcada() -> Experiment:
    return Experiment(
        DETECTOR,
        Aperture(prefer_same_code()),
        Pose(0.44223633, 1.60844727, 0.75195312, 0.09179688, -0.47070312, 43.84902344),
        Motion(step_um=0.5, shift_mm=0.21, rotation_rad=SCANNER),
        Frames(0, 541),
        Depths(-200.0, 200.0),
    )


@pytest.fixture(scope="session")
def twin() -> Experiment:
    return Experiment(
        DETECTOR,
        Aperture(prefer_same_code()),
        Pose(0.443310547, 1.60405273, 0.935546875, -0.001953125, -0.662109375, 43.3119141),
        Motion(step_um=1.0, shift_mm=0.22, rotation_rad=SCANNER),
        Frames(0, 261),
        Depths(-100.0, 300.0),
    )


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
