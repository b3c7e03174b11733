"""How many rows of a point a rank reads at once, and what memory that takes."""

from __future__ import annotations

from typing import Final

from lauedepth.core.decoding.decoder import Decoder
from lauedepth.io import Point
from lauedepth.tasks.reconstruct import BASE_BYTES, BlockSize, bands_at_once, is_packed

READ_BYTES: Final = 128 * 2**20
"""Most that a rank reads at once for a CPU, of frames that are not compressed."""


def rows_at_once(point: Point, memory_bytes: int, backend: Decoder) -> int:
    """Return how many rows of a point a rank reads at once, with so much memory."""
    room = (memory_bytes - BASE_BYTES) // bands_at_once(backend)
    if backend.batch_pixels is None and not is_packed(point):
        room = min(room, READ_BYTES)
    return max(1, min(room // _row_bytes(point), point.shape[1]))


def rank_memory(point: Point, memory_bytes: int, backend: Decoder) -> int:
    """Return about how many bytes each of several ranks needs, allowed so much memory."""
    rows = rows_at_once(point, memory_bytes, backend)
    return BASE_BYTES + bands_at_once(backend) * rows * _row_bytes(point)


def largest_block(point: Point, backend: Decoder, memory_bytes: int) -> BlockSize:
    """Return what block suits a backend, whose rows fit into so much memory."""
    row_bytes = _row_bytes(point)
    room = rows_at_once(point, memory_bytes, backend) * row_bytes
    return BlockSize.for_backend(backend, row_bytes, room)


def _row_bytes(point: Point) -> int:
    return len(point.frames) * point.shape[2] * point.dtype.itemsize
