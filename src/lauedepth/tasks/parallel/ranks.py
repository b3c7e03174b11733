"""One point reconstructed by many ranks, to the same result as by one.

Rank 0 says what is to be done, gives out blocks of pixels, and publishes. Every rank reads the
rows of its blocks itself and keeps finished blocks beside the output, where rank 0 finds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np

from lauedepth.config import ExperimentConfig
from lauedepth.core.arrays import Floats
from lauedepth.core.errors import OutputError
from lauedepth.io import Point, publish
from lauedepth.tasks.parallel.equipment import Equipment, borrow_cores
from lauedepth.tasks.parallel.failures import DisagreementError
from lauedepth.tasks.parallel.memory import largest_block, rows_at_once
from lauedepth.tasks.parallel.selecting import select_together
from lauedepth.tasks.parallel.sharing import Dispatcher, Share, WorkDone
from lauedepth.tasks.parallel.team import Handler, Team
from lauedepth.tasks.parallel.work import WorkQueue, block_costs, block_size, pixel_costs
from lauedepth.tasks.reconstruct import (
    MEMORY_BYTES,
    Block,
    BlockSize,
    Mask,
    Pixels,
    Progress,
    Summary,
    is_finished,
    is_packed,
    open_for,
    plan_blocks,
    publish_result,
    refuse_to_overwrite,
    run_identity,
    select_pixels,
    start_backend,
    summary_of_finished,
    warnings_of,
    with_threshold,
)
from lauedepth.tasks.reconstruct.checkpoint import (
    Checkpoint,
    RunIdentity,
    blocks_folder,
    open_checkpoint,
    remove_blocks,
)


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


@dataclass(frozen=True)
class _Run:
    """What the steps of a run share on one rank."""

    team: Team
    point: Point
    config: ExperimentConfig
    output: Path
    equipment: Equipment
    identity: RunIdentity
    progress: Progress
    memory_bytes: int
    done: WorkDone = field(default_factory=WorkDone)

    def tell(self, stage: str, done: int, total: int) -> None:
        """Tell from the working thread how far this rank is, and stop where the run ends."""
        self.team.go_on()
        if self.team.is_first:
            self.team.post("progress", (stage, done, total))

    def handlers(self) -> dict[str, Handler]:
        """Return what rank 0 does with what `tell` posts."""
        return {"progress": lambda _, content: self.progress(*content)}


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
        About how much memory to use, of each rank.

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
    config = with_threshold(config, pixels)
    mask = pixels if isinstance(pixels, np.ndarray) else None
    tell = progress or (lambda stage, done, total: None)

    def whole() -> Summary:
        begin = perf_counter()
        with ExitStack() as stack:
            point, identity = _open_together(
                team, equipment, stack, point_path, config, Path(output), mask
            )
            run = _Run(team, point, config, Path(output), equipment, identity, tell, memory_bytes)
            if resume and _is_there(run):
                return summary_of_finished(point, run.output, equipment.backends)
            checkpoint = _common_checkpoint(run, stack, resume=resume)
            run.done.seconds |= {
                "start": equipment.started_s,
                "prepare": perf_counter() - begin,
            }
            return _reconstruct(run, checkpoint, mask, begin)

    return team.together(whole)


def _open_together(
    team: Team,
    equipment: Equipment,
    stack: ExitStack,
    path: Path | str,
    config: ExperimentConfig,
    output: Path,
    mask: Mask | None,
) -> tuple[Point, RunIdentity]:
    """Open the point on every rank, and make sure that all mean the same run."""

    def look() -> tuple[Point, RunIdentity]:
        if team.is_first:
            refuse_to_overwrite(output)
        point = open_for(config, path)
        stack.callback(point.close)
        return point, run_identity(point, config, equipment.backends, mask)

    point, identity = team.work(look)
    _refuse_disagreement(team, team.exchange(identity), point)
    return point, identity


def _refuse_disagreement(team: Team, identities: list[RunIdentity], point: Point) -> None:
    for rank, identity in enumerate(identities):
        different = identities[0].differences(identity)
        if different:
            raise DisagreementError(
                f"{team.name_of(rank)} has another {' and another '.join(different)} "
                f"than {team.name_of(0)}",
                str(point.path),
                "see that all nodes see the same files",
            )


def _is_there(run: _Run) -> bool:
    def look() -> bool:
        there = run.team.is_first and is_finished(run.output, run.identity)
        if there:
            remove_blocks(run.output)
        return there

    return run.team.exchange(run.team.work(look))[0]


def _common_checkpoint(run: _Run, stack: ExitStack, *, resume: bool) -> Checkpoint:
    """Open the folder of finished blocks on rank 0, and see that every rank can write there."""
    team, folder = run.team, blocks_folder(run.output)

    def enter(context: AbstractContextManager[Checkpoint]) -> Checkpoint:
        return stack.enter_context(context)

    if team.is_first:
        checkpoint = team.work(
            lambda: enter(open_checkpoint(run.output, run.identity, resume=resume))
        )
    else:
        checkpoint = Checkpoint(folder)
    team.exchange(None)
    team.work(lambda: _try_to_write(folder, team.rank))
    team.exchange(None)
    return checkpoint


def _try_to_write(folder: Path, rank: int) -> None:
    if not folder.is_dir():
        raise OutputError(
            "is not seen from here", str(folder), "choose a folder that all nodes share"
        )
    trial = folder / f"rank_{rank}"
    with publish(trial):
        pass
    trial.unlink()


def _reconstruct(run: _Run, checkpoint: Checkpoint, mask: Mask | None, begin: float) -> Summary:
    team = run.team
    lit, mean = _select(run, mask)
    lit, size, finished = team.share(_plan(run, checkpoint, lit))
    blocks = plan_blocks(lit, size)
    left = [block for block in blocks if block.number not in finished]
    with run.done.timed("compile"):
        _start_backends(run)
    _decode(run, checkpoint, left, mean, int(lit.sum()))
    with run.done.timed("gather"):
        team.exchange(None)
    reports = team.exchange(_report(run))
    summary = None
    if team.is_first:
        summary = team.work(
            lambda: _publish(run, checkpoint, blocks, len(finished), lit, reports), run.handlers()
        )
        summary.seconds["total"] = perf_counter() - begin
    summary = team.exchange(summary)[0]
    assert summary is not None
    return summary


def _select(run: _Run, mask: Mask | None) -> tuple[Mask | None, Floats | None]:
    """Choose the pixels: (None, None) on all ranks but the first."""
    with run.done.timed("select"):
        if mask is None:
            return select_together(run.team, run.point, run.config, run.tell, run.handlers())
        lit = select_pixels(run.point, run.config, mask) if run.team.is_first else None
        return lit, None


def _plan(run: _Run, checkpoint: Checkpoint, lit: Mask | None) -> tuple[Mask, BlockSize, set[int]]:
    """Return what rank 0 tells all: the pixels, the size of blocks, and which are finished."""
    if lit is None:
        return np.zeros((0, 0), np.bool_), BlockSize(), set()
    slow = run.equipment.is_slow
    most = _largest_block(run)
    pixels = block_size(int(lit.sum()), run.team.size, most.pixels, slow=slow)
    size = BlockSize(**checkpoint.block_size({"pixels": pixels, "rows": most.rows}))
    return lit, size, checkpoint.finished()


def _largest_block(run: _Run) -> BlockSize:
    """Return what suits all ranks: what the GPUs like would keep a CPU busy for long."""
    own = run.equipment.backend
    if run.equipment.backends != own.name:
        return BlockSize()
    return largest_block(run.point, own, run.memory_bytes)


def _start_backends(run: _Run) -> None:
    """Load compiled code on all ranks; where there is none, rank 0 compiles it for the others."""
    backend, options = run.equipment.backend, run.config.decode_options()

    def start() -> None:
        core = run.config.to_core()
        start_backend(backend, core, options, lambda done, total: run.tell("compile", done, total))

    in_turn = any(run.team.exchange(not backend.is_compiled()))
    at_first = run.team.is_first or not in_turn
    for its_turn in (at_first, not at_first):
        if its_turn:
            run.team.work(start, run.handlers())
        run.team.exchange(None)


def _decode(
    run: _Run, checkpoint: Checkpoint, left: list[Block], mean: Floats | None, pixels: int
) -> None:
    point, team = run.point, run.team
    share = Share(team, point, run.config, run.equipment.backend, checkpoint, left, run.done)
    handlers = share.handlers()
    if team.is_first:
        alike = run.equipment.backends == run.equipment.backend.name
        costs = None if mean is None else pixel_costs(mean, len(point.frames))
        queue = WorkQueue(
            block_costs(left, costs),
            [(int(block.rows[0]), int(block.rows[-1]) + 1) for block in left],
            team.size,
            most_rows=rows_at_once(point, run.memory_bytes, run.equipment.backend),
            alike=alike,
            at_once=alike and is_packed(point),
        )
        done = pixels - sum(len(block) for block in left)
        dispatcher = Dispatcher(team, queue, left, run.progress, [done, pixels])
        handlers |= dispatcher.handlers()
        run.progress("decode", done, pixels)
    team.work(share.decode_all, handlers)


def _report(run: _Run) -> RankReport:
    return RankReport(
        rank=run.team.rank,
        host=run.team.seats[run.team.rank].host,
        backend=run.equipment.backend.name,
        gpu=run.equipment.gpu,
        threads=run.equipment.threads,
        pixels=run.done.pixels,
        blocks=run.done.blocks,
        seconds=run.done.seconds,
    )


def _publish(
    run: _Run,
    checkpoint: Checkpoint,
    blocks: list[Block],
    resumed: int,
    lit: Mask,
    reports: list[RankReport],
) -> TeamSummary:
    steps = ("select", "read", "decode")
    seconds = {step: max(report.seconds.get(step, 0.0) for report in reports) for step in steps} | {
        "write": 0.0
    }
    borrow_cores(run.team)
    tally = publish_result(
        run.output,
        run.point,
        run.config,
        blocks,
        checkpoint.load,
        backend=run.equipment.backends,
        identity=run.identity,
        seconds=seconds,
        progress=lambda done, total: run.tell("write", done, total),
    )
    checkpoint.remove()
    return TeamSummary(
        point=run.point.path,
        output=run.output,
        backend=run.equipment.backends,
        pixels=int(lit.sum()),
        statuses=tally.named(),
        depths_found=tally.depths,
        resumed_blocks=resumed,
        blocks=len(blocks),
        seconds=seconds,
        warnings=warnings_of(run.point, lit),
        ranks=tuple(reports),
    )
