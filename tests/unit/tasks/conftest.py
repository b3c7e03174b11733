"""A point of sixteen spots, and requests to calibrate with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lauedepth.config import ExperimentConfig
from lauedepth.core.instrument.experiment import Experiment, Region
from lauedepth.io import write_point
from lauedepth.simulation import LightSources, SimulatedPoint
from lauedepth.tasks.calibrate import CalibrationRequest
from lauedepth.tasks.calibration_scans import ScanRequest

SpotWriter = Callable[[Path, Experiment], None]

REGION = Region((64, 64), (0, 0), (32, 32))
SPOTS = np.stack(np.meshgrid(np.arange(6, 64, 16), np.arange(4, 64, 16))).reshape(2, -1)


@pytest.fixture(scope="session")
def write_spots() -> SpotWriter:
    """Write sixteen single-pixel spots from depth 0, the fourth dim, binned 32 x 32."""

    def write(path: Path, experiment: Experiment) -> None:
        row, column = SPOTS
        counts = np.where(np.arange(16) == 3, 30.0, 800.0)
        light = LightSources.of(row, column, -1.0, 1.0, counts)
        point = SimulatedPoint(experiment, light, REGION, background=20.0, seed=1)
        write_point(
            path,
            point.frames(),
            point.shape[0],
            region=REGION,
            detector=experiment.detector,
            sample_xyz=(1.5, 0.0, -2.0),
        )

    return write


@pytest.fixture(scope="session")
def point_file(
    twin: Experiment, write_spots: SpotWriter, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("scan") / "spots.h5"
    write_spots(path, twin)
    return path


@pytest.fixture
def request_for(twin: Experiment, point_file: Path, tmp_path: Path) -> CalibrationRequest:
    scan = ScanRequest(point_file, ExperimentConfig.from_core(twin), pixels=100.0)
    return CalibrationRequest((scan,), tmp_path / "new.yml")
