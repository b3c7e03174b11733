"""The paper's position search, written from its description (section 4.1): the baseline.

Two kernels: `align`, on (m - d) x b threads, each of which accumulates the difference of one
alignment and stops at its own pixel's signal length; `choose`, a parallel reduction to the
best alignment of each pixel. Scores stay on the device and b indices come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import cuda

THREADS = 256
"""Threads of a block, along the alignments."""

MASK, SIGNAL, SHORTEST = 5000, 300, 260
"""Elements of a mask (m) and of the longest signal (d), and of the shortest in a batch."""


@dataclass(frozen=True)
class Signals:
    """A batch: masks (b, m), signals (b, d), and how much of each signal there is (b,)."""

    masks: npt.NDArray[np.float32]
    signals: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.int32]

    @classmethod
    def random(cls, batch: int, seed: int, mask: int = MASK, longest: int = SIGNAL) -> Signals:
        """Make noisy signals that are somewhere on their masks."""
        rng = np.random.default_rng(seed)
        masks = rng.random((batch, mask), np.float32)
        shortest = longest * SHORTEST // SIGNAL
        lengths = rng.integers(shortest, longest, batch, np.int32, endpoint=True)
        begin = rng.integers(0, mask - longest, batch)
        signals = masks[np.arange(batch)[:, None], begin[:, None] + np.arange(longest)]
        noise = 0.05 * rng.standard_normal(signals.shape, np.float32)
        signals = np.where(np.arange(longest) < lengths[:, None], signals + noise, 1e6)
        return cls(masks, signals.astype(np.float32), lengths)

    @property
    def alignments(self) -> int:
        """Places tried for each signal."""
        return int(self.masks.shape[1] - self.signals.shape[1])


@cuda.jit
def align(masks: Any, signals: Any, lengths: Any, scores: Any) -> None:
    """Fill in the mean absolute difference of every alignment (b, m - d)."""
    position, pixel = cuda.grid(2)
    if pixel >= scores.shape[0] or position >= scores.shape[1]:
        return
    length = lengths[pixel]
    total = np.float32(0.0)
    for k in range(signals.shape[1]):
        if k >= length:
            break
        total += abs(signals[pixel, k] - masks[pixel, position + k])
    scores[pixel, position] = total / np.float32(length)


@cuda.jit
def choose(scores: Any, best: Any) -> None:
    """Fill in which alignment of each pixel has the lowest score; of equals the first."""
    lowest = cuda.shared.array(THREADS, np.float32)
    where = cuda.shared.array(THREADS, np.int32)
    thread, pixel = cuda.threadIdx.x, cuda.blockIdx.x
    lowest[thread], where[thread] = np.inf, scores.shape[1]
    for position in range(thread, scores.shape[1], THREADS):
        if scores[pixel, position] < lowest[thread]:
            lowest[thread], where[thread] = scores[pixel, position], position
    half = THREADS // 2
    while half > 0:
        cuda.syncthreads()
        if thread < half:
            other = thread + half
            less = lowest[other] < lowest[thread]
            if less or (lowest[other] == lowest[thread] and where[other] < where[thread]):
                lowest[thread], where[thread] = lowest[other], where[other]
        half //= 2
    if thread == 0:
        best[pixel] = where[0]


class Baseline:
    """A batch on the card."""

    def __init__(self, batch: Signals) -> None:
        self.batch = batch
        self.masks = cuda.to_device(batch.masks)
        self.signals = cuda.to_device(batch.signals)
        self.lengths = cuda.to_device(batch.lengths)
        size = batch.lengths.size
        self.scores = cuda.device_array((size, batch.alignments), np.float32)
        self.best = cuda.device_array(size, np.int32)

    def kernels(self) -> None:
        """Launch both kernels."""
        size = self.batch.lengths.size
        grid = (-(-self.batch.alignments // THREADS), size)
        align[grid, (THREADS, 1)](self.masks, self.signals, self.lengths, self.scores)
        choose[size, THREADS](self.scores, self.best)

    def whole(self) -> npt.NDArray[np.int32]:
        """Copy the batch to the card, launch, and copy the indices back."""
        self.masks.copy_to_device(self.batch.masks)
        self.signals.copy_to_device(self.batch.signals)
        self.lengths.copy_to_device(self.batch.lengths)
        self.kernels()
        return np.asarray(self.best.copy_to_host())


def in_numpy(batch: Signals) -> npt.NDArray[np.int64]:
    """Return what the kernels should."""
    best = []
    for mask, signal, length in zip(batch.masks, batch.signals, batch.lengths, strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(mask, length)[: batch.alignments]
        best.append(int(np.abs(windows - signal[:length]).mean(axis=1).argmin()))
    return np.array(best)
