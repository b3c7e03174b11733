"""Calibrations are read back from the files that they wrote, and compared in order of time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lauedepth.calibration import CalibrationReport, forecast
from lauedepth.config import ExperimentConfig
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.tasks.calibrate import write_calibration
from lauedepth.tasks.calibration_history import MARK, read_history, read_record

DAY = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def files(twin: Experiment, tmp_path: Path) -> list[Path]:
    """Three calibrations; `dist_mm` has changed by ten of its errors before the last."""
    fit = forecast(twin).fit
    at = fit.names.index("dist_mm")
    paths = []
    for number, sigma in enumerate((0.0, 0.0, 10.0)):
        values = fit.values.copy()
        values[at] += sigma * fit.errors[at]
        report = CalibrationReport(
            twin, 0.0, replace(fit, values=values), (), 0.02 + number / 100, (), ()
        )
        paths.append(tmp_path / f"{number}.yml")
        when = DAY + timedelta(days=30 * number)
        write_calibration(paths[-1], ExperimentConfig.from_core(twin), report, [], when)
    return paths


def test_calibrations_are_in_order_of_time(files: list[Path]) -> None:
    entries = read_history([files[2], files[0], files[1]])
    assert [one.name for one in entries] == [str(path) for path in files]
    assert entries[0].record.when == DAY
    assert [round(one.record.depth_error_um, 3) for one in entries] == [0.02, 0.03, 0.04]


def test_changes_are_in_the_errors_of_both(files: list[Path]) -> None:
    first, second, third = read_history(files)
    assert first.pulls == {}
    assert set(second.pulls.values()) == {0.0}
    assert third.pulls["dist_mm"] == pytest.approx(10 / 2**0.5)
    assert third.pulls["anglez_deg"] == 0.0


def test_only_what_was_determined_is_kept(files: list[Path]) -> None:
    record = read_record(files[0])
    assert "cenz_mm" not in record.values  # held: sliding along the bars
    assert set(record.values) == set(record.errors)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("pose: {}\n", "holds no calibration; give files that lauedepth calibrate"),
        (MARK + "{}\n", "the record of the calibration is damaged"),
        (MARK + "{cut off", "the record of the calibration is damaged"),
        ("\udcff", "cannot be read as a calibrated experiment"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "file.yml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=why):
        read_record(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_record(tmp_path / "nowhere.yml")
