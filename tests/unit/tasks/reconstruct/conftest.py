"""A small simulated point on disk, with its truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.config import ExperimentConfig, load_experiment
from lauedepth.core.instrument.experiment import Region
from lauedepth.io import write_point
from lauedepth.simulation import Flaws, LightSources, SimulatedPoint

ROOT = Path(__file__).parents[4]
REGION = Region((200, 48), (1000, 900))


@dataclass(frozen=True)
class SmallPoint:
    """A point file, how to reconstruct it, and what is in it."""

    path: Path
    config: ExperimentConfig
    truth: npt.NDArray[np.void]


def experiment() -> ExperimentConfig:
    """Return the example's experiment."""
    return load_experiment(ROOT / "examples" / "experiment.yml")


def simulated(
    flaws: Flaws | None = None, energy_kev: float = np.nan, intensity: float = 2000.0
) -> SimulatedPoint:
    """Return spots in three of four strips of rows, at three depths; bars stop NaN keV."""
    rng = np.random.default_rng(3)
    rows = np.concatenate([rng.integers(5, 15, 40), rng.integers(70, 80, 40), [130, 131, 199]])
    place = np.unique(rows * 48 + rng.integers(0, 48, rows.size))
    rows, columns = np.divmod(place, 48)
    begin = np.select([rows < 64, rows < 128], [10.0, 40.0], 80.0)
    light = LightSources.of(rows, columns, begin, begin + 8.0, intensity, energy_kev=energy_kev)
    return SimulatedPoint(experiment().to_core(), light, REGION, 5.0, flaws or Flaws(), seed=5)


def write(path: Path, point: SimulatedPoint, **more: Any) -> None:
    """Write a simulated point; frames that were dropped are left out."""
    recorded = point.timeline.recorded
    frames = (frame if kept else None for frame, kept in zip(point.frames(), recorded, strict=True))
    write_point(
        path,
        frames,
        point.shape[0],
        region=point.region,
        detector=point.experiment.detector,
        sample_xyz=(1.0, 2.0, 3.0),
        **more,
    )


@pytest.fixture(scope="session")
def small_point(tmp_path_factory: pytest.TempPathFactory) -> SmallPoint:
    """A point of 200 x 48 pixels, about eighty of them lit."""
    path = tmp_path_factory.mktemp("point") / "small.h5"
    point = simulated()
    write(path, point, metadata={"@file_time": "2023-02-28 10:11:12"})
    return SmallPoint(path, experiment(), point.truth)


@pytest.fixture(scope="session")
def point_with_lost_frames(tmp_path_factory: pytest.TempPathFactory) -> SmallPoint:
    """The same with three frames lost."""
    path = tmp_path_factory.mktemp("point") / "lost.h5"
    point = replace(simulated(Flaws(dropped=(0, 77, 260))))
    write(path, point)
    return SmallPoint(path, experiment(), point.truth)


@pytest.fixture(scope="session")
def point_through_bars(tmp_path_factory: pytest.TempPathFactory) -> SmallPoint:
    """The same of photons that the bars let through in part."""
    path = tmp_path_factory.mktemp("point") / "hard.h5"
    point = simulated(energy_kev=20.0, intensity=10000.0)
    write(path, point)
    return SmallPoint(path, experiment(), point.truth)
