"""A displacement that was not stated is found, and refused where it is large."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lauedepth.calibration import MeasuredTraces, Scan
from lauedepth.calibration.displacements import Displacement, unstated_displacements
from lauedepth.calibration.parameters import State
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Experiment

IdealScan = Callable[..., tuple[Scan, MeasuredTraces]]


def displaced(twin: Experiment, ideal_scan: IdealScan, off_mm: float) -> list[Displacement]:
    """Compare two scans; the second stands elsewhere than its shift of -0.1 mm puts it."""
    state = State(twin, 0.0)
    first, here = ideal_scan(state, 40, 1)
    second, there = ideal_scan(state, 30, 2, shift_mm=-0.1 + off_mm)
    scans = (replace(first, name="first"), replace(second, shift_mm=-0.1, name="second"))
    return unstated_displacements(state, scans, (here, there), (here.found, there.found))


def test_a_displacement_as_stated_is_not_remarked_on(
    twin: Experiment, ideal_scan: IdealScan
) -> None:
    assert displaced(twin, ideal_scan, 0.0) == []


def test_a_small_one_is_measured(twin: Experiment, ideal_scan: IdealScan) -> None:
    (found,) = displaced(twin, ideal_scan, 0.002)
    assert found.off_mm == pytest.approx(0.002, abs=5 * found.error_mm)
    assert found.error_mm < 1e-4
    assert str(found).startswith("second stands +0.0020")
    assert str(found).endswith("mm from where its shift of -0.1 mm puts it, judged by first")


def test_a_large_one_is_refused_with_the_shift_that_fits(
    twin: Experiment, ideal_scan: IdealScan
) -> None:
    with pytest.raises(
        InputError, match=r"^second: contradicts another.*give --shift-mm -0\.0[78]"
    ):
        displaced(twin, ideal_scan, 0.02)
