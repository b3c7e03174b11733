"""Calibrations over time are drawn, parameter by parameter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from lauedepth.calibration import CalibrationRecord, HistoryEntry
from lauedepth.figures.calibration_history import plot_history

DAY = datetime(2026, 2, 3, tzinfo=UTC)


def test_each_parameter_has_a_panel_with_what_was_determined() -> None:
    entries = []
    for number in range(3):
        values = {"dist_mm": 1.6 + number / 100}
        if number:
            values["step_change_percent"] = 0.1 * number
        when = DAY + timedelta(days=30 * number)
        errors = dict.fromkeys(values, 0.01)
        record = CalibrationRecord(when, values, errors, 0.01, 0.0, [])
        entries.append(HistoryEntry("a.yml", record, {}))
    figure = plot_history(entries)
    axes: list[Any] = list(figure.axes)
    assert [axis.get_ylabel() for axis in axes] == ["dist mm", "step change percent"]
    for axis, expected in zip(axes, ([1.6, 1.61, 1.62], [0.1, 0.2]), strict=True):
        np.testing.assert_allclose(axis.lines[0].get_ydata(), expected)
    figure.canvas.draw()
