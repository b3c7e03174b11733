"""The examples of docs/simulator.md run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any


def test_the_page_runs_from_top_to_bottom() -> None:
    page = Path(__file__).resolve().parents[2] / "docs/simulator.md"
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    names: dict[str, Any] = {}
    exec(compile("\n".join(blocks), str(page), "exec"), names)
    assert len(names["truth"]) > 0
