"""Messages between the main threads of ranks."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mpi4py import MPI

MIN_PAUSE_S, MAX_PAUSE_S, PAUSE_GROWTH = 0.0005, 0.01, 1.5
"""Between two looks for messages: minimum, after something was said, maximum, and growth."""

_TAG: Final = 34


class Mail:
    """What a rank sends and gets, by MPI.

    Whoever waits for messages shall `pause` between two looks: briefly after something was
    said, then ever longer, so that answers come at once and waiting costs next to nothing.

    Parameters
    ----------
    comm : MPI.Intracomm
    """

    def __init__(self, comm: MPI.Intracomm) -> None:
        self._comm = comm
        self._sending: list[MPI.Request] = []
        self._heard = [monotonic()] * comm.Get_size()
        self._pause_s = MIN_PAUSE_S

    def send(self, rank: int, content: object) -> None:
        """Send something to another rank, without waiting for it to be got."""
        self._sending = [request for request in self._sending if not request.Test()]
        self._sending.append(self._comm.isend(content, rank, _TAG))

    def received(self) -> Iterator[tuple[int, Any]]:
        """Yield what has come: (rank that sent, what it sent)."""
        from mpi4py import MPI  # noqa: PLC0415

        status = MPI.Status()
        while self._comm.iprobe(tag=_TAG, status=status):
            source = status.Get_source()
            content = self._comm.recv(source=source, tag=_TAG)
            self._heard[source] = monotonic()
            yield source, content

    def silent_s(self, rank: int) -> float:
        """Return for how many seconds a rank was not heard of."""
        return monotonic() - self._heard[rank]

    def pause(self) -> float:
        """Return how many seconds to wait until the next look."""
        pause_s = self._pause_s
        self._pause_s = min(pause_s * PAUSE_GROWTH, MAX_PAUSE_S)
        return pause_s

    def expect_more(self) -> None:
        """Look again soon: something was said that others will answer."""
        self._pause_s = MIN_PAUSE_S

    def keep(self, request: MPI.Request) -> None:
        """Keep what is under way and given up: its buffer must live as long as MPI knows it."""
        self._sending.append(request)
