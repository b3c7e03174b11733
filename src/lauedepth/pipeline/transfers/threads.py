"""Transfers that this process carries out, each in a thread, under their names."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from lauedepth.pipeline.errors import FacilityError, StoppedError
from lauedepth.pipeline.protocols import Item, Transfer, TransferReport, TransferState

Stop = Callable[[], bool]
"""Returns whether to stop."""


class Copier(Protocol):
    """Copies one file so that it arrives whole, verified by checksum, or not at all."""

    def copy(self, item: Item, stop: Stop) -> str:
        """Copy the file and return its SHA-256; an existing copy is only verified.

        Raises
        ------
        lauedepth.pipeline.errors.LaueDepthError, OSError
            As `Transfer.report` says, or a `StoppedError` if `stop` became true.
        """


class Mover(Protocol):
    """Moves several files, and returns when all are in their places."""

    def move(self, items: Sequence[Item], stop: Stop) -> tuple[str, ...]:
        """Move the files and return the SHA-256 of each; it raises what `Copier.copy` raises."""


class OneByOne:
    """Moves files one after the other.

    Parameters
    ----------
    ready : callable
        Called before each file; raises an error if nothing may be written now.
    """

    def __init__(self, copier: Copier, ready: Callable[[], None]) -> None:
        self._copier, self._ready = copier, ready

    def move(self, items: Sequence[Item], stop: Stop) -> tuple[str, ...]:
        """Copy each file; see `Mover.move`."""
        return tuple(self._copy(item, stop) for item in items)

    def _copy(self, item: Item, stop: Stop) -> str:
        self._ready()
        return self._copier.copy(item, stop)


MOVING: Final = TransferReport(TransferState.MOVING)


@dataclass
class _Run:
    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    report: TransferReport = MOVING


class InThreads:
    """A transfer that ends with this process; started again, it continues where that was."""

    def __init__(self, mover: Mover) -> None:
        self._mover = mover
        self._guard = threading.Lock()
        self._runs: dict[str, _Run] = {}

    def start(self, name: str, items: Sequence[Item]) -> None:
        """Begin to move files; do nothing if a transfer of this name is already known."""
        with self._guard:
            if name in self._runs:
                return
            run = self._runs[name] = _Run()
        threading.Thread(
            target=self._work, args=(run, tuple(items)), name=name, daemon=True
        ).start()

    def report(self, name: str) -> TransferReport:
        """Say where a transfer stands."""
        with self._guard:
            run = self._runs.get(name)
        return TransferReport(TransferState.UNKNOWN) if run is None else run.report

    def cancel(self, name: str) -> None:
        """Stop a transfer, wait until it has stopped, and forget it."""
        with self._guard:
            run = self._runs.get(name)
        if run is not None:
            run.stop.set()
            run.ended.wait()
            self.forget(name)

    def forget(self, name: str) -> None:
        """Forget a transfer that has ended."""
        with self._guard:
            self._runs.pop(name, None)

    def _work(self, run: _Run, items: tuple[Item, ...]) -> None:
        try:
            digests = self._mover.move(items, run.stop.is_set)
            run.report = TransferReport(TransferState.DONE, digests)
        except Exception as error:  # whatever it is, whoever asked for the files has to know
            run.report = TransferReport(TransferState.FAILED, error=error)
        finally:
            run.ended.set()


def moved(transfer: Transfer, name: str, items: Sequence[Item], stop: Stop) -> tuple[str, ...]:
    """Move files, wait for their arrival, and return the SHA-256 of each.

    Raises
    ------
    StoppedError
        If `stop` became true.
    LaueDepthError, OSError
        As `Transfer.report` says.
    """
    pause = 0.002
    transfer.start(name, items)
    while (report := transfer.report(name)).state is not TransferState.DONE:
        if report.state is TransferState.FAILED:
            transfer.forget(name)
            raise report.error or FacilityError("the transfer failed", name)
        if report.state is TransferState.UNKNOWN:
            transfer.start(name, items)
        if stop():
            transfer.cancel(name)
            raise StoppedError("cancelled while its files were moved", name)
        time.sleep(pause)
        pause = min(0.25, 1.5 * pause)
    transfer.forget(name)
    return report.digests
