"""Traces of some pixels of a point, read without decoding it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Flags
from lauedepth.core.progress import StageProgress, no_progress
from lauedepth.io import Point
from lauedepth.tasks.reconstruct.blocks import plan_blocks, plan_readings, traces_of


@dataclass(frozen=True)
class SampledTraces:
    """Traces of some image pixels.

    Attributes
    ----------
    row, column : (n_pixels,) int64 arrays
        In the image.
    counts : (n_pixels, n_frames) array
    """

    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    counts: npt.NDArray[np.generic]

    def __len__(self) -> int:
        return int(self.row.size)

    def pick(self, which: npt.NDArray[np.generic]) -> SampledTraces:
        """Return some of the traces, by index or by flag."""
        return SampledTraces(self.row[which], self.column[which], self.counts[which])


def sample_traces(
    point: Point, pixels: Flags, memory_bytes: int, progress: StageProgress = no_progress
) -> SampledTraces:
    """Read the traces of some image pixels.

    Parameters
    ----------
    point : Point
    pixels : (rows, columns) bool array
        At least one is chosen.
    memory_bytes : int
        Maximum size of the rows that are read at once.
    progress : callable, optional
        Called with the numbers of readings done and in all.
    """
    blocks = plan_blocks(pixels)
    readings = plan_readings(blocks, point.row_bytes, memory_bytes)
    counts = []
    for number, reading in enumerate(readings):
        band = point.read_rows(reading.row_start, reading.row_stop)
        counts += [traces_of(band, reading.row_start, block) for block in reading.blocks]
        progress(number + 1, len(readings))
    return SampledTraces(
        np.concatenate([block.rows for block in blocks]),
        np.concatenate([block.columns for block in blocks]),
        np.concatenate(counts),
    )
