"""No experiment, however odd, makes the compiled decoder read or write beside its arrays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).with_name("bounds_cases.py")


@pytest.mark.torture
def test_random_experiments_stay_within_bounds(tmp_path: Path) -> None:
    """Numba checks every index, which it does not otherwise; that is another compilation."""
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(CASES), "200"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("200 experiments")
