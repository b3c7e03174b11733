"""Traces that one aperture and one depth explain are found; scans without enough are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lauedepth.calibration import MeasuredTraces, Scan
from lauedepth.calibration.matching import matching_pixels, refuse_few_pixels
from lauedepth.calibration.parameters import State
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Experiment

IdealScan = Callable[..., tuple[Scan, MeasuredTraces]]


def test_seven_pixels_are_refused_and_eight_are_not(
    twin: Experiment, ideal_scan: IdealScan
) -> None:
    refuse_few_pixels(ideal_scan(State(twin, 0.0), 8, 1)[0])
    with pytest.raises(InputError, match=r"^scan: 7 pixels are too few to calibrate with"):
        refuse_few_pixels(ideal_scan(State(twin, 0.0), 7, 1)[0])


def test_a_position_elsewhere_is_left_out(twin: Experiment, ideal_scan: IdealScan) -> None:
    scan, measured = ideal_scan(State(twin, 0.0), 20, 2)
    values = measured.values.copy()
    values[4, 0] += 50.0
    found = np.arange(20) > 0
    matching = matching_pixels(
        State(twin, 0.0), scan, replace(measured, values=values, found=found)
    )
    assert np.flatnonzero(~matching).tolist() == [0, 4]


def test_too_few_matches_say_where_was_searched(twin: Experiment, ideal_scan: IdealScan) -> None:
    scan, measured = ideal_scan(State(twin, 0.0), 20, 3)
    few = replace(measured, found=np.arange(20) < 5)
    where = r"5 of 20 traces match the code; searched the whole code \(0 to 2880 µm\) for advances"
    with pytest.raises(InputError, match=where):
        matching_pixels(State(twin, 0.0), scan, few)


def test_matches_that_do_not_go_together_are_refused(
    twin: Experiment, ideal_scan: IdealScan
) -> None:
    scan, measured = ideal_scan(State(twin, 0.0), 20, 4)
    values = measured.values.copy()
    values[:, 0] = np.random.default_rng(99).uniform(0, 2880, 20)
    with pytest.raises(InputError, match="no 8 of them are consistent with one aperture"):
        matching_pixels(State(twin, 0.0), scan, replace(measured, values=values))
