"""What a rank reads at once, and the blocks that follow from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lauedepth.core.decoding.cpu.decoder import CpuDecoder
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.registry import choose_decoder
from lauedepth.core.instrument.experiment import Detector, Frames, Region
from lauedepth.io import BAND_ROWS, open_point, write_point
from lauedepth.tasks.parallel.memory import READ_BYTES, largest_block, rank_memory, rows_at_once
from lauedepth.tasks.reconstruct.blocks import BLOCK_PIXELS, BlockSize
from lauedepth.tasks.reconstruct.memory import BASE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lauedepth.io import Point

FRAMES, ROWS, COLUMNS = 4, 5 * BAND_ROWS, 8
ROW_BYTES = FRAMES * COLUMNS * 2


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    path = tmp_path / "point.h5"
    detector = Detector((2048, 2048), (409.6, 409.6), (0.0, 0.0, 0.0), (0.0, 0.0, 500.0))
    write_point(
        path,
        (np.full((ROWS, COLUMNS), frame, np.uint16) for frame in range(FRAMES)),
        FRAMES,
        region=Region((ROWS, COLUMNS), (0, 0)),
        detector=detector,
        sample_xyz=(0.0, 0.0, 0.0),
    )
    with open_point(path, frames=Frames(0, FRAMES)) as opened:
        yield opened


class Device(CpuDecoder):
    batch_pixels = 100_000
    prefers_frames = True


@pytest.fixture
def device() -> Decoder:
    return Device()


def test_a_device_gets_all_strips_that_memory_holds(point: Point, device: Decoder) -> None:
    for strips in (1, 2, 3):
        memory = BASE_BYTES + 3 * strips * BAND_ROWS * ROW_BYTES
        assert rows_at_once(point, memory, device) == strips * BAND_ROWS
        assert largest_block(point, device, memory) == BlockSize(100_000, strips * BAND_ROWS)
        assert rank_memory(point, memory, device) == memory
    tiny = BASE_BYTES + ROW_BYTES
    assert largest_block(point, device, tiny) == BlockSize(100_000, BAND_ROWS)


def test_a_cpu_and_the_published_method_keep_to_one_strip(point: Point) -> None:
    published = choose_decoder("auto", "published").decoder
    plain = BlockSize(BLOCK_PIXELS, BAND_ROWS)
    much = BASE_BYTES + 100 * READ_BYTES
    assert largest_block(point, CpuDecoder(), much) == plain
    assert largest_block(point, published, much) == plain
