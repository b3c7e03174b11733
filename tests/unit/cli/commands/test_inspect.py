"""A pixel is named by row and column; traces fit on a line."""

from __future__ import annotations

import pytest

from lauedepth.cli.commands.inspect import WIDTH, _row_and_column, _sparkline
from lauedepth.core.errors import ConfigurationError


def test_a_pixel_is_row_and_column() -> None:
    assert _row_and_column("812,1040") == (812, 1040)


@pytest.mark.parametrize("text", ["", "812", "812,", "a,b", "1,2,3"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a pixel; give ROW,COLUMN"):
        _row_and_column(text)


def test_a_sparkline_spans_from_the_lowest_to_the_highest() -> None:
    assert _sparkline([0.0, 7.0, 3.5]) in ("▁█▄", "▁█▅")
    assert _sparkline([5.0, 5.0]) == "▁▁"


def test_a_long_trace_is_averaged_to_fit() -> None:
    line = _sparkline([0.0, 0.0, 10.0, 10.0] * 36)
    assert len(line) == WIDTH
    assert set(line) == {"▁", "█"}
