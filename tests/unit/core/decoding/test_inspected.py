"""Depths are told with the digits that their errors leave."""

from __future__ import annotations

import numpy as np
import pytest

from lauedepth.core.decoding.inspected import FoundDepth


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (0.5, "12.35 ± 0.50 µm"),
        (0.004, "12.3457 ± 0.0040 µm"),
        (np.nan, "12.35 µm, error unknown"),
        (np.inf, "12.35 µm, error unknown"),
        (0.0, "12.35 µm, error unknown"),
    ],
)
def test_a_depth_with_its_error(error: float, text: str) -> None:
    nothing = np.zeros(0)
    found = FoundDepth(12.34567, error, 1.0, 1.0, 0.0, np.nan, (), nothing, nothing)
    assert found.depth_text() == text
