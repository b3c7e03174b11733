"""The ranks that work together, and how they talk.

In each rank the main thread alone talks, by `parallel.mail`, while another thread works. So a
rank answers at once however long its work takes: it learns of another rank's failure, it stops
when a scheduler says so, and a rank that is silent is lost.
"""

from __future__ import annotations

import pickle
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from lauedepth.core.errors import LaueDepthError
from lauedepth.tasks.parallel.failures import StoppedError, leave, portable
from lauedepth.tasks.parallel.launch import Seat
from lauedepth.tasks.parallel.mail import Mail

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt
    from mpi4py import MPI

T = TypeVar("T")
Handler = Callable[[int, Any], None]
"""Called in the main thread with (rank that sent, what it sent)."""

BEAT_S: Final = 1.0
GRACE_S: Final = 2.5
"""How long a rank that has to stop may continue with its block."""

SILENCE_S: Final = 60.0


class Team:
    """All ranks of a run; made by `join_team`.

    Methods that every rank must call, in the same order, are marked *collective*. Where one
    rank fails, its failure is raised from those of all ranks.

    Attributes
    ----------
    rank, size : int
    seats : list of Seat
        Of each rank.
    stopping : threading.Event
        Set when work should end early.
    broken : bool
        True when some rank can no longer be worked with: the process must end.
    """

    def __init__(self, comm: MPI.Intracomm, silence_s: float = SILENCE_S) -> None:
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self.seats: list[Seat] = []
        self.stopping = threading.Event()
        self.broken = False
        self._comm = comm
        self._mail = Mail(comm)
        self._silence_s = silence_s
        self._epoch = 0
        self._posts: SimpleQueue[tuple[str, Any] | None] = SimpleQueue()
        self._early: list[tuple[int, int, str, Any]] = []
        self._values: dict[int, Any] = {}
        self._answers: list[list[Any]] = []
        self._handlers: Mapping[str, Handler] = {}
        self._failure: LaueDepthError | None = None
        self._failed: set[int] = set()
        self._ended: set[int] = set()
        self._signal: int | None = None
        self._worker: threading.Thread | None = None
        self._beaten = 0.0

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, which gives out the work and speaks to the user."""
        return self.rank == 0

    def name_of(self, rank: int) -> str:
        """Return how a rank is called in messages."""
        host = f" on {self.seats[rank].host}" if rank < len(self.seats) else ""
        return f"rank {rank}{host}"

    def local_ranks(self) -> list[int]:
        """Return the ranks on this rank's node, itself among them."""
        host = self.seats[self.rank].host
        return [rank for rank, seat in enumerate(self.seats) if seat.host == host]

    # What the main thread calls

    def together(self, function: Callable[[], T]) -> T:
        """Do something of which no rank may fail alone; *collective*.

        Raises
        ------
        LaueDepthError
            What went wrong on the first rank that failed, on all ranks.
        """
        self._epoch += 1
        self._failure = None
        self.stopping.clear()
        self._ended.clear()
        self._values.clear()
        self._answers.clear()
        self._deliver_early()
        try:
            return function()
        except StoppedError:
            raise
        except Exception as error:
            if error is not self._failure:
                self._fail(error)
            raise

    def agree(self, function: Callable[[], T]) -> T:
        """Return what a function gives, once it went well on all ranks; *collective*."""

        def all_of_them() -> T:
            value = self.work(function)
            self.exchange(None)
            return value

        return self.together(all_of_them)

    def work(self, function: Callable[[], T], handlers: Mapping[str, Handler] | None = None) -> T:
        """Run a function in a thread of its own while this one talks.

        Parameters
        ----------
        function : callable
            May `post`, and must call `raise_if_stopping` from time to time.
        handlers : mapping, optional
            What to do with each kind of message.
        """
        self._handlers = handlers or {}
        self._deliver_early()
        outcome: list[T] = []
        failure: list[Exception] = []

        def run() -> None:
            try:
                outcome.append(function())
            except Exception as error:
                failure.append(error)
            finally:
                self._posts.put(None)

        self._worker = threading.Thread(target=run, daemon=True)
        self._worker.start()
        while self._worker.is_alive() or not self._posts.empty():
            self._turn()
        if failure:
            self._fail(failure[0])
        return outcome[0]

    def exchange(self, value: T) -> list[T]:
        """Return the values of all ranks; *collective*."""
        self.send(0, "value", value)
        while not self._answers:
            if len(self._values) == self.size:
                values = [self._values[rank] for rank in range(self.size)]
                self._values.clear()
                for rank in range(self.size):
                    self.send(rank, "values", values)
            else:
                self._turn()
        return self._answers.pop()

    def total(self, array: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
        """Return the sum of all ranks' arrays on rank 0, None elsewhere; *collective*."""
        import numpy as np  # noqa: PLC0415

        self.exchange(None)
        total = np.zeros_like(array) if self.is_first else None
        self._wait(self._comm.Ireduce(np.ascontiguousarray(array), total, root=0))
        return total

    def share(self, value: T | None) -> T:
        """Return what rank 0 gave, which may be large; *collective*."""
        import numpy as np  # noqa: PLC0415

        packed = pickle.dumps(value if self.is_first else None)
        size = self.exchange(len(packed))[0]
        buffer = np.frombuffer(packed, np.uint8) if self.is_first else np.empty(size, np.uint8)
        self._wait(self._comm.Ibcast(buffer, root=0))
        return cast("T", value if self.is_first else pickle.loads(buffer.tobytes()))

    def send(self, rank: int, kind: str, content: object) -> None:
        """Send a message that a handler of the rank will get."""
        self._expect_more(kind)
        if rank == self.rank:
            self._deliver(rank, self._epoch, kind, content)
        else:
            self._mail.send(rank, (self._epoch, kind, content))

    @contextmanager
    def signals_noticed(self) -> Iterator[None]:
        """Have SIGTERM and SIGINT to any rank end all of them in order.

        They are raised again, for the handlers that were there before, when work has stopped.
        """
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self._notice) for number in numbers}
        try:
            with suppress(StoppedError):
                yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._signal is not None:
            signal.raise_signal(self._signal)

    def leave(self, code: int) -> None:
        """Have rank 0 end all ranks with a code, once it has reported why.

        Called after a failure or a signal. Left to themselves, launchers kill the ranks that
        are still there when one has ended, and answer with what the killed ones ended by;
        only MPI's abort gives them the answer. A rank whose threads would not stop, or whose
        MPI hangs, ends all the same.
        """
        leave(self._comm, code)

    # What the working thread calls

    def post(self, kind: str, content: object) -> None:
        """Send a message to rank 0."""
        self._posts.put((kind, content))

    def raise_if_stopping(self) -> None:
        """Do nothing, unless the run ends.

        Raises
        ------
        StoppedError
        """
        if self.stopping.is_set():
            raise StoppedError

    def take(self, inbox: SimpleQueue[T]) -> T:
        """Wait for something that a handler puts in a queue.

        Raises
        ------
        StoppedError
        """
        while True:
            self.raise_if_stopping()
            with suppress(Empty):
                return inbox.get(timeout=0.2)

    # Inside

    def _turn(self) -> None:
        """Talk for a moment, and raise what came up."""
        self._talk()
        if self._signal is not None:
            self._end_by_signal()
        if self._failure is not None:
            self._end_work()
            raise self._failure

    def _talk(self) -> None:
        with suppress(Empty):
            post = self._posts.get(timeout=self._mail.pause())
            while post is not None:
                self.send(0, *post)
                post = self._posts.get_nowait()
        for source, (epoch, kind, content) in self._mail.received():
            self._expect_more(kind)
            self._deliver(source, epoch, kind, content)
        if monotonic() - self._beaten > BEAT_S:
            self._beaten = monotonic()
            for rank in range(1, self.size) if self.is_first else (0,):
                self.send(rank, "beat", None)
            self._look_for_lost()

    def _expect_more(self, kind: str) -> None:
        if kind != "beat":
            self._mail.expect_more()

    def _deliver(self, source: int, epoch: int, kind: str, content: Any) -> None:
        if kind == "signal":
            self._signal = self._signal or content
        elif epoch > self._epoch:
            self._early.append((source, epoch, kind, content))
        elif kind == "failed" and epoch < self._epoch and epoch not in self._failed:
            # That rank waits for others to fail with it, who have moved on: all must end.
            self.broken = True
            self._note_failure(content)
        elif epoch < self._epoch or kind == "beat":
            pass
        elif kind == "ended":
            self._ended.add(source)
        elif kind == "value":
            self._values[source] = content
        elif kind == "values":
            self._answers.append(content)
        elif kind == "failed":
            self._note_failure(content)
        elif kind in self._handlers:
            self._handlers[kind](source, content)
        else:
            self._early.append((source, epoch, kind, content))

    def _deliver_early(self) -> None:
        early, self._early = self._early, []
        for message in early:
            self._deliver(*message)

    def _note_failure(self, failure: LaueDepthError) -> None:
        if self._failure is not None:
            return
        self._failure = failure
        self._failed.add(self._epoch)
        if self.is_first:
            for rank in range(1, self.size):
                self.send(rank, "failed", failure)

    def _fail(self, error: Exception) -> None:
        """Have all ranks raise a failure, this one too."""
        failure = portable(error, "" if self.is_first else self.name_of(self.rank))
        failure.__cause__ = error
        self.send(0, "failed", failure)
        while True:
            self._turn()

    def _look_for_lost(self) -> None:
        watched = range(1, self.size) if self.is_first else (0,)
        for rank in watched:
            silent_s = self._mail.silent_s(rank)
            if silent_s > self._silence_s and self._failure is None:
                self.broken = True
                self._note_failure(
                    LaueDepthError(
                        f"has not been heard of for {silent_s:.0f} s and is taken for lost",
                        self.name_of(rank),
                        "resume with the same command and --resume",
                    )
                )

    def _notice(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._signal = number

    def _end_by_signal(self) -> None:
        for rank in range(1, self.size) if self.is_first else (0,):
            self.send(rank, "signal", self._signal)
        self._end_work()
        raise StoppedError

    def _end_work(self) -> None:
        """Have the work of all ranks end; what will not within the time of grace is given up."""
        self.stopping.set()
        end = monotonic() + GRACE_S
        while self._is_working() and monotonic() < end:
            self._talk()
        self.broken = self.broken or self._is_working()
        self.send(0, "ended", None)
        while self._waits_for_others() and monotonic() < end:
            self._talk()
        self._talk()

    def _is_working(self) -> bool:
        return self._worker is not None and self._worker.is_alive()

    def _waits_for_others(self) -> bool:
        return self.is_first and not self.broken and len(self._ended) < self.size

    def _wait(self, request: MPI.Request) -> None:
        try:
            while not request.Test():
                self._turn()
        except BaseException:
            self.broken = True
            self._mail.keep(request)
            raise
