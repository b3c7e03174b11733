"""Options that choose a part and colours say what is wrong with them."""

from __future__ import annotations

import pytest

from lauedepth.cli.views import view_of
from lauedepth.core.errors import ConfigurationError
from lauedepth.figures.view import Area, View


def test_each_option_is_read() -> None:
    assert view_of(None, None, None) == View()
    assert view_of("1:20, 3:4", "-1.5:2e3", "gray") == View(Area(1, 20, 3, 4), -1.5, 2e3, "gray")
    assert view_of(None, "5:", None) == View(low=5.0)
    assert view_of(None, ":5", None) == View(high=5.0)


@pytest.mark.parametrize("zoom", ["", "1:2", "1:2,3", "-1:2,3:4", "1:2,3:²", "a:b,c:d", "9" * 40])
def test_a_part_that_cannot_be_read(zoom: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--zoom: .* is no part of an image"):
        view_of(zoom, None, None)


@pytest.mark.parametrize("limits", ["", ":", "1", "1:2:3", "nan:1", "1:inf", "low:high"])
def test_limits_that_cannot_be_read(limits: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--limits: .* is no pair of limits"):
        view_of(None, limits, None)
