"""The benchmark of the GPU: its baseline is right, and it says where it cannot measure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SECONDS = 900


def run_benchmark(*words: str, simulated: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[5]
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", *words],
        cwd=root,
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": simulated, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_the_papers_kernels_agree_with_numpy() -> None:
    """A batch of one, one of three, signals of many lengths."""
    done = run_benchmark("--check", simulated="1")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "baseline's kernels are right" in done.stdout


def test_the_benchmark_without_a_card_says_so() -> None:
    done = run_benchmark(simulated="0")
    assert done.returncode == 3
    assert done.stderr.startswith("nothing was measured: ")
    assert done.stdout == ""
