"""Decoding: rank 0 hands out blocks to whoever asks, each rank reads, decodes and keeps them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from time import perf_counter, process_time

from lauedepth.core.progress import Progress
from lauedepth.tasks.parallel.team import Handler, Team
from lauedepth.tasks.parallel.work import WorkQueue
from lauedepth.tasks.reconstruct.blocks import PixelBlock, Reading
from lauedepth.tasks.reconstruct.run import Band, Run


@dataclass(frozen=True)
class Dispatcher:
    """Hands out blocks; at work on rank 0, in its main thread.

    Attributes
    ----------
    team : Team
    queue : WorkQueue
    left : list of PixelBlock
        Blocks that are not finished; the queue counts in this list.
    progress : callable
    pixels : list of int
        Done and in all.
    """

    team: Team
    queue: WorkQueue
    left: list[PixelBlock]
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
        self.report()

    def report(self) -> None:
        """Report how many pixels are done."""
        self.progress("decode", *self.pixels)


@dataclass(frozen=True)
class Share:
    """A rank's part of the decoding, in its working thread.

    Attributes
    ----------
    team : Team
    run : Run
    left : list of PixelBlock
        Blocks that are not finished, the same on all ranks.
    inbox : SimpleQueue
        What rank 0 hands out.
    """

    team: Team
    run: Run
    left: list[PixelBlock]
    inbox: SimpleQueue[range | None] = field(default_factory=SimpleQueue)

    def handlers(self) -> dict[str, Handler]:
        """Return what to do with the messages of `Dispatcher`."""
        return {"take": lambda _, content: self.inbox.put(content)}

    def decode_all(self) -> None:
        """Decode what is handed out until nothing is; the next rows are read meanwhile."""
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._next)
            while (given := coming.result()) is not None:
                numbers, reading, band = given
                coming = reader.submit(self._next)
                for number, block in zip(numbers, reading.blocks, strict=True):
                    self.team.raise_if_stopping()
                    self._decode(number, block, reading, band)
                del given, band

    def _next(self) -> tuple[range, Reading, Band] | None:
        """Ask for blocks and read their rows."""
        self.team.post("ask", None)
        numbers = self.team.take(self.inbox)
        if numbers is None:
            return None
        blocks = tuple(self.left[number] for number in numbers)
        reading = Reading(int(blocks[0].rows[0]), int(blocks[-1].rows[-1]) + 1, blocks)
        return numbers, reading, self.run.read(reading)

    def _decode(self, number: int, block: PixelBlock, reading: Reading, band: Band) -> None:
        begin = perf_counter()
        traces = self.run.traces(block, reading, band)
        begin_cpu = process_time()
        solved = self.run.solve(block, traces)
        self.run.done.add("cpu", process_time() - begin_cpu)
        self.run.keep(block, solved)
        self.team.post("done", (number, perf_counter() - begin))
