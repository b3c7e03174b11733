"""One process by itself: it reads ahead, cuts traces and keeps blocks while it decodes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy.typing as npt

from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.progress import Progress, of_stage
from lauedepth.io import Point
from lauedepth.tasks.reconstruct.blocks import BlockSize, PixelBlock, Reading, plan_readings
from lauedepth.tasks.reconstruct.checkpoint import Checkpoint, RunIdentity, open_checkpoint
from lauedepth.tasks.reconstruct.compiling import start_decoder
from lauedepth.tasks.reconstruct.job import Job
from lauedepth.tasks.reconstruct.memory import band_bytes
from lauedepth.tasks.reconstruct.run import Band, Division, Run, publish_run
from lauedepth.tasks.reconstruct.selection import (
    Selection,
    pixels_above_threshold,
    select_pixels,
)
from lauedepth.tasks.reconstruct.summary import Summary

STEPS: Final = ("select", "compile", "learn", "read", "decode", "write")
"""What the summary gives the seconds of."""

T = TypeVar("T")


@dataclass(frozen=True)
class OneProcess:
    """The only process at work (`Workers`).

    Attributes
    ----------
    decoder : Decoder
    progress : callable
        Called with (stage, done, total).
    """

    decoder: Decoder
    progress: Progress

    @property
    def backends(self) -> str:
        """What decodes."""
        return self.decoder.name

    def report(self, stage: str, done: int, total: int) -> None:
        """Report progress."""
        self.progress(stage, done, total)

    def do(self, step: Callable[[], T]) -> T:
        """Take a step."""
        return step()

    def share(self, step: Callable[[], T]) -> T:
        """Take a step: nobody else needs to know."""
        return step()

    def agree(self, point: Point, identity: RunIdentity) -> None:
        """Agree with itself."""

    def open_checkpoint(self, job: Job, identity: RunIdentity, stack: ExitStack) -> Checkpoint:
        """Open the finished blocks."""
        return stack.enter_context(open_checkpoint(job.output, identity, resume=job.resume))

    def select(self, run: Run) -> Selection:
        """Choose the pixels."""
        progress = of_stage(self.report, "select")
        point, config, mask = run.point, run.job.config, run.job.mask
        if mask is not None:
            return Selection(select_pixels(point, config, mask))
        mean = point.mean_image(progress=progress)
        return Selection(pixels_above_threshold(mean, point, config), mean)

    def block_size(self, run: Run, pixels: int) -> BlockSize:
        """Return what suits the decoder, however many pixels there are."""
        del pixels
        allowed = band_bytes(self.decoder, run.job.memory_bytes)
        return BlockSize.for_decoder(self.decoder, run.point.row_bytes, allowed)

    def start_decoder(self, run: Run) -> None:
        """Load the decoder's compiled code, or compile it."""
        progress = of_stage(self.report, "compile")
        start_decoder(self.decoder, run.job.experiment, run.job.options, progress)

    def decode(self, run: Run, division: Division, selection: Selection | None) -> None:
        """Decode what is left, block after block in the order of their rows."""
        del selection
        allowed = band_bytes(self.decoder, run.job.memory_bytes)
        readings = plan_readings(division.left, run.point.row_bytes, allowed)
        done, pixels = division.pixels_finished, division.pixels
        self.report("decode", done, pixels)
        with closing(_decoded(run, readings)) as finished:
            for block in finished:
                done += len(block)
                self.report("decode", done, pixels)

    def finish(self, run: Run, division: Division, begin: float) -> Summary:
        """Publish the result; blocks that were kept count as written."""
        done = run.done.seconds
        seconds = {step: done.get(step, 0.0) for step in STEPS} | {"write": done.get("keep", 0.0)}
        return publish_run(run, self, division, seconds, begin)


def _decoded(run: Run, readings: Sequence[Reading]) -> Generator[PixelBlock]:
    """Decode blocks; meanwhile the next traces are made ready and the last block is kept."""
    with (
        ThreadPoolExecutor(1) as reader,
        ThreadPoolExecutor(1) as keeper,
        closing(_one_ahead(_traces(run, readings, reader))) as coming,
    ):
        kept: Future[None] | None = None
        for block, traces in coming:
            solved = run.solve(block, traces)
            if kept is not None:
                kept.result()
            kept = keeper.submit(run.keep, block, solved)
            yield block
            del traces
        if kept is not None:
            kept.result()


def _one_ahead(items: Iterator[T]) -> Generator[T]:
    """Yield what another thread makes ready, one item ahead."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = maker.submit(next, items, None)
            yield item
            del item


def _traces(
    run: Run, readings: Sequence[Reading], reader: ThreadPoolExecutor
) -> Iterator[tuple[PixelBlock, npt.NDArray[Any]]]:
    """Yield blocks and their traces."""
    for reading, band in _bands(run, readings, reader):
        for block in reading.blocks:
            yield block, run.traces(block, reading, band)
        del band


def _bands(
    run: Run, readings: Sequence[Reading], reader: ThreadPoolExecutor
) -> Iterator[tuple[Reading, Band]]:
    """Yield bands of rows, one read ahead; it holds no more than two."""
    coming = reader.submit(run.read, readings[0]) if readings else None
    for number, reading in enumerate(readings):
        assert coming is not None
        band = coming.result()
        coming = reader.submit(run.read, readings[number + 1]) if readings[number + 1 :] else None
        yield reading, band
        del band
