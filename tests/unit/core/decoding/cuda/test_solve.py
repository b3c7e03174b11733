"""The kernel that solves footprints gives back the light that was simulated."""

from __future__ import annotations

from typing import Any

import pytest

from lauedepth.core.decoding.compiled.types import DECODED
from lauedepth.core.decoding.cuda._types import (
    BACKGROUND_AT,
    BINS_AT,
    DEPTH_AT,
    DEPTH_ERROR_AT,
    RESIDUAL_AT,
    SECOND_COUNT_AT,
    STATUS_AT,
    WIDTH_AT,
)


def test_solve_finds_the_footprint_that_was_simulated(kernels: dict[str, dict[str, Any]]) -> None:
    found = kernels["solve"]
    numbers, codes = found["numbers"], found["codes"]
    assert codes[STATUS_AT] == DECODED
    assert numbers[DEPTH_AT] == pytest.approx(40.0, abs=1e-3)
    assert numbers[WIDTH_AT] == pytest.approx(6.0, abs=1e-3)
    assert numbers[BACKGROUND_AT] == pytest.approx(10.0, rel=1e-3)
    assert found["intensity"] == pytest.approx(600.0, rel=0.005)
    assert 0.0 < numbers[DEPTH_ERROR_AT] < 0.1
    assert numbers[RESIDUAL_AT] < 0.05  # there is no noise
    # bin 35 begins at 34.5 µm: the box from 37 to 43 µm and its margin of 2 µm
    assert codes[BINS_AT : BINS_AT + 2] == [35, 11]
    assert codes[SECOND_COUNT_AT] == 0
