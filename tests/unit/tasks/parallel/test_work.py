"""Work is shared out whole, by what it costs, to whoever is free."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.tasks.parallel.work import (
    LIT_COST,
    WorkQueue,
    block_costs,
    block_size,
    pixel_costs,
)
from lauedepth.tasks.reconstruct.blocks import BlockSize, plan_blocks


def play(queue: WorkQueue, costs: list[float], speeds: list[float]) -> tuple[list[float], float]:
    """Let ranks of different speeds work a queue off; return what each did, and the time."""
    done = [0.0] * len(speeds)
    given_out: list[int] = []
    free = [(0.0, rank) for rank in range(len(speeds))]
    last = 0.0
    while free:
        now, rank = heapq.heappop(free)
        last = max(last, now)
        numbers = queue.take(rank)
        if numbers is None:
            continue
        for number in numbers:
            seconds = costs[number] / speeds[rank]
            queue.done(rank, number, seconds)
            now += seconds
            done[rank] += costs[number]
        given_out += numbers
        heapq.heappush(free, (now, rank))
    assert sorted(given_out) == list(range(len(costs)))
    return done, last


def rows_of(costs: list[float]) -> list[tuple[int, int]]:
    return [(number, number + 1) for number in range(len(costs))]


@given(
    costs=st.lists(st.floats(0.1, 50.0), max_size=60),
    speeds=st.lists(st.floats(0.05, 20.0), min_size=1, max_size=9),
    most_rows=st.integers(0, 12),
    alike=st.booleans(),
    at_once=st.booleans(),
)
def test_every_block_is_given_once_whatever_happens(
    costs: list[float], speeds: list[float], most_rows: int, alike: bool, at_once: bool
) -> None:
    queue = WorkQueue(
        costs, rows_of(costs), len(speeds), most_rows=most_rows, alike=alike, at_once=at_once
    )
    done, _ = play(queue, costs, speeds)
    assert sum(done) == pytest.approx(sum(costs))


@pytest.mark.parametrize("alike", [True, False])
def test_ranks_end_together_though_spots_cluster(alike: bool) -> None:
    rng = np.random.default_rng(1)
    costs = np.where(np.arange(320) // 40 == 3, 4.4, 1.0) * rng.uniform(0.8, 1.2, 320)
    for ranks in (2, 8, 20):
        queue = WorkQueue(costs, rows_of(list(costs)), ranks, most_rows=999, alike=alike)
        _, time = play(queue, list(costs), [1.0] * ranks)
        assert time <= costs.sum() / ranks + 1.5 * costs.max()


def test_shares_are_in_proportion_to_measured_speed() -> None:
    costs, speeds = [1.0] * 2000, [40.0, 40.0, 1.0, 1.0]
    done, time = play(WorkQueue(costs, rows_of(costs), 4, most_rows=9999), costs, speeds)
    assert time < 1.06 * sum(costs) / sum(speeds)
    # All begin with the same, as nothing is measured yet; see also the next test.
    assert done[2] < 0.2 * done[0]


def test_ranks_that_are_alike_begin_with_half_their_share() -> None:
    costs = [1.0] * 64
    queue = WorkQueue(costs, rows_of(costs), 2, most_rows=999, alike=True)
    assert [len(queue.take(rank) or ()) for rank in (0, 1)] == [16, 12]


def test_a_slow_rank_gets_no_block_that_all_would_wait_for() -> None:
    costs = [10.0] * 100
    _, time = play(WorkQueue(costs, rows_of(costs), 2, most_rows=1), costs, [100.0, 1.0])
    assert time <= 10.0 + 10.0 / 100


def test_a_packed_file_is_read_once_by_each_rank() -> None:
    costs = [1.0] * 97
    queue = WorkQueue(costs, rows_of(costs), 4, most_rows=999, at_once=True)
    taken = [queue.take(rank) for rank in range(4)]
    assert [len(one or ()) for one in taken] == [24, 24, 24, 24]
    assert list(queue.take(0) or ()) == [96]


def test_no_more_rows_are_read_at_once_than_allowed() -> None:
    costs = [1.0] * 50
    queue = WorkQueue(costs, rows_of(costs), 1, most_rows=7, at_once=True)
    assert len(queue.take(0) or ()) == 7


def test_lit_pixels_cost_more() -> None:
    rng = np.random.default_rng(2)
    mean = rng.poisson(20.0, (300, 60, 50)).mean(axis=0)
    mean[10:14, 20:24] += 100.0
    mean[0, 0] = np.nan
    costs = pixel_costs(mean, 300)
    assert (costs[10:14, 20:24] == LIT_COST).all()
    assert (costs > 1).sum() <= 16 + 3
    blocks = plan_blocks(np.ones((60, 50), np.bool_), BlockSize(500))
    assert block_costs(blocks, costs).sum() == pytest.approx(costs.sum())
    assert block_costs(blocks, None).sum() == 3000


def test_every_rank_finds_blocks_enough() -> None:
    assert block_size(800_000, 2, 8192, slow=False) == 8192
    assert block_size(4_000_000, 32, 8192, slow=False) == 4_000_000 // 1024
    assert block_size(800_000, 320, 8192, slow=False) == 256
    assert block_size(8_192_000, 320, 8192, slow=False) == 2000
    assert block_size(800_000, 320, 8192, slow=True) == 64
    assert block_size(3, 8, 8192, slow=True) == 1
