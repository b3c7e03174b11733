"""One point reconstructed by many ranks, to the same result as by one process.

Rank 0 says what is to be done, hands out blocks of pixels, and publishes. Every rank reads the
rows of its blocks itself and keeps finished blocks beside the output, where rank 0 finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lauedepth.config import ExperimentConfig
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.errors import OutputError
from lauedepth.core.progress import Progress, no_progress, of_stage
from lauedepth.io import Point, publish
from lauedepth.tasks.parallel.equipment import Equipment, borrow_cores
from lauedepth.tasks.parallel.failures import DisagreementError
from lauedepth.tasks.parallel.memory import largest_block, rows_at_once
from lauedepth.tasks.parallel.selecting import select_together
from lauedepth.tasks.parallel.sharing import Dispatcher, Share
from lauedepth.tasks.parallel.team import Handler, Team
from lauedepth.tasks.parallel.work import WorkQueue, block_costs, block_size, pixel_costs
from lauedepth.tasks.reconstruct.blocks import BlockSize
from lauedepth.tasks.reconstruct.checkpoint import (
    Checkpoint,
    RunIdentity,
    blocks_folder,
    open_checkpoint,
)
from lauedepth.tasks.reconstruct.compiling import start_decoder
from lauedepth.tasks.reconstruct.estimate import is_packed
from lauedepth.tasks.reconstruct.job import Job
from lauedepth.tasks.reconstruct.memory import MEMORY_BYTES
from lauedepth.tasks.reconstruct.run import Division, Run, publish_run, run_job
from lauedepth.tasks.reconstruct.selection import Pixels, Selection, select_pixels
from lauedepth.tasks.reconstruct.summary import Summary

T = TypeVar("T")


@dataclass(frozen=True)
class RankReport:
    """What one rank was and did.

    Attributes
    ----------
    rank : int
    host, backend : str
    gpu : str or None
    threads : int
    pixels, blocks : int
    seconds : mapping of str to float
        By step; see `WorkDone`.
    """

    rank: int
    host: str
    backend: str
    gpu: str | None
    threads: int
    pixels: int
    blocks: int
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class TeamSummary(Summary):
    """What a run of several ranks did.

    Attributes
    ----------
    ranks : tuple of RankReport
    """

    ranks: tuple[RankReport, ...] = ()


def reconstruct_together(
    team: Team,
    equipment: Equipment,
    point_path: Path | str,
    config: ExperimentConfig,
    output: Path | str,
    *,
    pixels: Pixels | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    memory_bytes: int = MEMORY_BYTES,
    carry: Path | None = None,
) -> Summary:
    """Reconstruct one point with all ranks and publish its result; called by every rank.

    Parameters
    ----------
    team : Team
    equipment : Equipment
        Of this rank (`equip_ranks`).
    progress : callable, optional
        Called on rank 0 with (stage, done, total).
    memory_bytes : int
        Approximate memory limit of each rank.

    Other parameters are those of `reconstruct.reconstruct_point`.

    Returns
    -------
    Summary
        A `TeamSummary` unless the result was there already; the same on every rank.

    Raises
    ------
    LaueDepthError
        The first failure of any rank, on all ranks.
    """
    ranks = Ranks(team, equipment, progress or no_progress)

    def whole() -> Summary:
        job = Job.of(
            point_path,
            config,
            output,
            pixels=pixels,
            resume=resume,
            memory_bytes=memory_bytes,
            carry=carry,
        )
        return run_job(job, ranks)

    return team.together(whole)


@dataclass(frozen=True)
class Ranks:
    """All ranks of a launcher, as one of them sees them (`Workers`).

    Attributes
    ----------
    team : Team
    equipment : Equipment
        Of this rank.
    progress : callable
        Called on rank 0, in its main thread.
    """

    team: Team
    equipment: Equipment
    progress: Progress

    @property
    def decoder(self) -> Decoder:
        """What this rank decodes with."""
        return self.equipment.decoder

    @property
    def backends(self) -> str:
        """What all ranks decode with."""
        return self.equipment.backends

    @property
    def alike(self) -> bool:
        """Whether all ranks decode with the same."""
        return self.backends == self.decoder.name

    def report(self, stage: str, done: int, total: int) -> None:
        """Report from the working thread how far this rank is, and stop where the run ends."""
        self.team.raise_if_stopping()
        if self.team.is_first:
            self.team.post("progress", (stage, done, total))

    def handlers(self) -> dict[str, Handler]:
        """Return what rank 0 does with what `report` posts."""
        return {"progress": lambda _, content: self.progress(*content)}

    def do(self, step: Callable[[], T]) -> T:
        """Take a step in the working thread, while the main thread talks to the other ranks."""
        return self.team.work(step, self.handlers())

    def share(self, step: Callable[[], T]) -> T:
        """Have rank 0 take a step; return on every rank what came of it."""
        return self.team.share(self.do(step) if self.team.is_first else None)

    def agree(self, point: Point, identity: RunIdentity) -> None:
        """Refuse ranks that see another point, or mean another run."""
        team, identities = self.team, self.team.exchange(identity)
        for rank, other in enumerate(identities):
            different = identities[0].differences(other)
            if different:
                raise DisagreementError(
                    f"{team.name_of(rank)} has another {' and another '.join(different)} "
                    f"than {team.name_of(0)}",
                    str(point.path),
                    "check that all nodes see the same files",
                )

    def open_checkpoint(self, job: Job, identity: RunIdentity, stack: ExitStack) -> Checkpoint:
        """Open the finished blocks on rank 0, and make sure that every rank can write there."""
        team, checkpoint = self.team, Checkpoint(blocks_folder(job.output))
        if team.is_first:
            opened = open_checkpoint(job.output, identity, resume=job.resume)
            checkpoint = self.do(lambda: stack.enter_context(opened))
        team.exchange(None)
        self.do(lambda: _try_to_write(checkpoint.folder, team.rank))
        team.exchange(None)
        return checkpoint

    def select(self, run: Run) -> Selection | None:
        """Choose the pixels: None on all ranks but the first."""
        job = run.job
        if job.mask is None:
            return select_together(self.team, run.point, job.config, self.report, self.handlers())
        if not self.team.is_first:
            return None
        return Selection(select_pixels(run.point, job.config, job.mask))

    def block_size(self, run: Run, pixels: int) -> BlockSize:
        """Return what suits all ranks: the blocks that GPUs like would keep a CPU busy for long."""
        largest = BlockSize()
        if self.alike:
            largest = largest_block(run.point, self.decoder, run.job.memory_bytes)
        per_block = block_size(pixels, self.team.size, largest.pixels, slow=self.equipment.is_slow)
        return BlockSize(per_block, largest.rows)

    def start_decoder(self, run: Run) -> None:
        """Load compiled code on all ranks; if there is none, rank 0 compiles it for the others."""

        def start() -> None:
            progress = of_stage(self.report, "compile")
            start_decoder(self.decoder, run.job.experiment, run.job.options, progress)

        in_turn = any(self.team.exchange(not self.decoder.is_compiled()))
        at_first = self.team.is_first or not in_turn
        for its_turn in (at_first, not at_first):
            if its_turn:
                self.do(start)
            self.team.exchange(None)

    def decode(self, run: Run, division: Division, selection: Selection | None) -> None:
        """Decode what rank 0 hands out, until nothing is left."""
        share = Share(self.team, run, division.left)
        handlers = share.handlers()
        if self.team.is_first:
            dispatcher = self._dispatcher(run, division, selection)
            handlers |= dispatcher.handlers()
            dispatcher.report()
        self.team.work(share.decode_all, handlers)

    def _dispatcher(self, run: Run, division: Division, selection: Selection | None) -> Dispatcher:
        mean = None if selection is None else selection.mean
        costs = None if mean is None else pixel_costs(mean, len(run.point.frames))
        queue = WorkQueue(
            block_costs(division.left, costs),
            [(int(block.rows[0]), int(block.rows[-1]) + 1) for block in division.left],
            self.team.size,
            most_rows=rows_at_once(run.point, run.job.memory_bytes, self.decoder),
            alike=self.alike,
            at_once=self.alike and is_packed(run.point),
        )
        pixels = [division.pixels_finished, division.pixels]
        return Dispatcher(self.team, queue, division.left, self.progress, pixels)

    def finish(self, run: Run, division: Division, begin: float) -> Summary:
        """Have rank 0 publish the result on its node's cores; return its summary on every rank."""
        with run.done.timed("gather"):
            self.team.exchange(None)
        reports = tuple(self.team.exchange(self._report(run)))

        def publish() -> Summary:
            borrow_cores(self.team)
            summary = publish_run(run, self, division, _slowest(reports), begin)
            return TeamSummary(**vars(summary), ranks=reports)

        return self.share(publish)

    def _report(self, run: Run) -> RankReport:
        return RankReport(
            rank=self.team.rank,
            host=self.team.seats[self.team.rank].host,
            backend=self.decoder.name,
            gpu=self.equipment.gpu,
            threads=self.equipment.threads,
            pixels=run.done.pixels,
            blocks=run.done.blocks,
            seconds={"start": self.equipment.started_s} | run.done.seconds,
        )


def _try_to_write(folder: Path, rank: int) -> None:
    if not folder.is_dir():
        raise OutputError(
            "is not seen from here", str(folder), "choose a folder that all nodes share"
        )
    trial = folder / f"rank_{rank}"
    with publish(trial):
        pass
    trial.unlink()


def _slowest(reports: tuple[RankReport, ...]) -> dict[str, float]:
    """Return the seconds of the rank that took longest, step by step; nothing is written yet."""
    steps = ("select", "read", "decode")
    seconds = {step: max(report.seconds.get(step, 0.0) for report in reports) for step in steps}
    return seconds | {"write": 0.0}
