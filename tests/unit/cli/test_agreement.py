"""Whether points and results agree with the pose, as shown to people and programs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lauedepth.cli.agreement import report_agreement, report_pose
from lauedepth.cli.reporting import JsonReporter
from lauedepth.config import ExperimentConfig
from lauedepth.core.decoding.pixels import DecodedPixels, PixelStatus
from lauedepth.core.instrument.experiment import Experiment, Region
from lauedepth.core.notices import warning
from lauedepth.io import open_point, write_point, write_result
from lauedepth.io.region import region_metadata
from lauedepth.simulation import LightSources, SimulatedPoint

MEMORY = 2**30
TURNED = r"as if the aperture were turned by \+0\.3[89]"


@pytest.fixture(scope="session")
def point_file(twin: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A polycrystal: spots from many depths, all over a detector binned 32 x 32."""
    row, column = np.stack(np.meshgrid(np.arange(6, 64, 12), np.arange(4, 64, 12))).reshape(2, -1)
    depth = np.random.default_rng(0).uniform(-60, 260, row.size)
    light = LightSources.of(row, column, depth - 5, depth + 5, 1500.0)
    region = Region((64, 64), (0, 0), (32, 32))
    point = SimulatedPoint(twin, light, region, background=20.0, seed=1)
    path = tmp_path_factory.mktemp("scan") / "point.h5"
    write_point(
        path,
        point.frames(),
        point.shape[0],
        region=region,
        detector=twin.detector,
        sample_xyz=(0.0, 0.0, 0.0),
    )
    return path


def turned(twin: Experiment, degrees: float) -> ExperimentConfig:
    pose = replace(twin.pose, anglez_deg=twin.pose.anglez_deg + degrees)
    return ExperimentConfig.from_core(replace(twin, pose=pose))


@pytest.mark.parametrize("degrees", [0.0, -0.4])
def test_a_turned_pose_is_warned_of(
    twin: Experiment, point_file: Path, capsys: pytest.CaptureFixture[str], degrees: float
) -> None:
    config = turned(twin, degrees)
    with open_point(point_file, frames=twin.frames, detector=twin.detector) as point:
        report_pose(JsonReporter(), point, config, MEMORY)
    shown = capsys.readouterr().out
    assert '"event": "pose"' in shown
    assert bool(re.search(TURNED, shown)) == (degrees != 0.0)


@pytest.fixture
def result_file(twin: Experiment, tmp_path: Path) -> Path:
    """A result of two dark pixels, made with a pose that was turned since."""
    path = tmp_path / "result.h5"
    region = region_metadata(Region((64, 64), (0, 0), (32, 32)), twin.detector)
    nothing = np.full(2, np.nan)
    names = (
        "depth_um depth_error_um width_um intensity background background_error "
        "mask_position_um energy_kev"
    )
    dark = DecodedPixels(
        trace=np.arange(2),
        status=np.full(2, PixelStatus.DARK, np.uint8),
        flags=np.zeros(2, np.uint8),
        footprint_offset=np.zeros(3, np.int64),
        footprint_start=np.zeros(2, np.int32),
        footprint=np.zeros(0, np.float32),
        **dict.fromkeys(f"{names} residual".split(), nothing),
    )
    with write_result(
        path,
        depths=twin.depths,
        shape=(64, 64),
        configuration=turned(twin, -0.4).model_dump_json(),
        backend="cpu",
        metadata={path: np.array(value) for path, value in region.items()},
    ) as writer:
        writer.add(0, 64, np.arange(2), np.arange(2), dark)
        writer.finish(notices=[warning("frames-lost", "3 are lost", "p.h5", "look")])
    return path


def test_a_result_without_its_point_is_judged_alone(
    result_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report_agreement(JsonReporter(), result_file, None, MEMORY)
    shown = capsys.readouterr().out
    assert '"point": null' in shown
    assert '"traces": null' in shown
    assert '"warnings": []' in shown
    assert '"event": "warning", "level": "warning", "code": "frames-lost"' in shown


def test_the_traces_of_its_point_decide(
    result_file: Path, point_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report_agreement(JsonReporter(), result_file, point_file, MEMORY)
    shown = capsys.readouterr().out
    assert '"event": "warning"' in shown
    assert re.search(TURNED, shown)
