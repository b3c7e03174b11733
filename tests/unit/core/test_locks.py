"""Locks keep others out, end with their holder, and say who that is."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from lauedepth.core.locks import Holder, claim, is_held, share

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLD = """
import sys, time
from lauedepth.core.locks import Holder, claim
with open(sys.argv[1], "a+") as file:
    claim(file.fileno())
    Holder.this_process().sign(file.fileno())
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold a lock in another process, until the end or until it is killed."""
    words = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    number = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    yield number
    os.close(number)


def test_a_lock_keeps_others_out_until_its_holder_is_gone(tmp_path: Path, descriptor: int) -> None:
    path = tmp_path / "lock"
    with held_by_another(path) as process:
        assert is_held(path)
        for take in (claim, share):
            with pytest.raises(BlockingIOError):
                take(descriptor)
        holder = Holder.read(path)
        assert holder is not None
        assert holder.pid == process.pid
        assert str(holder).startswith(f"process {process.pid} on ")
    assert not is_held(path)
    assert claim(descriptor)


def test_readers_share_and_looking_does_not_take(tmp_path: Path, descriptor: int) -> None:
    other = os.open(tmp_path / "lock", os.O_RDONLY)
    assert share(descriptor)
    assert share(other)
    assert not is_held(tmp_path / "lock")
    with pytest.raises(BlockingIOError):
        claim(descriptor)
    os.close(other)
    assert claim(descriptor)


def test_whoever_is_patient_outwaits_a_look(
    tmp_path: Path, descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = os.open(tmp_path / "lock", os.O_RDONLY)
    share(other)
    monkeypatch.setattr("lauedepth.core.locks.time.sleep", lambda _: os.close(other))
    assert claim(descriptor, patience=1)


def test_a_file_that_is_not_there_is_free_and_says_nothing(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "none")
    assert Holder.read(tmp_path / "none") is None
    (tmp_path / "empty").touch()
    assert Holder.read(tmp_path / "empty") is None


def test_a_file_system_without_locks_is_told_and_never_taken_for_free(
    tmp_path: Path, descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert not claim(descriptor)
    assert not share(descriptor)
    with pytest.raises(OSError, match="No locks"):
        is_held(tmp_path / "lock")
