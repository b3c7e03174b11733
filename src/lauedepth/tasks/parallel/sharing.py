"""Decoding: rank 0 gives out blocks to whoever asks, each rank reads, decodes and keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from time import perf_counter, process_time
from typing import Any

import numpy.typing as npt

from lauedepth.config import ExperimentConfig
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.io import Point
from lauedepth.tasks.parallel.team import Handler, Team
from lauedepth.tasks.parallel.work import WorkQueue
from lauedepth.tasks.reconstruct import (
    Block,
    Progress,
    Reading,
    solve_block,
    traces_of,
)
from lauedepth.tasks.reconstruct.checkpoint import Checkpoint


@dataclass
class WorkDone:
    """What a rank did.

    Attributes
    ----------
    pixels, blocks : int
    seconds : dict of str to float
        By step: start (of the process, until the ranks have met), prepare, select, compile,
        read, cut (traces out of what was read), decode, keep (finished blocks), gather (until
        all have ended); reading goes on while decoding. And cpu: processor time of the process
        while it decodes, which is less than decode where other programs use the cores.
    """

    pixels: int = 0
    blocks: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add to the seconds of a step; one thread alone may time a step."""
        begin = perf_counter()
        try:
            yield
        finally:
            self.add(step, perf_counter() - begin)

    def add(self, step: str, seconds: float) -> None:
        """Add seconds to a step."""
        self.seconds[step] = self.seconds.get(step, 0.0) + seconds


@dataclass(frozen=True)
class Dispatcher:
    """Gives out blocks; at work on rank 0, in its main thread.

    Attributes
    ----------
    team : Team
    queue : WorkQueue
    left : list of Block
        Blocks that are not finished; the queue counts in this list.
    progress : callable
    pixels : list of int
        Done and in all.
    """

    team: Team
    queue: WorkQueue
    left: list[Block]
    progress: Progress
    pixels: list[int]

    def handlers(self) -> dict[str, Handler]:
        """Return what to do with the messages of `Share`."""
        return {"ask": self._ask, "done": self._done}

    def _ask(self, rank: int, content: None) -> None:
        self.team.send(rank, "take", self.queue.take(rank))

    def _done(self, rank: int, content: tuple[int, float]) -> None:
        number, seconds = content
        self.queue.done(rank, number, seconds)
        self.pixels[0] += len(self.left[number])
        self.progress("decode", *self.pixels)


@dataclass(frozen=True)
class Share:
    """A rank's part of the decoding, in its working thread.

    Attributes
    ----------
    team : Team
    point : Point
    config : ExperimentConfig
    backend : Decoder
    checkpoint : Checkpoint
    left : list of Block
        Blocks that are not finished, the same on all ranks.
    work_done : WorkDone
    inbox : SimpleQueue
        What rank 0 gives out.
    """

    team: Team
    point: Point
    config: ExperimentConfig
    backend: Decoder
    checkpoint: Checkpoint
    left: list[Block]
    work_done: WorkDone
    inbox: SimpleQueue[range | None] = field(default_factory=SimpleQueue)

    def handlers(self) -> dict[str, Handler]:
        """Return what to do with the messages of `Dispatcher`."""
        return {"take": lambda _, content: self.inbox.put(content)}

    def decode_all(self) -> None:
        """Decode what is given out until nothing is; the next rows are read meanwhile."""
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._next)
            while (given := coming.result()) is not None:
                numbers, reading, band = given
                coming = reader.submit(self._next)
                for number, block in zip(numbers, reading.blocks, strict=True):
                    self.team.go_on()
                    self._decode(number, block, reading, band)
                del given, band

    def _next(self) -> tuple[range, Reading, npt.NDArray[Any]] | None:
        """Ask for blocks and read their rows."""
        self.team.post("ask", None)
        numbers = self.team.take(self.inbox)
        if numbers is None:
            return None
        blocks = tuple(self.left[number] for number in numbers)
        reading = Reading(int(blocks[0].rows[0]), int(blocks[-1].rows[-1]) + 1, blocks)
        with self.work_done.timed("read"):
            return numbers, reading, self.point.read_rows(reading.row_start, reading.row_stop)

    def _decode(self, number: int, block: Block, reading: Reading, band: npt.NDArray[Any]) -> None:
        begin, options = perf_counter(), self.config.decode_options()
        with self.work_done.timed("cut"):
            traces = traces_of(
                band, reading.row_start, block, as_frames=self.backend.prefers_frames
            )
        begin_cpu = process_time()
        with self.work_done.timed("decode"):
            solved = solve_block(
                self.config.to_core(),
                self.point.region,
                block,
                traces,
                backend=self.backend,
                options=options,
                usable=self.point.usable,
            )
        self.work_done.add("cpu", process_time() - begin_cpu)
        with self.work_done.timed("keep"):
            self.checkpoint.save(block.number, solved.collect())
        self.work_done.blocks += 1
        self.work_done.pixels += len(block)
        self.team.post("done", (number, perf_counter() - begin))
