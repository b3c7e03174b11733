"""Transfers have names: started twice they move once, and they can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lauedepth.pipeline.errors import ChangedError, StoppedError
from lauedepth.pipeline.protocols import Item, TransferReport, TransferState, here
from lauedepth.pipeline.transfers import InThreads, OneByOne, moved

ITEMS = [Item(here(Path("/in")), name, here(Path("/out") / name)) for name in ("a", "b", "c")]


class Gate:
    """A copier that waits at a gate, and notes what it copies."""

    def __init__(self) -> None:
        self.open, self.copied = threading.Event(), list[str]()
        self.fault: Exception | None = None

    def copy(self, item: Item, stop: Callable[[], bool]) -> str:
        while not self.open.wait(0.01):
            if stop():
                raise StoppedError("stopped")
        if self.fault:
            raise self.fault
        self.copied.append(item.name)
        return item.name.upper()


def go_on() -> bool:
    return False


def test_files_move_once_under_one_name() -> None:
    gate = Gate()
    transfer = InThreads(OneByOne(gate, lambda: None))
    for _ in range(3):
        transfer.start("t", ITEMS)
    assert transfer.report("t").state is TransferState.MOVING
    gate.open.set()
    assert moved(transfer, "t", ITEMS, go_on) == ("A", "B", "C")
    assert gate.copied == ["a", "b", "c"]
    assert transfer.report("t") == TransferReport(TransferState.UNKNOWN)


def test_what_went_wrong_is_raised_to_whoever_waits_and_the_name_is_free_again() -> None:
    gate = Gate()
    gate.open.set()
    gate.fault = ChangedError("changed", "a")
    transfer = InThreads(OneByOne(gate, lambda: None))
    with pytest.raises(ChangedError):
        moved(transfer, "t", ITEMS, go_on)
    gate.fault = None
    assert moved(transfer, "t", ITEMS, go_on) == ("A", "B", "C")


def test_a_stopped_transfer_moves_nothing_more() -> None:
    gate = Gate()
    transfer = InThreads(OneByOne(gate, lambda: None))
    with pytest.raises(StoppedError):
        moved(transfer, "t", ITEMS, lambda: True)
    gate.open.set()
    assert not gate.copied
    assert transfer.report("t").state is TransferState.UNKNOWN


def test_nothing_is_written_once_its_place_is_away() -> None:
    gate = Gate()
    gate.open.set()

    def ready() -> None:
        if gate.copied:
            raise OSError("away")

    with pytest.raises(OSError, match="away"):
        moved(InThreads(OneByOne(gate, ready)), "t", ITEMS, go_on)
    assert gate.copied == ["a"]
