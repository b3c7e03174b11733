"""From the decoder's sparse footprints to the compressed chunks of a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.core.decoding.pixels import DecodedPixels
from lauedepth.io.hdf5 import packed

CHUNK: Final = (8, 64, 64)
"""Depths, rows and columns of a chunk: 128 kB. A plane and a pixel's profile both need few."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Footprints:
    """The footprints of one tile of pixels, ready to become an image block.

    Attributes
    ----------
    row, column : int
        First pixel of the tile in the image.
    pixel : (n,) int64
        Pixel within the tile, row by row, of each footprint.
    start, length : (n,) int64
        First depth and number of depths of each footprint.
    value : (m,) float32
        Intensities of all footprints, one after the other.
    """

    row: int
    column: int
    pixel: Ints
    start: Ints
    length: Ints
    value: npt.NDArray[np.float32]


def split(rows: Ints, columns: Ints, decoded: DecodedPixels) -> list[Footprints]:
    """Sort footprints into the tiles in which their pixels lie; tiles without any are left out.

    Parameters
    ----------
    rows, columns : (n_traces,) int64 arrays
        Image pixel of each trace.
    decoded : DecodedPixels
    """
    length = np.diff(decoded.footprint_offset)
    lit = np.flatnonzero(length)
    if not lit.size:
        return []
    row, column = rows[decoded.trace[lit]], columns[decoded.trace[lit]]
    tile_row, tile_column = row // CHUNK[1], column // CHUNK[2]
    tile = tile_row * (int(tile_column.max()) + 1) + tile_column
    order = np.argsort(tile, kind="stable")
    lit, row, column, tile = lit[order], row[order], column[order], tile[order]
    ends = [*(np.flatnonzero(np.diff(tile)) + 1), tile.size]
    tiles, first = [], 0
    for end in ends:
        part = slice(first, end)
        tiles.append(_tile(decoded, lit[part], row[part], column[part]))
        first = end
    return tiles


def _tile(decoded: DecodedPixels, lit: Ints, row: Ints, column: Ints) -> Footprints:
    top, left = row[0] // CHUNK[1] * CHUNK[1], column[0] // CHUNK[2] * CHUNK[2]
    begin = decoded.footprint_offset[lit]
    length = decoded.footprint_offset[lit + 1] - begin
    return Footprints(
        row=int(top),
        column=int(left),
        pixel=(row - top) * CHUNK[2] + (column - left),
        start=decoded.footprint_start[lit].astype(np.int64),
        length=length,
        value=decoded.footprint[_ranges(begin, length)],
    )


def _ranges(begin: Ints, length: Ints) -> Ints:
    """Return the indices begin[i] ... begin[i] + length[i] - 1 of all i, in order."""
    before = np.cumsum(length) - length
    return np.asarray(np.arange(int(length.sum())) + np.repeat(begin - before, length))


def chunks_of(
    tile: Footprints, n_depths: int, level: int | None
) -> list[tuple[tuple[int, int, int], bytes]]:
    """Return the chunks of a tile that hold anything: (offset in the dataset, content).

    Parameters
    ----------
    tile : Footprints
    n_depths : int
    level : int or None
        Level of zlib; None leaves the content as it is.
    """
    deep = -(-n_depths // CHUNK[0]) * CHUNK[0]
    area = CHUNK[1] * CHUNK[2]
    depth = _ranges(tile.start, tile.length)
    if depth.size and (depth.min() < 0 or depth.max() >= n_depths):
        raise ValueError("a footprint leaves the depths of the experiment")
    dense = np.zeros((deep, area), np.float32)
    np.add.at(dense.reshape(-1), depth * area + np.repeat(tile.pixel, tile.length), tile.value)
    blocks = dense.reshape(-1, CHUNK[0] * area)
    touched = np.unique(depth[tile.value != 0] // CHUNK[0])
    chunks = []
    for index in touched:
        corner = (int(index) * CHUNK[0], tile.row, tile.column)
        chunks.append((corner, packed(blocks[index], level)))
    return chunks
