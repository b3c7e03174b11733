"""Seconds on the card by its own events, and the rates it can reach at all."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numba import cuda

REPEATS = 7
COPIED_BYTES = 2**30
MULTIPLY_ADDS, MULTIPLY_THREADS, CHAINS = 4096, 2**20, 4


def seconds_of(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median time that work takes on the default stream, after one warm-up."""
    work()
    times = []
    for _ in range(repeats):
        begin, end = cuda.event(), cuda.event()
        begin.record()
        work()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) * 1e-3)
    return median(times)


@cuda.jit
def _copy(source: Any, target: Any) -> None:
    for at in range(cuda.grid(1), source.size, cuda.gridsize(1)):
        target[at] = source[at]


@cuda.jit(fastmath=True)
def _multiply(values: Any, factor: Any) -> None:
    at = cuda.grid(1)
    a = values[at]
    b, c, d = a + factor, a - factor, a + factor * factor
    for _ in range(MULTIPLY_ADDS):
        a = a * factor + b
        b = b * factor + c
        c = c * factor + d
        d = d * factor + a
    values[at] = a + b + c + d


def copy_bandwidth() -> float:
    """Return the bytes a second that a copy on the card reads and writes."""
    source = cuda.to_device(np.random.default_rng(1).random(COPIED_BYTES // 8))
    target = cuda.device_array_like(source)
    blocks = 32 * cuda.get_current_device().MULTIPROCESSOR_COUNT
    return 2 * COPIED_BYTES / seconds_of(lambda: _copy[blocks, 256](source, target))


def float32_rate() -> float:
    """Return the float32 operations a second of independent multiply-adds."""
    values = cuda.to_device(np.random.default_rng(2).random(MULTIPLY_THREADS, np.float32))
    seconds = seconds_of(lambda: _multiply[MULTIPLY_THREADS // 256, 256](values, np.float32(0.5)))
    return 2.0 * CHAINS * MULTIPLY_ADDS * MULTIPLY_THREADS / seconds
