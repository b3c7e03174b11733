"""A few random kills; `python -m benchmarks.kills` makes two hundred."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.torture
@pytest.mark.skipif(
    not Path(sys.executable).with_name("mpiexec").exists(), reason="no MPI beside this Python"
)
def test_random_kills_lose_nothing() -> None:
    words = [sys.executable, "-m", "benchmarks.kills", "--kills", "5", "--seed", "3"]
    root = Path(__file__).parents[2]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = json.loads(done.stdout)
    killed = sum(number for name, number in shown.items() if name.endswith("killed"))
    assert killed + shown.get("ended before", 0) == 5
    assert killed >= 3
