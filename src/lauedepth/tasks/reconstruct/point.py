"""Reconstruct one point: read → blocks → decode → write, with resume."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from lauedepth.config import ExperimentConfig
from lauedepth.core.decoding.decode import Solved
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.registry import choose_decoder
from lauedepth.core.errors import LaueDepthError, OutputError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.notices import Level
from lauedepth.io import Point, read_result
from lauedepth.tasks.reconstruct.blocks import (
    Block,
    BlockSize,
    Reading,
    bands_at_once,
    plan_blocks,
    plan_readings,
    solve_block,
    traces_of,
)
from lauedepth.tasks.reconstruct.checkpoint import (
    Checkpoint,
    RunIdentity,
    open_checkpoint,
    remove_blocks,
)
from lauedepth.tasks.reconstruct.compiling import start_backend
from lauedepth.tasks.reconstruct.identity import is_finished, run_identity
from lauedepth.tasks.reconstruct.opening import open_for
from lauedepth.tasks.reconstruct.publishing import Tally, publish_result
from lauedepth.tasks.reconstruct.selection import Mask, Pixels, select_pixels, with_threshold

MEMORY_BYTES: Final = 2 * 2**30
"""Memory that a run is meant to need."""

BASE_BYTES: Final = 512 * 2**20
"""What is needed beside the bands of rows: the program, tables and blocks at work."""

STEPS: Final = ("select", "compile", "read", "decode", "write")

Band = npt.NDArray[Any]
Item = TypeVar("Item")

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total); stages are select, compile, decode and write."""


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes
    ----------
    point, output : Path
    backend : str
    pixels : int
        Pixels looked at.
    statuses : mapping of str to int
        Pixels by status, in lower case.
    depths_found : int
        Depths, of which a pixel can have two.
    resumed_blocks, blocks : int
        Blocks that were there already, and in all.
    seconds : dict of str to float
        select, compile, read, decode, write and total; reading goes on while decoding.
    warnings : tuple of str
    """

    point: Path
    output: Path
    backend: str
    pixels: int
    statuses: Mapping[str, int]
    depths_found: int
    resumed_blocks: int = 0
    blocks: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Run:
    """What the steps of one run share; each step is timed by one thread alone."""

    point: Point
    config: ExperimentConfig
    experiment: Experiment
    backend: Decoder
    output: Path
    identity: RunIdentity
    checkpoint: Checkpoint
    progress: Progress
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STEPS, 0.0))

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add to the seconds of a step."""
        begin = perf_counter()
        try:
            yield
        finally:
            self.seconds[step] += perf_counter() - begin

    def select(self, mask: Mask | None) -> Mask:
        """Choose the pixels."""
        with self.timed("select"):
            return select_pixels(
                self.point,
                self.config,
                mask,
                progress=lambda done, total: self.progress("select", done, total),
            )

    def compile(self) -> None:
        """Let the backend load its compiled code, or compile it if it has to."""
        with self.timed("compile"):
            start_backend(
                self.backend,
                self.experiment,
                self.config.decode_options(),
                lambda done, total: self.progress("compile", done, total),
            )

    def read(self, reading: Reading) -> Band:
        """Read a band of rows."""
        with self.timed("read"):
            return self.point.read_rows(reading.row_start, reading.row_stop)

    def traces(self, block: Block, reading: Reading, band: Band) -> npt.NDArray[Any]:
        """Take a block's traces out of a band, as the backend likes them."""
        as_frames = self.backend.prefers_frames
        return traces_of(band, reading.row_start, block, as_frames=as_frames)

    def decode(self, block: Block, traces: npt.NDArray[Any]) -> Solved:
        """Do what needs the decoder for a block."""
        with self.timed("decode"):
            return solve_block(
                self.experiment,
                self.point.region,
                block,
                traces,
                backend=self.backend,
                options=self.config.decode_options(),
                usable=self.point.usable,
            )

    def keep(self, block: Block, solved: Solved) -> None:
        """Finish a block and put it beside the output."""
        with self.timed("write"):
            self.checkpoint.save(block.number, solved.collect())


def reconstruct_point(
    point_path: Path | str,
    config: ExperimentConfig,
    output: Path | str,
    *,
    backend: str | Decoder = "auto",
    pixels: Pixels | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> Summary:
    """Reconstruct one point and publish its result.

    Finished blocks are kept beside the output, in ``NAME.blocks``, until the result stands
    under its name; a run that was stopped is gone on with by ``resume``.

    Parameters
    ----------
    point_path : Path or str
        A stack, or a folder with a series of frames.
    config : ExperimentConfig
        How to decode is in it too.
    output : Path or str
        The result. An older result there is replaced, any other file is not.
    backend : str or Decoder
        Its name, or a decoder (`choose_decoder`), which keeps its memory from point to point.
    pixels : float or (ny, nx) bool array, optional
        Least mean count a frame, or a mask of the whole detector; the experiment's
        threshold by default.
    resume : bool
        Go on with what a stopped run left; a finished result is kept.
    progress : callable, optional
        Called with (stage, done, total).
    memory_bytes : int
        About how much memory to use.

    Returns
    -------
    Summary

    Raises
    ------
    InputError, ConfigurationError, OutputError, BackendUnavailableError, CheckpointError
        What is wrong, where, and what to do. An older result is still there then.
    """
    begin, output = perf_counter(), Path(output)
    config = with_threshold(config, pixels)
    mask = pixels if isinstance(pixels, np.ndarray) else None
    chosen = (
        choose_decoder(backend, config.decode.method).decoder
        if isinstance(backend, str)
        else backend
    )
    experiment = config.to_core()
    refuse_to_overwrite(output)
    with open_for(config, point_path) as point:
        identity = run_identity(point, config, chosen.name, mask)
        if resume and is_finished(output, identity):
            remove_blocks(output)
            return summary_of_finished(point, output, chosen.name)
        with open_checkpoint(output, identity, resume=resume) as checkpoint:
            tell = progress or _no_progress
            run = _Run(
                point, config, experiment, chosen, output, identity, checkpoint, progress=tell
            )
            band_bytes = (memory_bytes - BASE_BYTES) // bands_at_once(chosen)
            summary = _reconstruct(run, mask, band_bytes)
    summary.seconds["total"] = perf_counter() - begin
    return summary


def _reconstruct(run: _Run, mask: Mask | None, band_bytes: int) -> Summary:
    lit = run.select(mask)
    row_bytes = len(run.experiment.frames) * run.point.shape[2] * run.point.dtype.itemsize
    wanted = BlockSize.for_backend(run.backend, row_bytes, band_bytes)
    blocks = plan_blocks(lit, BlockSize(**run.checkpoint.block_size(vars(wanted))))
    finished = run.checkpoint.finished()
    run.compile()
    left = [block for block in blocks if block.number not in finished]
    _decode_all(run, plan_readings(left, row_bytes, band_bytes), int(lit.sum()))
    tally = publish_result(
        run.output,
        run.point,
        run.config,
        blocks,
        run.checkpoint.load,
        backend=run.backend.name,
        identity=run.identity,
        seconds=run.seconds,
        progress=lambda done, total: run.progress("write", done, total),
    )
    run.checkpoint.remove()
    return Summary(
        point=run.point.path,
        output=run.output,
        backend=run.backend.name,
        pixels=int(lit.sum()),
        statuses=tally.named(),
        depths_found=tally.depths,
        resumed_blocks=len(blocks) - len(left),
        blocks=len(blocks),
        seconds=run.seconds,
        warnings=warnings_of(run.point, lit),
    )


def _decode_all(run: _Run, readings: Sequence[Reading], pixels: int) -> None:
    """Decode what is left; meanwhile the next traces are made ready and the last block kept."""
    done = pixels - sum(len(block) for reading in readings for block in reading.blocks)
    run.progress("decode", done, pixels)
    with (
        ThreadPoolExecutor(1) as reader,
        ThreadPoolExecutor(1) as keeper,
        closing(_one_ahead(_traces(run, readings, reader))) as coming,
    ):
        kept: Future[None] | None = None
        for block, traces in coming:
            decoded = run.decode(block, traces)
            if kept is not None:
                kept.result()
            kept = keeper.submit(run.keep, block, decoded)
            done += len(block)
            run.progress("decode", done, pixels)
            del traces
        if kept is not None:
            kept.result()


def _one_ahead(items: Iterator[Item]) -> Generator[Item]:
    """Yield what another thread makes ready, one item ahead."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = maker.submit(next, items, None)
            yield item
            del item


def _traces(
    run: _Run, readings: Sequence[Reading], reader: ThreadPoolExecutor
) -> Iterator[tuple[Block, npt.NDArray[Any]]]:
    """Yield blocks and their traces."""
    for reading, band in _bands(run, readings, reader):
        for block in reading.blocks:
            yield block, run.traces(block, reading, band)
        del band


def _bands(
    run: _Run, readings: Sequence[Reading], reader: ThreadPoolExecutor
) -> Iterator[tuple[Reading, Band]]:
    """Yield bands of rows, one read ahead; it holds no more than two."""
    coming = reader.submit(run.read, readings[0]) if readings else None
    for number, reading in enumerate(readings):
        assert coming is not None
        band = coming.result()
        coming = reader.submit(run.read, readings[number + 1]) if readings[number + 1 :] else None
        yield reading, band
        del band


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


def warnings_of(point: Point, lit: Mask) -> tuple[str, ...]:
    """Return what a user should know of a point's frames and pixels."""
    found = [notice.message for notice in point.notices if notice.level is Level.WARNING]
    if not lit.any():
        found.append("no pixel is bright enough; lower --pixels or selection.min_mean_counts")
    return tuple(found)


def summary_of_finished(point: Point, output: Path, backend: str) -> Summary:
    """Return what a run would tell that finds its result there."""
    tally = Tally.of_result(read_result(output))
    return Summary(
        point=point.path,
        output=output,
        backend=backend,
        pixels=tally.by_status.total(),
        statuses=tally.named(),
        depths_found=tally.depths,
        warnings=("was finished already",),
    )


def _no_progress(stage: str, done: int, total: int) -> None:
    """Report nothing."""
