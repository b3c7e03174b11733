"""What a rank does with the blocks it is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lauedepth.config import load_experiment
from lauedepth.core.decoding.answers import Answers
from lauedepth.core.decoding.cpu.decoder import CpuDecoder
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.instrument.experiment import Region
from lauedepth.io import open_point, write_point
from lauedepth.tasks.parallel.sharing import Share
from lauedepth.tasks.reconstruct.blocks import BlockSize, plan_blocks
from lauedepth.tasks.reconstruct.checkpoint import (
    Checkpoint,
    RunIdentity,
    blocks_folder,
    open_checkpoint,
)
from lauedepth.tasks.reconstruct.job import Job
from lauedepth.tasks.reconstruct.memory import MEMORY_BYTES
from lauedepth.tasks.reconstruct.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lauedepth.io import Point

ROOT = Path(__file__).parents[4]
REGION = Region((8, 16), (1000, 900))


class OneRank:
    """Stands in for rank 0: answers each question from a list."""

    def __init__(self, answers: list[range | None]) -> None:
        self.answers = answers
        self.done: list[int] = []

    def post(self, kind: str, content: Any) -> None:
        if kind == "done":
            self.done.append(content[0])

    def take(self, inbox: object) -> range | None:
        return self.answers.pop(0)

    def raise_if_stopping(self) -> None:
        """Nothing ends here."""


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Point]:
    config = load_experiment(ROOT / "examples" / "experiment.yml")
    rng = np.random.default_rng(1)
    frames = (rng.poisson(20.0, REGION.shape).astype(np.uint16) for _ in range(261))
    detector = config.to_core().detector
    place = {"region": REGION, "detector": detector, "sample_xyz": (0.0, 0.0, 0.0)}
    write_point(tmp_path / "p.h5", frames, 261, **place)  # type: ignore[arg-type]
    with open_point(tmp_path / "p.h5") as opened:
        yield opened


def share_of(point: Point, backend: Decoder, team: OneRank, checkpoint: Checkpoint) -> Share:
    blocks = plan_blocks(np.ones(REGION.shape, np.bool_), BlockSize(32))
    assert len(blocks) == 4
    config = load_experiment(ROOT / "examples" / "experiment.yml")
    job = Job(point.path, config, Path("r.h5"), None, False, MEMORY_BYTES)
    run = Run(job, point, backend, RunIdentity({}), checkpoint)
    return Share(team, run, blocks)  # type: ignore[arg-type]


def test_all_that_is_given_is_decoded_and_kept(point: Point, tmp_path: Path) -> None:
    team = OneRank([range(2), range(3, 4), None])
    with open_checkpoint(tmp_path / "r.h5", RunIdentity({}), resume=False) as checkpoint:
        share = share_of(point, CpuDecoder(), team, checkpoint)
        share.decode_all()
        assert checkpoint.finished() == {0, 1, 3}
    assert team.done == [0, 1, 3]
    assert (share.run.done.pixels, share.run.done.blocks) == (96, 3)
    assert set(share.run.done.seconds) == {"read", "cut", "decode", "cpu", "keep"}


def test_a_block_is_kept_before_the_next_is_begun(point: Point, tmp_path: Path) -> None:
    kept_at_begin = []

    class Watched(CpuDecoder):
        def solve(self, *arguments: Any) -> Answers:
            kept_at_begin.append(len(list(blocks_folder(tmp_path / "r.h5").glob("block_*.npz"))))
            return super().solve(*arguments)

    with open_checkpoint(tmp_path / "r.h5", RunIdentity({}), resume=False) as checkpoint:
        team = OneRank([range(4), None])
        share_of(point, Watched(), team, checkpoint).decode_all()
    assert kept_at_begin == [0, 1, 2, 3]
