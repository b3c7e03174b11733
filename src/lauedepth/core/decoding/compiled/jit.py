"""The decorators of functions compiled for the CPU, and whether one is compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function, keep it on disk, and release the interpreter's lock in it."""
    result: Callable[P, R] = njit(cache=True, nogil=True, error_model="numpy")(function)
    return result


def compiled_fast(function: Callable[P, R]) -> Callable[P, R]:
    """Do the same for sums that may be taken in any order: plain loops over frames."""
    result: Callable[P, R] = njit(cache=True, nogil=True, error_model="numpy", fastmath=True)(
        function
    )
    return result


def is_ready(function: Any) -> bool:
    """Return whether a function or kernel is compiled, or in Numba's cache on disk."""
    if function.signatures:
        return True
    plain = function.py_func
    module = plain.__module__.rpartition(".")[2]
    folder = Path(function.stats.cache_path or "")
    return any(folder.glob(f"{module}.{plain.__name__}-*.nbi"))
