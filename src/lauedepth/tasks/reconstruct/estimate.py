"""What a reconstruction will need, estimated before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Final

import numpy as np

from lauedepth.config import ExperimentConfig
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.verdict import Tally
from lauedepth.core.instrument.experiment import Frames
from lauedepth.io import Point
from lauedepth.tasks.reconstruct.blocks import (
    BLOCK_PIXELS,
    BlockSize,
    PixelBlock,
    decode_block,
    plan_blocks,
    plan_readings,
    traces_of,
)
from lauedepth.tasks.reconstruct.bright_pixels import BrightPixels
from lauedepth.tasks.reconstruct.conclusion import Conclusion, conclude
from lauedepth.tasks.reconstruct.identity import input_files
from lauedepth.tasks.reconstruct.memory import (
    BASE_BYTES,
    MEMORY_BYTES,
    band_bytes,
    bands_at_once,
)
from lauedepth.tasks.reconstruct.selection import Mask, select_pixels

SAMPLE_FRAMES: Final = 16
SAMPLE_PIXELS: Final = 2048
SLOW_SAMPLE_PIXELS: Final = 16


@dataclass(frozen=True)
class Estimate:
    """What one point will need.

    Attributes
    ----------
    pixels : int
        Pixels to decode, judged from some of the frames.
    blocks, readings : int
        Pieces it is decoded in, and bands it is read in.
    input_bytes : int
        Of the frames used.
    memory_bytes : int
        Approximate peak.
    read_seconds, decode_seconds : float
        From a measured sample.
    pixels_per_second : float
    conclusion : Conclusion
        From the pixels of the sample.
    """

    pixels: int
    blocks: int
    readings: int
    input_bytes: int
    memory_bytes: int
    read_seconds: float
    decode_seconds: float
    pixels_per_second: float
    conclusion: Conclusion


def estimate_point(
    point: Point,
    config: ExperimentConfig,
    decoder: Decoder,
    mask: Mask | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> Estimate:
    """Measure a sample of a point and return what the whole will need.

    Reads a few of the frames and decodes some of the pixels.
    """
    frames = config.data.to_core()
    if mask is None:
        mask = config.selection.mask_pixels()
    lit = select_pixels(point, config, mask, frames=_some_frames(frames))
    row_bytes, allowed = point.row_bytes, band_bytes(decoder, memory_bytes)
    size = BlockSize.for_decoder(decoder, row_bytes, allowed)
    blocks = plan_blocks(lit, size)
    readings = plan_readings(blocks, row_bytes, allowed)
    tallest = max((r.row_stop - r.row_start for r in readings), default=0)
    speed, sample = _decoded_sample(point, config, decoder, blocks)
    pixels = int(lit.sum())
    return Estimate(
        pixels=pixels,
        blocks=len(blocks),
        readings=len(readings),
        input_bytes=point.shape[1] * row_bytes,
        memory_bytes=BASE_BYTES + min(bands_at_once(decoder), len(readings)) * tallest * row_bytes,
        read_seconds=_read_seconds(point, frames, len(readings), selecting=mask is None),
        decode_seconds=pixels / speed if speed else 0.0,
        pixels_per_second=speed,
        conclusion=conclude(point, config, *sample, memory_bytes),
    )


def _some_frames(frames: Frames) -> Frames:
    stride = frames.stride * max(1, len(frames) // SAMPLE_FRAMES)
    return Frames(frames.first, frames.stop, stride)


def _read_seconds(point: Point, frames: Frames, readings: int, *, selecting: bool) -> float:
    """Measure how long some frames take; return how long all passes over them will."""
    some = Frames(frames.first, min(frames.stop, frames.first + SAMPLE_FRAMES))
    begin = perf_counter()
    point.mean_image(some)
    one_pass = (perf_counter() - begin) / len(some) * len(frames)
    return one_pass * ((readings if is_packed(point) else 1) + selecting)


def is_packed(point: Point) -> bool:
    """Return whether frames are compressed, so that they are unpacked again for every band."""
    stored = sum(file.stat().st_size for file in input_files(point.path))
    return bool(stored < 0.9 * np.prod(point.shape) * point.dtype.itemsize)


def _decoded_sample(
    point: Point, config: ExperimentConfig, decoder: Decoder, blocks: list[PixelBlock]
) -> tuple[float, tuple[Tally, BrightPixels]]:
    """Decode some lit pixels of the largest block; return pixels per second, and what was found."""
    bright = BrightPixels()
    if not blocks:
        return 0.0, (Tally.nothing(), bright)
    full = max(blocks, key=len)
    experiment, options = config.to_core(), config.decode_options()
    many = decoder.batch_pixels is not None
    limit = SLOW_SAMPLE_PIXELS if decoder.is_slow else SAMPLE_PIXELS
    count = len(full) if many else min(limit, len(full), BLOCK_PIXELS)
    chosen = np.linspace(0, len(full) - 1, count).astype(np.int64)
    block = PixelBlock(0, full.strip, full.rows[chosen], full.columns[chosen])
    rows = int(block.rows[0]), int(block.rows[-1]) + 1
    band = point.read_rows(*rows)
    traces = traces_of(band, rows[0], block, as_frames=decoder.prefers_frames)
    for _ in range(1 + many):  # the first call takes the memory that the next ones use
        begin = perf_counter()
        decoded = decode_block(
            experiment,
            point.region,
            block,
            traces,
            decoder=decoder,
            options=options,
            usable=point.usable,
        )
    speed = len(block) / (perf_counter() - begin)
    bright.add(block.rows[decoded.trace], block.columns[decoded.trace], decoded)
    return speed, (Tally.of(decoded), bright)
