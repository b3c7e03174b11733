"""How ranks take the steps of a run together."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from lauedepth.core.decoding.cpu.decoder import CpuDecoder
from lauedepth.core.errors import OutputError
from lauedepth.tasks.parallel.equipment import Equipment
from lauedepth.tasks.parallel.failures import DisagreementError, StoppedError
from lauedepth.tasks.parallel.ranks import RankReport, Ranks, _slowest, _try_to_write
from lauedepth.tasks.reconstruct.blocks import BlockSize
from lauedepth.tasks.reconstruct.checkpoint import RunIdentity

if TYPE_CHECKING:
    from lauedepth.io import Point
    from lauedepth.tasks.parallel.team import Team
    from lauedepth.tasks.reconstruct.run import Run

POINT = cast("Point", SimpleNamespace(path=Path("p.h5")))


class Together:
    """Stands in for a team of three: what others sent is given."""

    size = 3

    def __init__(self, rank: int = 0, values: list[Any] | None = None) -> None:
        self.rank, self.values = rank, values
        self.posts: list[tuple[str, Any]] = []
        self.stopping = False

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def name_of(self, rank: int) -> str:
        return f"rank {rank} on here"

    def exchange(self, value: object) -> list[Any]:
        return self.values or [value] * self.size

    def post(self, kind: str, content: object) -> None:
        self.posts.append((kind, content))

    def raise_if_stopping(self) -> None:
        if self.stopping:
            raise StoppedError


def ranks_of(team: Together, backends: str = "cpu", *, slow: bool = False) -> Ranks:
    equipment = Equipment(CpuDecoder(), None, 1, 0.0, (), backends, slow)
    return Ranks(cast("Team", team), equipment, lambda *_: None)


def test_a_rank_that_means_another_run_is_named_with_what_differs() -> None:
    same = RunIdentity.of(input="p.h5", configuration="a")
    other = RunIdentity.of(input="p.h5", configuration="b")
    ranks_of(Together(values=[same] * 3)).agree(POINT, same)
    with pytest.raises(
        DisagreementError, match="rank 2 on here has another configuration than rank 0 on here"
    ):
        ranks_of(Together(values=[same, same, other])).agree(POINT, same)


def test_rank_0_alone_reports_and_every_rank_stops() -> None:
    for rank, posts in ((0, [("progress", ("decode", 3, 9))]), (1, [])):
        team = Together(rank)
        ranks = ranks_of(team)
        ranks.report("decode", 3, 9)
        assert team.posts == posts
        team.stopping = True
        with pytest.raises(StoppedError):
            ranks.report("decode", 4, 9)


def test_ranks_that_are_not_alike_get_blocks_that_suit_the_slowest() -> None:
    run = cast("Run", SimpleNamespace())
    mixed = ranks_of(Together(), "cpu+cuda")
    assert not mixed.alike
    assert mixed.block_size(run, 10**6) == BlockSize(8192)
    slow = ranks_of(Together(), "cpu+reference", slow=True)
    assert slow.block_size(run, 10**6) == BlockSize(64)


def test_the_slowest_rank_of_each_step_is_reported() -> None:
    def report(rank: int, **seconds: float) -> RankReport:
        return RankReport(rank, "here", "cpu", None, 1, 0, 0, seconds)

    reports = report(0, select=1.0, read=5.0, keep=9.0), report(1, select=2.0, read=3.0)
    assert _slowest(reports) == {"select": 2.0, "read": 5.0, "decode": 0.0, "write": 0.0}


def test_a_folder_that_a_rank_does_not_see_is_refused(tmp_path: Path) -> None:
    _try_to_write(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="is not seen from here; choose a folder that all"):
        _try_to_write(tmp_path / "none", 1)
