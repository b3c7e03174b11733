"""The command ``calibrate`` passes on what was asked, and shows what was found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console, RenderableType

from lauedepth.calibration import CalibrationReport, CommonError, Forecast, Scan, forecast
from lauedepth.calibration.parameters import State
from lauedepth.calibration.positions import MeasuredTraces
from lauedepth.calibration.report import scan_pixels
from lauedepth.cli.commands.calibrate import (
    calibrate,
    fit_table,
    fit_values,
    history_table,
    show_forecast,
    show_report,
)
from lauedepth.config import ExperimentConfig, dump_experiment
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.notices import Notice
from lauedepth.core.progress import Progress, no_progress
from lauedepth.tasks.calibrate import write_calibration
from lauedepth.tasks.calibration_history import read_history


class Recorder:
    """A reporter that keeps what it is given."""

    def __init__(self) -> None:
        self.shown: dict[str, Mapping[str, Any]] = {}
        self.text = ""
        self.warnings: list[str] = []

    def notice(self, notice: Notice) -> None:
        self.warnings.append(notice.message)

    def show(self, event: str, values: Mapping[str, Any], text: RenderableType) -> None:
        self.shown[event] = values
        console = Console(width=200)
        with console.capture() as captured:
            console.print(text)
        self.text = captured.get()

    def warn(self, message: str, where: str = "") -> None:
        self.warnings.append(where + message)

    @contextmanager
    def progress(self, what: str) -> Iterator[Progress]:
        yield no_progress


@pytest.fixture
def expected(twin: Experiment) -> Forecast:
    return forecast(twin, (0.0, -0.1))


@pytest.fixture
def report(twin: Experiment, expected: Forecast) -> CalibrationReport:
    """A report with made-up pixels: the fit is that of the forecast."""
    row, column = np.random.default_rng(0).uniform(0, 2047, (2, 49))
    scan = Scan(row, column, np.zeros((49, 261)), np.ones(261, bool), 0.0, "first.h5")
    found = np.arange(49) < 45
    values = np.ones((49, 2))
    covariance = np.broadcast_to(np.eye(2), (49, 2, 2))
    ones = np.ones(49)
    measured = MeasuredTraces(found, values, covariance, ones, ones, np.ones((49, 9)), found)
    fit = replace(expected.fit, used=(found & (np.arange(49) > 0),))
    pixels = scan_pixels(State(twin, 0.0), fit, 0, scan, measured)
    common = (CommonError("per µm of the sample's depth", 1.0),)
    return CalibrationReport(twin, 0.0, fit, (pixels,), 0.0123, common, ("be careful",))


def test_a_report_is_shown_as_values_and_text(report: CalibrationReport) -> None:
    reporter = Recorder()
    show_report(reporter, report, Path("new.yml"), None)
    values = reporter.shown["result"]
    assert values["scans"] == [
        {"name": "first.h5", "shift_mm": 0.0, "pixels": 49, "found": 45, "used": 44}
    ]
    assert values["depth_error_um"] == 0.0123
    assert values["output"] == Path("new.yml")
    assert values["common_errors_um"] == {"per µm of the sample's depth": 1.0}
    assert "all pixels: 1 µm per µm of the sample's depth." in " ".join(reporter.text.split())
    assert reporter.warnings == ["be careful"]
    assert "new.yml: calibrated with 44 of 49 pixels of first.h5" in reporter.text
    assert "depths get an error of 0.012 µm" in reporter.text


def test_a_forecast_is_shown_as_values_and_text(expected: Forecast) -> None:
    reporter = Recorder()
    show_forecast(reporter, expected)
    assert reporter.shown["plan"]["shifts_mm"] == (0.0, -0.1)
    assert "pixels of 1000 counts per frame" in reporter.text
    assert "depths would get an error of" in reporter.text


def test_a_fit_is_shown_with_what_is_held(expected: Forecast) -> None:
    parameters: Any = fit_values(expected.fit)["parameters"]
    assert parameters["cenz_mm"]["held"]
    assert not parameters["dist_mm"]["held"]
    assert parameters["dist_mm"]["value"] == 1.60405273
    console = Console(width=100)
    with console.capture() as captured:
        console.print(fit_table(expected.fit))
    lines = captured.get().splitlines()
    assert next(line for line in lines if "cenz_mm" in line).split()[1:] == [
        "0.935547",
        "0.9355469",
        "held",
    ]
    assert any("held: sliding along the bars" in line for line in lines)


def test_a_history_is_shown_as_a_line_for_each_calibration(
    report: CalibrationReport, twin: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / "new.yml", tmp_path / "old.yml"]
    for path, year in zip(paths, (2027, 2026), strict=True):
        when = datetime(year, 2, 3, tzinfo=UTC)
        write_calibration(path, ExperimentConfig.from_core(twin), report, [], when)
    calibrate(paths, history=True, figure=tmp_path / "history.png", as_json=True)
    (shown,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["path"] for one in shown["calibrations"]] == [str(one) for one in paths[::-1]]
    assert shown["calibrations"][1]["pulls"]["dist_mm"] == 0.0
    assert (tmp_path / "history.png").stat().st_size > 5000
    console = Console(width=300)
    with console.capture() as captured:
        console.print(history_table(read_history(paths)))
    lines = captured.get().splitlines()
    assert "2026-02-03" in lines[1]
    assert "σ" not in lines[1]
    assert "(+0.0 σ)" in lines[2]


def test_what_cannot_work_is_refused_before_anything_is_read(
    twin: Experiment, tmp_path: Path
) -> None:
    start = tmp_path / "start.yml"
    start.write_text(dump_experiment(ExperimentConfig.from_core(twin)), encoding="utf-8")
    point = tmp_path / "nowhere.h5"
    with pytest.raises(ConfigurationError, match="--experiment: no experiment given"):
        calibrate([point], output=tmp_path / "n.yml")
    with pytest.raises(ConfigurationError, match="needs calibrated experiments"):
        calibrate(history=True)
    with pytest.raises(ConfigurationError, match="needs at least one POINT and --output"):
        calibrate([point], experiment=[start], as_json=True)
    with pytest.raises(ConfigurationError, match=r"is not supported; use \.png"):
        calibrate([point], experiment=[start], output=tmp_path / "n.yml", figure=Path("a.gif"))
    with pytest.raises(ConfigurationError, match="did you mean pose"):
        calibrate([point], experiment=[start], output=tmp_path / "n.yml", fit="poze")
