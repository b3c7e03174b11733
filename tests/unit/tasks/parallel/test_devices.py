"""GPUs and threads are shared out so that nobody gets too much."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.core.errors import ConfigurationError
from lauedepth.tasks.parallel.devices import (
    GpuSharing,
    gpu_of_rank,
    node_gpus,
    threads_of_rank,
)

FOUR = ["0", "1", "2", "3"]


def given_to(ranks: int, gpus: list[str], sharing: GpuSharing) -> list[str | None]:
    return [gpu_of_rank(rank, ranks, gpus, sharing) for rank in range(ranks)]


def test_neighbours_share_a_gpu() -> None:
    assert given_to(8, FOUR, GpuSharing()) == ["0", "0", "1", "1", "2", "2", "3", "3"]


def test_the_order_can_be_reversed_as_on_polaris() -> None:
    assert given_to(4, FOUR, GpuSharing(reverse=True)) == ["3", "2", "1", "0"]
    assert given_to(8, FOUR, GpuSharing(reverse=True)) == ["3", "3", "2", "2", "1", "1", "0", "0"]


def test_the_rest_get_none_where_few_may_share() -> None:
    found = given_to(32, FOUR, GpuSharing(ranks_per_gpu=1))
    assert [rank for rank, gpu in enumerate(found) if gpu is not None] == [0, 8, 16, 24]
    assert Counter(given_to(32, FOUR, GpuSharing(ranks_per_gpu=3)))[None] == 20


def test_fewer_ranks_than_gpus_get_one_each() -> None:
    assert given_to(2, FOUR, GpuSharing()) == ["0", "1"]
    assert given_to(2, FOUR, GpuSharing(reverse=True)) == ["3", "2"]


def test_a_node_without_gpus_gives_none() -> None:
    assert given_to(3, [], GpuSharing()) == [None, None, None]


@given(
    ranks=st.integers(1, 70),
    gpus=st.integers(1, 9),
    most=st.none() | st.integers(1, 9),
    reverse=st.booleans(),
)
def test_gpus_are_shared_evenly(ranks: int, gpus: int, most: int | None, reverse: bool) -> None:
    names = [f"GPU-{number}" for number in range(gpus)]
    found = given_to(ranks, names, GpuSharing(most, reverse))
    users = Counter(name for name in found if name is not None)
    assert len(users) == min(ranks, gpus)
    assert max(users.values()) - min(users.values()) <= 1
    assert max(users.values()) <= (most or ranks)
    used = [name for name in found if name is not None]
    assert used == sorted(used, reverse=reverse)


def test_the_environment_says_how_to_share() -> None:
    environment = {"LAUEDEPTH_RANKS_PER_GPU": "8", "LAUEDEPTH_GPU_ORDER": "reversed"}
    assert GpuSharing.of(environment) == GpuSharing(8, reverse=True)
    assert GpuSharing.of({}) == GpuSharing()


@pytest.mark.parametrize(
    "environment", [{"LAUEDEPTH_RANKS_PER_GPU": "0"}, {"LAUEDEPTH_GPU_ORDER": "backwards"}]
)
def test_nonsense_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(environment))):
        GpuSharing.of(environment)


def test_gpus_are_found_without_cuda(tmp_path: Path) -> None:
    assert node_gpus({}, tmp_path / "no-driver") == []
    for name in ("0000:07:00.0", "0000:46:00.0"):
        (tmp_path / name).mkdir()
    assert node_gpus({}, tmp_path) == ["0", "1"]
    assert node_gpus({"CUDA_VISIBLE_DEVICES": "2,3"}, tmp_path) == ["2", "3"]
    assert node_gpus({"CUDA_VISIBLE_DEVICES": "MIG-a, MIG-b"}, tmp_path) == ["MIG-a", "MIG-b"]
    assert node_gpus({"CUDA_VISIBLE_DEVICES": ""}, tmp_path) == []
    assert node_gpus({"CUDA_VISIBLE_DEVICES": "1,-1,0"}, tmp_path) == ["1"]


def test_ranks_bound_to_cores_of_their_own_use_them_all() -> None:
    cores = [frozenset({0, 1}), frozenset({2, 3, 4})]
    assert [threads_of_rank(rank, cores) for rank in range(2)] == [2, 3]


def test_a_quota_counts_for_all_ranks_of_a_node() -> None:
    cores = [frozenset(range(16))] * 4
    assert threads_of_rank(0, cores) == 4
    assert threads_of_rank(0, cores, quota=8.0) == 2
    assert threads_of_rank(0, cores, quota=0.5) == 1


@given(st.lists(st.frozensets(st.integers(0, 40), min_size=1), min_size=1, max_size=40))
def test_threads_never_exceed_the_cores_unless_ranks_do(cores: list[frozenset[int]]) -> None:
    threads = [threads_of_rank(rank, cores) for rank in range(len(cores))]
    allowed = len(frozenset().union(*cores))
    alone = sum(count for count in threads if count == 1)
    assert min(threads) >= 1
    assert sum(threads) <= allowed + alone
    for one, mine in zip(threads, cores, strict=True):
        assert one <= len(mine)
