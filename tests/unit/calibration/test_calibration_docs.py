"""The example of docs/calibration.md runs, and its table of parameters is the code's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lauedepth.calibration import FITTABLE

PAGE = Path(__file__).resolve().parents[3] / "docs/calibration.md"


def test_the_example_runs() -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.M)
    names: dict[str, Any] = {}
    exec(compile(block, str(PAGE), "exec"), names)
    assert names["found"].fit.used[0].sum() >= 15


def test_every_parameter_is_described() -> None:
    text = PAGE.read_text("utf-8")
    assert [name for name in FITTABLE if f"`{name}`" not in text] == []
