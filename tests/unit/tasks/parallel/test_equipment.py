"""What a rank may use of its node."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from lauedepth.tasks.parallel.equipment import borrow_cores
from lauedepth.tasks.parallel.launch import Seat
from lauedepth.tasks.parallel.team import Team

HERE = sorted(os.sched_getaffinity(0))


class Seated:
    """Stands in for the ranks of two nodes, seen from the first rank."""

    def __init__(self, *cores: set[int]) -> None:
        hosts = ["here"] * (len(cores) - 1) + ["there"]
        self.rank = 0
        self.seats = [
            Seat(host, frozenset(own), None) for host, own in zip(hosts, cores, strict=True)
        ]

    def local_ranks(self) -> list[int]:
        return [rank for rank, seat in enumerate(self.seats) if seat.host == "here"]


def cores_after(team: Seated) -> set[int]:
    """Return the cores of a thread that was bound to one and borrowed others."""

    def bound() -> set[int]:
        os.sched_setaffinity(0, {HERE[0]})
        borrow_cores(cast("Team", team))
        return os.sched_getaffinity(0)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(bound).result()


@pytest.mark.skipif(len(HERE) < 2, reason="one core")
def test_a_thread_gets_the_cores_of_its_node_s_ranks_and_no_others() -> None:
    assert cores_after(Seated({HERE[0]}, {HERE[1]}, set(HERE[2:]))) == {HERE[0], HERE[1]}
    assert os.sched_getaffinity(0) == set(HERE)


def test_cores_that_cannot_be_had_are_not_missed() -> None:
    assert cores_after(Seated({1023}, set())) == {HERE[0]}
