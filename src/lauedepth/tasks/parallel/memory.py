"""How many rows of a point a rank reads at once, and what memory that takes."""

from __future__ import annotations

from typing import Final

from lauedepth.core.decoding.decoder import Decoder
from lauedepth.io import Point
from lauedepth.tasks.reconstruct.blocks import BlockSize
from lauedepth.tasks.reconstruct.estimate import is_packed
from lauedepth.tasks.reconstruct.memory import BASE_BYTES, band_bytes, bands_at_once

READ_BYTES: Final = 128 * 2**20
"""Maximum that a rank reads at once for a CPU, of frames that are not compressed."""


def rows_at_once(point: Point, memory_bytes: int, decoder: Decoder) -> int:
    """Return how many rows of a point a rank reads at once, with so much memory."""
    allowed = band_bytes(decoder, memory_bytes)
    if decoder.batch_pixels is None and not is_packed(point):
        allowed = min(allowed, READ_BYTES)
    return max(1, min(allowed // point.row_bytes, point.shape[1]))


def rank_memory(point: Point, memory_bytes: int, decoder: Decoder) -> int:
    """Return approximately how many bytes each of several ranks needs, allowed so much memory."""
    rows = rows_at_once(point, memory_bytes, decoder)
    return BASE_BYTES + bands_at_once(decoder) * rows * point.row_bytes


def largest_block(point: Point, decoder: Decoder, memory_bytes: int) -> BlockSize:
    """Return what block suits a decoder, whose rows fit into so much memory."""
    allowed = rows_at_once(point, memory_bytes, decoder) * point.row_bytes
    return BlockSize.for_decoder(decoder, point.row_bytes, allowed)
