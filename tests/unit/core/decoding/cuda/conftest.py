"""Drivers that answer as told, and what scripts on Numba's simulator write."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from lauedepth.core.decoding.cuda import _driver

SECONDS = 900
FOLDER = Path(__file__).parent

Simulate = Callable[..., dict[str, Any]]


class Driver:
    """What the driver answers, in its place."""

    def __init__(self, init: int = 0, version: int = 13000) -> None:
        self.init, self.version = init, version

    def cuInit(self, flags: int) -> int:  # noqa: N802 the driver's own name
        return self.init

    def cuDriverGetVersion(self, version: Any) -> int:  # noqa: N802
        version._obj.value = self.version
        return 0


@pytest.fixture
def no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    import_module("llvmlite.binding")  # whose own library is loaded the same way

    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)
    monkeypatch.setattr(ctypes, "CDLL", missing)


@pytest.fixture
def with_driver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def put(toolkit: int | None = 13, installed: bool = True, **answers: int) -> None:
        monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)
        monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(**answers))
        monkeypatch.setattr(_driver, "find_spec", lambda name: object() if installed else None)
        monkeypatch.setattr(_driver, "_toolkit_major", lambda: toolkit)

    return put


def results_of(script: str, *arguments: Path, **environment: str) -> dict[str, Any]:
    """Run a script of this folder in a process of its own; return the JSON that it writes."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results: dict[str, Any] = json.loads(done.stdout)
    return results


@pytest.fixture(scope="session")
def run_script() -> Simulate:
    return results_of


@pytest.fixture(scope="session")
def kernels() -> dict[str, dict[str, Any]]:
    """What every kernel by itself makes of a small batch."""
    return results_of("kernel_cases.py", NUMBA_ENABLE_CUDASIM="1")
