"""How much memory a run may use, and what of it is for rows of the image."""

from __future__ import annotations

from typing import Final

from lauedepth.core.decoding.decoder import Decoder

MEMORY_BYTES: Final = 2 * 2**30
"""Memory that a run is meant to need."""

BASE_BYTES: Final = 512 * 2**20
"""What is needed beside the bands of rows: the program, tables and blocks at work."""


def bands_at_once(decoder: Decoder) -> int:
    """Return how many bands of rows are in memory: one read, one cut up, views of one decoded."""
    return 3 if decoder.prefers_frames else 2


def band_bytes(decoder: Decoder, memory_bytes: int) -> int:
    """Return the maximum size of a band of rows for a run that may use so much memory."""
    return (memory_bytes - BASE_BYTES) // bands_at_once(decoder)
