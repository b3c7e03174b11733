"""Keeping the driver small: it shares its machine with the jobs."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

M_ARENA_MAX: Final = -8
"""glibc's mallopt parameter: how many heaps the threads of a process share."""


def share_one_heap() -> None:
    """Have all threads share a heap; where the C library knows no such thing, do nothing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)


def give_back() -> None:
    """Give memory that is not used back to the system, as far as the C library can."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
