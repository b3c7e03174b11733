"""One run of a point: open → select → divide → decode → publish, with resume.

This is the one order of the steps, whoever takes them. One process and the ranks of a launcher
are two kinds of `Workers`: they choose pixels and hand out blocks in ways of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy.typing as npt

from lauedepth.core.decoding.background import BackgroundMap
from lauedepth.core.decoding.decode import Solved
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.decoding.verdict import Tally
from lauedepth.core.errors import LaueDepthError, OutputError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.known import design_of
from lauedepth.core.notices import Notice
from lauedepth.core.progress import of_stage
from lauedepth.io import Point, read_result
from lauedepth.tasks.reconstruct import unlit
from lauedepth.tasks.reconstruct.blocks import (
    BlockSize,
    PixelBlock,
    Reading,
    plan_blocks,
    solve_block,
    traces_of,
)
from lauedepth.tasks.reconstruct.bright_pixels import BrightPixels
from lauedepth.tasks.reconstruct.carried import Carried, begin_with, hand_on
from lauedepth.tasks.reconstruct.checkpoint import Checkpoint, RunIdentity, remove_blocks
from lauedepth.tasks.reconstruct.conclusion import Conclusion, conclude
from lauedepth.tasks.reconstruct.identity import is_finished, run_identity
from lauedepth.tasks.reconstruct.job import Job, WorkDone
from lauedepth.tasks.reconstruct.learning import datasets_of, learn_from_point, notices_on
from lauedepth.tasks.reconstruct.opening import open_for
from lauedepth.tasks.reconstruct.publishing import publish_result
from lauedepth.tasks.reconstruct.range_cut import fit_to_point
from lauedepth.tasks.reconstruct.selection import Mask, Selection
from lauedepth.tasks.reconstruct.summary import Summary, notices_of, summary_of_finished

if TYPE_CHECKING:  # loads numba
    from lauedepth.calibration.learning import InstrumentFit

Band = npt.NDArray[Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """What the steps of one run share in one process, and what is done to each block.

    Attributes
    ----------
    job : Job
    point : Point
        Open.
    decoder : Decoder
        Of this process.
    identity : RunIdentity
    checkpoint : Checkpoint
    done : WorkDone
    instrument : InstrumentFit or None
        As learnt from the point.
    background : BackgroundMap or None
        As measured between lit pixels, or stated.
    notices : tuple of Notice
        What a user should know of both.
    """

    job: Job
    point: Point
    decoder: Decoder
    identity: RunIdentity
    checkpoint: Checkpoint
    done: WorkDone = field(default_factory=WorkDone)
    instrument: InstrumentFit | None = None
    background: BackgroundMap | None = None
    notices: tuple[Notice, ...] = ()

    @cached_property
    def experiment(self) -> Experiment:
        """The experiment, with the instrument as it was learnt where that was accepted."""
        designed = self.job.experiment
        return designed if self._learnt is None else self._learnt.applied_to(designed)

    @cached_property
    def options(self) -> DecodeOptions:
        """How to decode, with what the pixels that told the instrument leave over."""
        known = self.instrument
        asked = self.job.options
        return asked if known is None else replace(asked, model_error=known.model_error)

    @property
    def _learnt(self) -> InstrumentFit | None:
        fit = self.instrument
        return fit if fit is not None and fit.accepted else None

    def read(self, reading: Reading) -> Band:
        """Read a band of rows."""
        with self.done.timed("read"):
            return self.point.read_rows(reading.row_start, reading.row_stop)

    def traces(self, block: PixelBlock, reading: Reading, band: Band) -> npt.NDArray[Any]:
        """Cut a block's traces out of a band, as the decoder likes them."""
        with self.done.timed("cut"):
            return traces_of(band, reading.row_start, block, as_frames=self.decoder.prefers_frames)

    def solve(self, block: PixelBlock, traces: npt.NDArray[Any]) -> Solved:
        """Do what needs the decoder for a block."""
        with self.done.timed("decode"):
            return solve_block(
                self.experiment,
                self.point.region,
                block,
                traces,
                decoder=self.decoder,
                options=self.options,
                usable=self.point.usable,
                background=self.background,
            )

    def keep(self, block: PixelBlock, solved: Solved) -> None:
        """Finish a block and put it beside the output."""
        with self.done.timed("keep"):
            found = solved.collect()
            learnt = self._learnt
            self.checkpoint.save(block.number, learnt.with_error(found) if learnt else found)
        self.done.blocks += 1
        self.done.pixels += len(block)


@dataclass(frozen=True)
class Division:
    """How a point's pixels are divided into blocks, the same for all who decode them.

    Attributes
    ----------
    lit : (rows, columns) bool array
        The pixels to decode.
    blocks : list of PixelBlock
    left : list of PixelBlock
        Those that are not finished.
    """

    lit: Mask
    blocks: list[PixelBlock]
    left: list[PixelBlock]

    @property
    def pixels(self) -> int:
        """How many pixels there are to decode."""
        return int(self.lit.sum())

    @property
    def pixels_finished(self) -> int:
        """How many of them are in finished blocks."""
        return self.pixels - sum(len(block) for block in self.left)


class Workers(Protocol):
    """Who takes the steps of a run: one process, or all ranks of a launcher.

    Every rank goes through the same steps with its own `Workers`; a failure of one is raised
    from all.
    """

    @property
    def decoder(self) -> Decoder:
        """What this process decodes with."""
        ...

    @property
    def backends(self) -> str:
        """What all decode with, as the result names it: "cpu", "cpu+cuda"."""
        ...

    def report(self, stage: str, done: int, total: int) -> None:
        """Report progress from what `do` runs."""
        ...

    def do(self, step: Callable[[], T]) -> T:
        """Take a step in this process."""
        ...

    def share(self, step: Callable[[], T]) -> T:
        """Have the first process take a step; return what came of it in every process."""
        ...

    def agree(self, point: Point, identity: RunIdentity) -> None:
        """Make sure that all mean the same run."""
        ...

    def open_checkpoint(self, job: Job, identity: RunIdentity, stack: ExitStack) -> Checkpoint:
        """Open the finished blocks of a run, until the stack ends."""
        ...

    def select(self, run: Run) -> Selection | None:
        """Choose the pixels; all processes but the first may return None."""
        ...

    def block_size(self, run: Run, pixels: int) -> BlockSize:
        """Return how large blocks of so many pixels may be."""
        ...

    def start_decoder(self, run: Run) -> None:
        """Load the decoder's compiled code, or compile it if it has to be."""
        ...

    def decode(self, run: Run, division: Division, selection: Selection | None) -> None:
        """Decode the blocks that are left."""
        ...

    def finish(self, run: Run, division: Division, begin: float) -> Summary:
        """Have the result published by `publish_run`, when all blocks are decoded."""
        ...


def run_job(job: Job, workers: Workers) -> Summary:
    """Reconstruct one point and publish its result; every process of the workers calls it.

    Raises
    ------
    LaueDepthError
        What is wrong, where, and what to do. An older result is still there then.
    """
    begin = perf_counter()
    fitted = workers.do(lambda: fit_to_point(job.config, job.point))
    job = replace(job, config=fitted)
    with ExitStack() as stack:
        point, identity = _open(job, workers, stack)
        if job.resume and workers.share(lambda: _is_finished(job.output, identity)):
            return summary_of_finished(point, job.output, workers.backends)
        checkpoint = workers.open_checkpoint(job, identity, stack)
        run = Run(job, point, workers.decoder, identity, checkpoint)
        run.done.add("prepare", perf_counter() - begin)
        with run.done.timed("select"):
            selection = workers.select(run)
        division = _divide(run, workers, selection)
        with run.done.timed("compile"):
            workers.start_decoder(run)
        with run.done.timed("learn"):
            background = workers.share(lambda: _background(run, selection))
            fit, notices = workers.share(lambda: _learn(run, division))
            notices = (*notices, *unlit.notices_on(background, division.lit))
        run = replace(run, instrument=fit, background=background, notices=notices)
        workers.decode(run, division, selection)
        return workers.finish(run, division, begin)


def _open(job: Job, workers: Workers, stack: ExitStack) -> tuple[Point, RunIdentity]:
    """Open the point in every process, and make sure that all mean the same run."""
    workers.share(lambda: refuse_to_overwrite(job.output))

    def look() -> tuple[Point, RunIdentity]:
        point = stack.enter_context(open_for(job.config, job.point))
        carried = job.carry is not None
        return point, run_identity(point, job.config, workers.backends, job.mask, carried=carried)

    point, identity = workers.do(look)
    workers.agree(point, identity)
    return point, identity


def refuse_to_overwrite(output: Path) -> None:
    """Refuse an output that is a file of another kind, a point for instance."""
    if not output.exists():
        return
    try:
        read_result(output)
    except LaueDepthError:
        raise OutputError(
            "is there already and is not a result", str(output), "choose another name"
        ) from None


def _is_finished(output: Path, identity: RunIdentity) -> bool:
    """Return whether the result is there; what a run left that was killed after it goes."""
    there = is_finished(output, identity)
    if there:
        remove_blocks(output)
    return there


def _background(run: Run, selection: Selection | None) -> BackgroundMap | None:
    assert selection is not None
    return unlit.background_of(run.point, run.job.config, selection, run.job.memory_bytes)


def _learn(run: Run, division: Division) -> tuple[InstrumentFit | None, tuple[Notice, ...]]:
    """Learn the instrument from the point, with what is carried to it, and hand that on."""
    job, carried = run.job, Carried()
    if job.carry is not None:
        carried = begin_with(job.carry, run.checkpoint, design_of(job.experiment.aperture))
    fit = learn_from_point(
        run.point, job.config, division.lit, run.decoder, job.memory_bytes, carried.known
    )
    notices = (*carried.notices, *notices_on(job.config, fit))
    if job.carry is None:
        return fit, notices
    return fit, (*notices, *hand_on(job.carry, carried, fit))


def _divide(run: Run, workers: Workers, selection: Selection | None) -> Division:
    """Divide the pixels into blocks: into those of the run that is resumed, if one is."""

    def decide() -> tuple[Mask, BlockSize, set[int]]:
        assert selection is not None
        wanted = workers.block_size(run, int(selection.lit.sum()))
        size = BlockSize(**run.checkpoint.block_size(vars(wanted)))
        return selection.lit, size, run.checkpoint.finished()

    lit, size, finished = workers.share(decide)
    blocks = plan_blocks(lit, size)
    return Division(lit, blocks, [block for block in blocks if block.number not in finished])


def publish_run(
    run: Run, workers: Workers, division: Division, seconds: dict[str, float], begin: float
) -> Summary:
    """Write the result from the finished blocks, and remove them.

    Parameters
    ----------
    run : Run
    workers : Workers
    division : Division
    seconds : dict of str to float
        By step, written into the result; publishing is added to "write", and "total" at the end.
    begin : float
        When the run began, by `perf_counter`.
    """
    job = run.job

    def conclude_run(tally: Tally, bright: BrightPixels) -> Conclusion:
        known = (
            *notices_of(job.config, run.point, division.lit),
            *(run.notices if division.pixels else ()),
        )
        found = conclude(run.point, job.config, tally, bright, job.memory_bytes)
        return Conclusion(found.verdict, (*known, *found.notices))

    tally, conclusion = publish_result(
        run.job.output,
        run.point,
        run.job.config,
        division.blocks,
        run.checkpoint.load,
        backend=workers.backends,
        identity=run.identity,
        seconds=seconds,
        instrument=None if run.instrument is None else datasets_of(run.instrument),
        conclude=conclude_run,
        progress=of_stage(workers.report, "write"),
    )
    run.checkpoint.remove()
    seconds["total"] = perf_counter() - begin
    return Summary(
        point=run.point.path,
        output=run.job.output,
        backend=workers.backends,
        pixels=division.pixels,
        statuses=tally.named(),
        depths_found=tally.depths,
        resumed_blocks=len(division.blocks) - len(division.left),
        blocks=len(division.blocks),
        seconds=seconds,
        notices=conclusion.notices,
        verdict=conclusion.verdict,
    )
