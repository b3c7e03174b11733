"""The pieces a point is decoded in: blocks of pixels, and what to read for them.

A result is written in strips of rows. A block is a number of pixels of one strip; blocks are
decoded in any order and by any process, and joined strip by strip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lauedepth.core.backends.registry import Backend
from lauedepth.core.decode import decode
from lauedepth.core.experiment import Experiment, Region
from lauedepth.core.pixels import DecodedPixels, DecodeOptions
from lauedepth.io import BAND_ROWS

Ints = npt.NDArray[np.int64]

BLOCK_PIXELS: Final = 8192
"""Most pixels of a block: about a second of decoding, so little is lost when stopped."""


@dataclass(frozen=True)
class Block:
    """Some lit pixels of one strip of the image, row by row.

    Attributes
    ----------
    number : int
        Its place in the point.
    strip : (int, int)
        First and last + 1 row of the strip.
    rows, columns : (n_pixels,) int64 arrays
        Image pixels.
    """

    number: int
    strip: tuple[int, int]
    rows: Ints
    columns: Ints

    def __len__(self) -> int:
        return int(self.rows.size)


@dataclass(frozen=True)
class Reading:
    """A band of rows that is read at once, and the blocks that lie in it."""

    row_start: int
    row_stop: int
    blocks: tuple[Block, ...]


def plan_blocks(lit: npt.NDArray[np.bool_], most_pixels: int = BLOCK_PIXELS) -> list[Block]:
    """Cut the pixels to decode into blocks.

    Parameters
    ----------
    lit : (rows, columns) bool array
    most_pixels : int

    Returns
    -------
    list of Block
        Those of a strip differ by one pixel at most. The plan depends on `lit` alone.
    """
    blocks: list[Block] = []
    for start in range(0, lit.shape[0], BAND_ROWS):
        stop = min(start + BAND_ROWS, lit.shape[0])
        rows, columns = np.nonzero(lit[start:stop])
        if not rows.size:
            continue
        pieces = -(-rows.size // most_pixels)
        for piece_rows, piece_columns in zip(
            np.array_split(rows + start, pieces), np.array_split(columns, pieces), strict=True
        ):
            blocks.append(Block(len(blocks), (start, stop), piece_rows, piece_columns))
    return blocks


def plan_readings(blocks: Sequence[Block], row_bytes: int, memory_bytes: int) -> list[Reading]:
    """Put blocks together whose rows are read at once.

    Parameters
    ----------
    blocks : sequence of Block
        In order of their rows.
    row_bytes : int
        Size of one image row in all frames.
    memory_bytes : int
        Most for one reading; a single block is read however large it is.
    """
    readings: list[Reading] = []
    waiting: list[Block] = []
    for block in blocks:
        first = int(waiting[0].rows[0]) if waiting else int(block.rows[0])
        height = int(block.rows[-1]) + 1 - first
        if waiting and height * row_bytes > memory_bytes:
            readings.append(_reading(waiting))
            waiting = []
        waiting.append(block)
    if waiting:
        readings.append(_reading(waiting))
    return readings


def _reading(blocks: list[Block]) -> Reading:
    return Reading(int(blocks[0].rows[0]), int(blocks[-1].rows[-1]) + 1, tuple(blocks))


def traces_of(band: npt.NDArray[Any], row_start: int, block: Block) -> npt.NDArray[Any]:
    """Return the traces of a block's pixels: (n_pixels, n_frames).

    Parameters
    ----------
    band : (n_frames, rows, columns) array
    row_start : int
        Image row of the band's first row.
    block : Block
    """
    frames, rows, columns = band.shape
    flat = (block.rows - row_start) * columns + block.columns
    lit = np.take(band.reshape(frames, rows * columns), flat, axis=1)
    return np.ascontiguousarray(lit.T)


def decode_block(
    experiment: Experiment,
    region: Region,
    block: Block,
    traces: npt.NDArray[Any],
    *,
    backend: Backend,
    options: DecodeOptions,
    usable: npt.NDArray[np.bool_],
) -> DecodedPixels:
    """Decode the pixels of a block; see `core.decode.decode`."""
    row, column = region.unbinned(block.rows, block.columns)
    return decode(experiment, row, column, traces, backend=backend, options=options, usable=usable)


def join_decoded(parts: Sequence[DecodedPixels], sizes: Sequence[int]) -> DecodedPixels:
    """Put decoded blocks one behind the other.

    Parameters
    ----------
    parts : sequence of DecodedPixels
    sizes : sequence of int
        Number of traces of each.
    """
    joined = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(DecodedPixels)
    }
    before = np.cumsum([0, *sizes[:-1]])
    joined["trace"] = np.concatenate(
        [part.trace + first for part, first in zip(parts, before, strict=True)]
    )
    lengths = np.concatenate([np.diff(part.footprint_offset) for part in parts])
    joined["footprint_offset"] = np.concatenate([[0], np.cumsum(lengths)])
    return DecodedPixels(**joined)
