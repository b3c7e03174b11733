"""What real servers answered, where the records are beside the project."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from lauedepth.pipeline.sites.hosts import Said

RECORDED = Path(__file__).parents[5] / "shared" / "data" / "recorded"


def recorded(system: str, name: str) -> Said:
    """Return what a command printed; skip the test where there are no records."""
    folder = RECORDED / system
    if not folder.is_dir():
        pytest.skip("no recorded answers here")
    entry: dict[str, Any] = json.loads((folder / "commands.json").read_text())[name]
    if "stdout_file" in entry:
        text = (folder / entry["stdout_file"]).read_bytes().decode(errors="replace")
    elif "stdout_base64" in entry:
        text = base64.b64decode(entry["stdout_base64"]).decode(errors="replace")
    else:
        text = entry["stdout"]
    return Said(entry["exit"], text, entry["stderr"])


def names(system: str, beginning: str) -> list[str]:
    """Return the names of records; none where there are no records."""
    file = RECORDED / system / "commands.json"
    if not file.exists():
        return []
    return [name for name in json.loads(file.read_text()) if name.startswith(beginning)]
