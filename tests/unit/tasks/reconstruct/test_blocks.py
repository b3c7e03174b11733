"""Blocks hold every lit pixel once; readings hold every block; order does not matter."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lauedepth.core.decoding.pixels import DecodedPixels, DecodeOptions
from lauedepth.core.decoding.registry import choose_decoder
from lauedepth.io import BAND_ROWS, open_point
from lauedepth.tasks.reconstruct.blocks import (
    TRANSPOSED_PIXELS,
    BlockSize,
    PixelBlock,
    decode_block,
    join_decoded,
    plan_blocks,
    plan_readings,
    traces_of,
)

if TYPE_CHECKING:
    from .conftest import SmallPoint

lit_images = hnp.arrays(
    np.bool_, st.tuples(st.integers(1, 200), st.integers(1, 12)), elements=st.booleans()
)


@given(lit_images, st.integers(1, 2000), st.sampled_from([1, 2, 3, 8]))
def test_blocks_hold_every_lit_pixel_once_in_order(
    lit: np.ndarray[tuple[int, int], np.dtype[np.bool_]], most: int, strips: int
) -> None:
    blocks = plan_blocks(lit, BlockSize(most, strips * BAND_ROWS))
    places = [(r, c) for b in blocks for r, c in zip(b.rows, b.columns, strict=True)]
    assert places == [tuple(place) for place in np.argwhere(lit)]
    assert [block.number for block in blocks] == list(range(len(blocks)))
    for block in blocks:
        assert 0 < len(block) <= most
        start, stop = block.strip
        assert start % BAND_ROWS == 0
        assert stop % BAND_ROWS == 0 or stop == lit.shape[0]
        assert 0 < stop - start <= strips * BAND_ROWS
        assert start <= block.rows.min()
        assert block.rows.max() < stop
    for before, after in pairwise(dict.fromkeys(block.strip for block in blocks)):
        assert before[1] <= after[0]


def test_strips_are_put_together_as_far_as_they_make_one_block() -> None:
    lit = np.zeros((6 * BAND_ROWS, 10), np.bool_)
    lit[0, :4] = lit[BAND_ROWS, :4] = lit[2 * BAND_ROWS, :4] = True
    lit[4 * BAND_ROWS : 4 * BAND_ROWS + 3] = True
    lit[-1, 0] = True

    def strips(size: BlockSize) -> list[tuple[int, int]]:
        return [
            (block.strip[0] // BAND_ROWS, block.strip[1] // BAND_ROWS)
            for block in plan_blocks(lit, size)
        ]

    assert strips(BlockSize(4)) == [(0, 1), (1, 2), (2, 3), *[(4, 5)] * 8, (5, 6)]
    assert strips(BlockSize(8, 99 * BAND_ROWS)) == [(0, 2), (2, 3), *[(4, 5)] * 4, (5, 6)]
    assert strips(BlockSize(99, 99 * BAND_ROWS)) == [(0, 6)]
    assert strips(BlockSize(99, 4 * BAND_ROWS)) == [(0, 3), (4, 6)]


@given(lit_images, st.integers(1, 30), st.integers(1, 60))
def test_readings_hold_every_block_and_keep_to_memory(
    lit: np.ndarray[tuple[int, int], np.dtype[np.bool_]], most: int, rows: int
) -> None:
    blocks = plan_blocks(lit, BlockSize(most))
    readings = plan_readings(blocks, row_bytes=10, memory_bytes=10 * rows)
    assert [b.number for r in readings for b in r.blocks] == [b.number for b in blocks]
    for reading in readings:
        for block in reading.blocks:
            assert reading.row_start <= block.rows.min()
            assert block.rows.max() < reading.row_stop
        assert reading.row_stop - reading.row_start <= rows or len(reading.blocks) == 1


def test_traces_are_the_pixels_of_the_band() -> None:
    rng = np.random.default_rng(1)
    band = rng.integers(0, 60000, (7, 5, 6)).astype(np.uint16)
    rows, columns = np.array([10, 10, 12, 14]), np.array([0, 5, 3, 5])
    traces = traces_of(band, 10, PixelBlock(0, (0, 64), rows, columns))
    expected = [band[:, r - 10, c] for r, c in zip(rows, columns, strict=True)]
    np.testing.assert_array_equal(traces, expected)
    assert traces.flags.c_contiguous
    frames = traces_of(band, 10, PixelBlock(0, (0, 64), rows, columns), as_frames=True)
    np.testing.assert_array_equal(frames, expected)
    assert frames.T.flags.c_contiguous


@pytest.mark.parametrize("part", [0.3, 1.0])
def test_traces_are_cut_in_tiles_without_a_seam(part: float) -> None:
    rng = np.random.default_rng(2)
    band = rng.integers(0, 60000, (9, 20, TRANSPOSED_PIXELS // 4)).astype(np.uint16)
    rows, columns = np.nonzero(rng.random(band.shape[1:]) < part)
    assert rows.size > TRANSPOSED_PIXELS
    traces = traces_of(band, 0, PixelBlock(0, (0, 64), rows, columns))
    assert traces.flags.c_contiguous
    np.testing.assert_array_equal(traces, band[:, rows, columns].T)


def test_rows_all_lit_are_not_copied() -> None:
    band = np.random.default_rng(1).integers(0, 60000, (7, 5, 6)).astype(np.uint16)
    rows, columns = np.indices((2, 6)).reshape(2, -1) + np.array([[12], [0]])
    traces = traces_of(band, 10, PixelBlock(0, (0, 64), rows, columns), as_frames=True)
    assert np.shares_memory(traces, band)
    np.testing.assert_array_equal(traces.T.reshape(7, 2, 6), band[:, 2:4])


def test_decoded_blocks_joined_are_the_pixels_decoded_at_once(small_point: SmallPoint) -> None:
    config = small_point.config
    experiment = config.to_core()
    lit = np.zeros((200, 48), np.bool_)
    lit[small_point.truth["row"], small_point.truth["column"]] = True
    lit[:64, :2] = True
    lit[64:] = False

    with open_point(small_point.path, config.data.key, experiment.frames) as point:
        band = point.read_rows(0, 64)

        def decoded(blocks: list[PixelBlock]) -> DecodedPixels:
            parts = [
                decode_block(
                    experiment,
                    point.region,
                    block,
                    traces_of(band, 0, block),
                    decoder=choose_decoder().decoder,
                    options=DecodeOptions(),
                    usable=point.usable,
                )
                for block in blocks
            ]
            return join_decoded(parts, [len(block) for block in blocks])

        whole, joined = decoded(plan_blocks(lit)), decoded(plan_blocks(lit, BlockSize(17)))
    assert np.isfinite(whole.depth_um).sum() > 20
    for field in fields(DecodedPixels):
        np.testing.assert_array_equal(getattr(whole, field.name), getattr(joined, field.name))
