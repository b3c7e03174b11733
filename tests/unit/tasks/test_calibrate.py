"""Points in, a calibrated experiment out: which pixels are read, what is refused and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lauedepth.calibration import CalibrationReport, CommonError, forecast
from lauedepth.config import ExperimentConfig, load_experiment
from lauedepth.core.errors import ConfigurationError, OutputError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.version import __version__
from lauedepth.tasks.calibrate import (
    CalibrationRequest,
    calibrate_points,
    calibrated_config,
    write_calibration,
)
from lauedepth.tasks.calibration_scans import ScanRequest

WHEN = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
COMMON = (CommonError("per µm of the sample's depth", 1.0), CommonError("per mm", 0.25))


def with_scan(request: CalibrationRequest, **changes: Any) -> CalibrationRequest:
    """Change the one scan of a request."""
    return replace(request, scans=(replace(request.scans[0], **changes),))


def test_a_file_that_is_no_experiment_is_never_overwritten(
    request_for: CalibrationRequest, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="is not an experiment; name another file"):
        calibrate_points(replace(request_for, output=notes))
    assert notes.read_text(encoding="utf-8") == "mine"


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
