"""Points in, a calibrated experiment out: which pixels are read, what is refused and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lauedepth.calibration import CalibrationReport, CommonError, forecast
from lauedepth.config import ExperimentConfig, load_experiment
from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.core.instrument.experiment import Experiment, Region
from lauedepth.core.version import __version__
from lauedepth.io import open_point, write_point
from lauedepth.simulation import LightSources, SimulatedPoint
from lauedepth.tasks.calibrate import (
    MAXIMUM_MASK_PIXELS,
    CalibrationRequest,
    ScanRequest,
    calibrate_points,
    calibrated_config,
    read_scan,
    read_scans,
    scan_requests,
    write_calibration,
)

WHEN = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
COMMON = (CommonError("per µm of the sample's depth", 1.0), CommonError("per mm", 0.25))
REGION = Region((64, 64), (0, 0), (32, 32))
SPOTS = np.stack(np.meshgrid(np.arange(6, 64, 16), np.arange(4, 64, 16))).reshape(2, -1)


def write_spots(path: Path, experiment: Experiment) -> None:
    """Write sixteen single-pixel spots from depth 0, one of them dim, binned 32 x 32."""
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


@pytest.fixture(scope="session")
def point_file(twin: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scan") / "spots.h5"
    write_spots(path, twin)
    return path


@pytest.fixture
def request_for(twin: Experiment, point_file: Path, tmp_path: Path) -> CalibrationRequest:
    scan = ScanRequest(point_file, ExperimentConfig.from_core(twin), pixels=100.0)
    return CalibrationRequest((scan,), tmp_path / "new.yml")


def with_scan(request: CalibrationRequest, **changes: Any) -> CalibrationRequest:
    """Change the one scan of a request."""
    return replace(request, scans=(replace(request.scans[0], **changes),))


def test_bright_coded_pixels_are_chosen_and_unbinned(
    twin: Experiment, point_file: Path, request_for: CalibrationRequest
) -> None:
    seen: set[str] = set()
    with open_point(point_file, frames=twin.frames, detector=twin.detector) as point:
        scan = read_scan(
            point,
            request_for.config,
            pixels=100.0,
            progress=lambda stage, done, total: seen.add(stage),
        )
    bright = np.arange(16) != 3
    row, column = REGION.unbinned(*SPOTS[:, bright])
    assert sorted(zip(scan.row, scan.column, strict=True)) == sorted(zip(row, column, strict=True))
    assert scan.counts.shape == (15, 261)
    assert scan.name == "spots.h5"
    assert seen == {"select", "read"}
    assert scan.origin.endswith("sampleX 1.5, sampleY 0, sampleZ -2")


def test_all_pixels_of_a_mask_are_read(
    twin: Experiment, point_file: Path, request_for: CalibrationRequest
) -> None:
    mask = np.zeros((2048, 2048), bool)
    mask[0:64, 0:96] = True
    with open_point(point_file, frames=twin.frames, detector=twin.detector) as point:
        scan = read_scan(point, request_for.config, pixels=mask)
        assert len(scan) == 6
        with pytest.raises(InputError, match=f"4096 pixels.*give {MAXIMUM_MASK_PIXELS} at most"):
            read_scan(point, request_for.config, pixels=~(mask & False))


def test_a_point_without_bright_pixels_is_refused(request_for: CalibrationRequest) -> None:
    with pytest.raises(InputError, match=r"no pixel to calibrate with.*lower --pixels"):
        calibrate_points(with_scan(request_for, pixels=1e6))
    assert not request_for.output.exists()


def test_a_point_without_code_in_it_is_refused(
    twin: Experiment, request_for: CalibrationRequest, tmp_path: Path
) -> None:
    away = replace(twin, motion=replace(twin.motion, shift_mm=9.0))
    write_spots(tmp_path / "away.h5", away)
    with pytest.raises(InputError, match="only 0 of 15 bright pixels vary as behind a code"):
        calibrate_points(with_scan(request_for, point=tmp_path / "away.h5"))
    assert not request_for.output.exists()


def test_what_cannot_work_is_refused_before_reading(request_for: CalibrationRequest) -> None:
    away, config = Path("nowhere.h5"), request_for.config
    turned = config.model_copy(update={"pose": config.pose.model_copy(update={"anglex_deg": 3.0})})
    scan = ScanRequest(away, config)
    for change, why in (
        ({"fit": ("poze",)}, "did you mean pose"),
        ({"scans": (scan,), "output": away}, "a scan would be overwritten"),
        ({"scans": (scan, replace(scan, config=turned))}, "differs from the first in angles of"),
    ):
        with pytest.raises(ConfigurationError, match=why):
            calibrate_points(replace(request_for, **change))


def test_what_is_given_once_counts_for_all_points(request_for: CalibrationRequest) -> None:
    config, points = request_for.config, [Path("a.h5"), Path("b.h5")]
    other = config.model_copy()
    assert scan_requests(points, [config], [0.0, -0.1], [100.0]) == (
        ScanRequest(points[0], config, 0.0, 100.0),
        ScanRequest(points[1], config, -0.1, 100.0),
    )
    second = scan_requests(points, [config, other], (), [None, 50.0])[1]
    assert second == ScanRequest(points[1], other, 0.0, 50.0)
    assert second.config is other


@pytest.mark.parametrize(
    ("configs", "shifts", "pixels", "why"),
    [
        (1, (), (), "2 POINT and no --shift-mm"),
        (1, (0.0,), (), "2 POINT and 1 times --shift-mm"),
        (3, (), (), "2 POINT and 3 times --experiment"),
        (1, (0.0, 0.1), (1.0, 2.0, 3.0), "2 POINT and 3 times --pixels"),
    ],
)
def test_what_is_given_neither_once_nor_for_each_point_is_refused(
    request_for: CalibrationRequest,
    configs: int,
    shifts: tuple[float, ...],
    pixels: tuple[float, ...],
    why: str,
) -> None:
    points = [Path("a.h5"), Path("b.h5")]
    with pytest.raises(ConfigurationError, match=why):
        scan_requests(points, [request_for.config] * configs, shifts, pixels)


def test_experiments_of_each_point_say_where_the_aperture_stood(
    request_for: CalibrationRequest,
) -> None:
    """One stack cut in two; the second experiment is stated further along and away."""
    config = request_for.config
    data = config.data.model_copy(update={"first_frame": 61})
    pose = config.pose.model_copy(update={"dist_mm": config.pose.dist_mm + 0.5})
    motion = config.motion.model_copy(update={"shift_mm": config.motion.shift_mm - 0.2})
    second = config.model_copy(update={"data": data, "pose": pose, "motion": motion})
    (scan,) = request_for.scans
    both = replace(request_for, scans=(scan, replace(scan, config=second, shift_mm=0.05)))
    first, later = read_scans(both)
    assert first.stands_mm == (0.0, 0.0, 0.0)
    assert first.shift_mm == 0.0
    assert later.shift_mm == pytest.approx(-0.15)
    np.testing.assert_allclose(later.stands_mm, [0.0, 0.5, 0.0], atol=1e-12)
    assert later.counts.shape == (15, 200)
    start = config.to_core()
    there, stated = later.experiment(start), second.to_core()
    assert there.frames == stated.frames
    assert there.pose.dist_mm == pytest.approx(stated.pose.dist_mm)
    assert there.motion.shift_mm == pytest.approx(stated.motion.shift_mm + 0.05)


@pytest.fixture
def report(twin: Experiment) -> CalibrationReport:
    turned = replace(twin, pose=replace(twin.pose, dist_mm=1.5))
    expected = forecast(turned)
    return CalibrationReport(turned, 3.0, expected.fit, (), 0.02, COMMON, ("be careful",))


def test_what_was_fitted_is_put_into_the_experiment(
    twin: Experiment, report: CalibrationReport
) -> None:
    config = ExperimentConfig.from_core(twin)
    found = calibrated_config(config, report)
    assert found.pose.dist_mm == 1.5
    assert found.model_dump(exclude={"pose"}) == config.model_dump(exclude={"pose"})


def test_the_file_holds_values_errors_and_warnings(
    twin: Experiment, report: CalibrationReport, tmp_path: Path
) -> None:
    path, points = tmp_path / "new.yml", [Path("a.h5"), Path("b.h5")]
    write_calibration(path, ExperimentConfig.from_core(twin), report, points, WHEN)
    assert load_experiment(path).pose.dist_mm == 1.5
    comments = [line for line in path.read_text("utf-8").splitlines() if line.startswith("#")]
    made = f"# Calibrated by lauedepth {__version__} on 2026-02-03 04:05"
    assert comments[0] == f"{made} from a.h5, b.h5"
    assert any(line.startswith("# dist_mm 1.5 ± ") for line in comments)
    assert "# cenz_mm 0.9355469 (held)" in comments
    assert "# Held at its start, not determined by the data: sliding along the bars." in comments
    assert "# sample_depth_um 3 (assumed)" in comments
    assert "# The pose's uncertainty gives depths an error of 0.02 µm." in comments
    shared = "1 µm per µm of the sample's depth; 0.25 µm per mm"
    assert f"# Not in that error, and common to all pixels: {shared}." in comments
    assert "# Warning: be careful" in comments


def test_a_calibrated_experiment_is_written(
    request_for: CalibrationRequest, moved_start: Callable[[float], ExperimentConfig]
) -> None:
    report = calibrate_points(with_scan(request_for, config=moved_start(0.5)))
    comments = request_for.output.read_text("utf-8").splitlines()
    assert any(line.startswith("# spots.h5: ") and "sampleZ -2" in line for line in comments)
    assert report.experiment.pose.anglez_deg == pytest.approx(43.3119141, abs=0.05)
    assert load_experiment(request_for.output).pose.anglez_deg == report.experiment.pose.anglez_deg


@pytest.fixture
def moved_start(twin: Experiment) -> Callable[[float], ExperimentConfig]:
    """A start whose aperture is turned by some degrees about its bars."""

    def moved(degrees: float) -> ExperimentConfig:
        pose = replace(twin.pose, anglez_deg=twin.pose.anglez_deg + degrees)
        return ExperimentConfig.from_core(replace(twin, pose=pose))

    return moved
