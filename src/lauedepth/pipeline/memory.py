"""Keeping the driver's memory small: it shares its machine with the jobs."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

M_ARENA_MAX: Final = -8
"""glibc's mallopt parameter: the number of heaps that a process's threads share."""


def share_one_heap() -> None:
    """Make all threads share one heap, if the C library supports it."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)


def release_unused() -> None:
    """Return unused memory to the system, if the C library supports it."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
