"""Calibrations are put in order of time, and compared with the one before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lauedepth.calibration import CalibrationRecord, in_order

DAY = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)


def test_the_oldest_comes_first() -> None:
    records = [
        (str(days), CalibrationRecord(DAY + timedelta(days), {"a": days}, {"a": 1.0}, 0.1, 0.0, []))
        for days in (30, 0, 10)
    ]
    first, second, third = in_order(records)
    assert [one.name for one in (first, second, third)] == ["0", "10", "30"]
    assert first.pulls == {}
    assert second.pulls == {"a": pytest.approx(10 / 2**0.5)}
    assert third.pulls == {"a": pytest.approx(20 / 2**0.5)}


def test_what_was_fitted_once_alone_is_not_compared() -> None:
    one = CalibrationRecord(DAY, {"a": 1.0, "b": 2.0}, {"a": 0.3, "b": 1.0}, 0.1, 0.0, [])
    other = CalibrationRecord(DAY, {"a": 2.0}, {"a": 0.4}, 0.1, 0.0, [])
    assert other.pulls(one) == {"a": pytest.approx(2.0)}
