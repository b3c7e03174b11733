"""The pieces a point is decoded in: blocks of pixels, and what to read for them.

A result is written in strips of rows. A block is a number of pixels of one strip, or for a decoder
that likes many at once all pixels of some; blocks are decoded in any order and by any process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lauedepth.core.decoding.background import BackgroundMap
from lauedepth.core.decoding.decode import Solved, solve
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.pixels import DecodedPixels, DecodeOptions
from lauedepth.core.instrument.experiment import Experiment, Region
from lauedepth.io import BAND_ROWS

Ints = npt.NDArray[np.int64]

BLOCK_PIXELS: Final = 8192
"""Maximum pixels of a block: about a second of decoding, so little is lost when stopped."""

TRANSPOSED_PIXELS: Final = 512
"""Pixels whose frames are turned into traces at a time: few enough for a core's own cache."""


@dataclass(frozen=True)
class BlockSize:
    """How large blocks may be.

    Attributes
    ----------
    pixels : int
    rows : int
        Of the image: strips are put together up to so many.
    """

    pixels: int = BLOCK_PIXELS
    rows: int = BAND_ROWS

    @classmethod
    def for_decoder(cls, decoder: Decoder, row_bytes: int, memory_bytes: int) -> BlockSize:
        """Return what suits a decoder.

        Parameters
        ----------
        decoder : Decoder
        row_bytes : int
            Size of one image row in all frames.
        memory_bytes : int
            For the rows of a block.
        """
        if decoder.batch_pixels is None:
            return cls()
        strips = max(1, memory_bytes // row_bytes // BAND_ROWS)
        return cls(decoder.batch_pixels, strips * BAND_ROWS)


@dataclass(frozen=True)
class PixelBlock:
    """Lit pixels of the image, row by row: some of one strip, or all of several.

    Attributes
    ----------
    number : int
        Its place in the point.
    strip : (int, int)
        First and last + 1 row of the strip or strips.
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
    blocks: tuple[PixelBlock, ...]


def plan_blocks(lit: npt.NDArray[np.bool_], size: BlockSize | None = None) -> list[PixelBlock]:
    """Cut the pixels to decode into blocks.

    Parameters
    ----------
    lit : (rows, columns) bool array
    size : BlockSize, optional
        What suits the CPU by default.

    Returns
    -------
    list of PixelBlock
        Those of a strip differ by one pixel at most. The plan depends on `lit` and `size` alone.
    """
    size = size or BlockSize()
    blocks: list[PixelBlock] = []
    for start, stop in _spans(lit, size):
        rows, columns = np.nonzero(lit[start:stop])
        pieces = -(-rows.size // size.pixels)
        for piece_rows, piece_columns in zip(
            np.array_split(rows + start, pieces), np.array_split(columns, pieces), strict=True
        ):
            blocks.append(PixelBlock(len(blocks), (start, stop), piece_rows, piece_columns))
    return blocks


def _spans(lit: npt.NDArray[np.bool_], size: BlockSize) -> list[tuple[int, int]]:
    """Put neighbouring strips together as far as they make one block; leave dark ones out."""
    spans: list[tuple[int, int]] = []
    held = 0
    for start in range(0, lit.shape[0], BAND_ROWS):
        stop = min(start + BAND_ROWS, lit.shape[0])
        pixels = int(np.count_nonzero(lit[start:stop]))
        if not pixels:
            continue
        if held and held + pixels <= size.pixels and stop - spans[-1][0] <= size.rows:
            spans[-1] = spans[-1][0], stop
            held += pixels
        else:
            spans.append((start, stop))
            held = pixels
    return spans


def plan_readings(blocks: Sequence[PixelBlock], row_bytes: int, memory_bytes: int) -> list[Reading]:
    """Put blocks together whose rows are read at once.

    Parameters
    ----------
    blocks : sequence of PixelBlock
        In order of their rows.
    row_bytes : int
        Size of one image row in all frames.
    memory_bytes : int
        Maximum for one reading; a single block is read however large it is.
    """
    readings: list[Reading] = []
    waiting: list[PixelBlock] = []
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


def _reading(blocks: list[PixelBlock]) -> Reading:
    return Reading(int(blocks[0].rows[0]), int(blocks[-1].rows[-1]) + 1, tuple(blocks))


def traces_of(
    band: npt.NDArray[Any], row_start: int, block: PixelBlock, *, as_frames: bool = False
) -> npt.NDArray[Any]:
    """Return the traces of a block's pixels: (n_pixels, n_frames).

    Parameters
    ----------
    band : (n_frames, rows, columns) array
    row_start : int
        Image row of the band's first row.
    block : PixelBlock
    as_frames : bool
        A transposed view of (n_frames, n_pixels) instead of traces one after the other; where
        all pixels are lit, of the band itself.
    """
    frames, rows, columns = band.shape
    images = band.reshape(frames, rows * columns)
    flat = (block.rows - row_start) * columns + block.columns
    if as_frames and flat.size and flat[-1] - flat[0] == flat.size - 1:
        return images[:, flat[0] : flat[-1] + 1].T
    traces: npt.NDArray[Any]
    if as_frames:
        traces = np.take(images, flat, axis=1).T
        return traces
    traces = np.empty((flat.size, frames), band.dtype)
    for begin in range(0, flat.size, TRANSPOSED_PIXELS):
        some = slice(begin, begin + TRANSPOSED_PIXELS)
        traces[some] = np.take(images, flat[some], axis=1).T
    return traces


def decode_block(
    experiment: Experiment,
    region: Region,
    block: PixelBlock,
    traces: npt.NDArray[Any],
    *,
    decoder: Decoder,
    options: DecodeOptions,
    usable: npt.NDArray[np.bool_],
) -> DecodedPixels:
    """Decode the pixels of a block; see `decode`."""
    return solve_block(
        experiment, region, block, traces, decoder=decoder, options=options, usable=usable
    ).collect()


def solve_block(
    experiment: Experiment,
    region: Region,
    block: PixelBlock,
    traces: npt.NDArray[Any],
    *,
    decoder: Decoder,
    options: DecodeOptions,
    usable: npt.NDArray[np.bool_],
    background: BackgroundMap | None = None,
) -> Solved:
    """Do what needs the decoder for the pixels of a block; see `solve`."""
    row, column = region.unbinned(block.rows, block.columns)
    return solve(
        experiment,
        row,
        column,
        traces,
        backend=decoder,
        options=options,
        usable=usable,
        background=None if background is None else background.at(block.rows, block.columns),
    )


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
