"""One process keeps every block, in order, and reads no more than one band ahead."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from lauedepth.core.decoding.cpu.decoder import CpuDecoder
from lauedepth.tasks.reconstruct.alone import OneProcess, _one_ahead
from lauedepth.tasks.reconstruct.blocks import BlockSize, PixelBlock, Reading, plan_blocks
from lauedepth.tasks.reconstruct.memory import BASE_BYTES
from lauedepth.tasks.reconstruct.run import Division, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

ROW_BYTES = 100


class StandIn:
    """Stands in for a run: notes what is done to bands and blocks."""

    def __init__(self, *, broken: int | None = None) -> None:
        self.job = self
        self.point = self
        self.row_bytes = ROW_BYTES
        self.memory_bytes = BASE_BYTES + 2 * 2 * ROW_BYTES
        self.broken = broken
        self.bands: list[tuple[int, int]] = []
        self.kept: list[int] = []

    def read(self, reading: Reading) -> object:
        self.bands.append((reading.row_start, reading.row_stop))
        return object()

    def traces(self, block: PixelBlock, reading: Reading, band: object) -> int:
        return block.number

    def solve(self, block: PixelBlock, traces: int) -> int:
        assert traces == block.number
        assert len(self.kept) >= block.number - 2  # all before the one that is being kept
        return traces

    def keep(self, block: PixelBlock, solved: int) -> None:
        if solved == self.broken:
            raise OSError("no space")
        self.kept.append(solved)


def decode(run: StandIn, reports: list[tuple[str, int, int]]) -> None:
    lit = np.ones((6, 5), np.bool_)
    blocks = plan_blocks(lit, BlockSize(5))
    workers = OneProcess(CpuDecoder(), lambda *report: reports.append(report))
    workers.decode(cast("Run", run), Division(lit, blocks, blocks[1:]), None)


def test_blocks_are_kept_in_order_from_bands_that_fit_into_memory() -> None:
    run, reports = StandIn(), list[tuple[str, int, int]]()
    decode(run, reports)
    assert run.kept == [1, 2, 3, 4, 5]
    assert run.bands == [(1, 3), (3, 5), (5, 6)]
    assert reports == [("decode", done, 30) for done in (5, 10, 15, 20, 25, 30)]


def test_a_block_that_cannot_be_kept_ends_the_run() -> None:
    run = StandIn(broken=2)
    with pytest.raises(OSError, match="no space"):
        decode(run, [])
    assert run.kept[0] == 1
    assert 2 not in run.kept


def test_whoever_stops_leaves_no_thread_behind() -> None:
    before = threading.active_count()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    lit = np.ones((6, 5), np.bool_)
    blocks = plan_blocks(lit, BlockSize(5))
    with pytest.raises(KeyboardInterrupt):
        OneProcess(CpuDecoder(), stop).decode(
            cast("Run", StandIn()), Division(lit, blocks, blocks), None
        )
    assert threading.active_count() == before


def test_one_item_is_made_ahead_and_no_more() -> None:
    made: list[int] = []
    ready = [threading.Event() for _ in range(5)]

    def items() -> Iterator[Any]:
        for number, event in enumerate(ready):
            made.append(number)
            event.set()
            yield str(number)

    for number, item in enumerate(_one_ahead(items())):
        assert item == str(number)
        if number < 4:
            assert ready[number + 1].wait(10)
        assert len(made) == min(number + 2, 5)


def test_one_process_shares_with_nobody() -> None:
    alone = OneProcess(CpuDecoder(), lambda *_: None)
    assert alone.backends == "cpu"
    assert alone.share(lambda: 3) == alone.do(lambda: 3) == 3
