"""The example of docs/instrument.md runs, and learns what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[4]


def test_the_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs/instrument.md"
    (block,) = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.M)
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(compile(block, str(page), "exec"), names)
    assert names["fit"].accepted
    assert "position" in names["fit"].departed
