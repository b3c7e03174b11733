"""rsync between two folders of this machine: whole files, verified at both ends."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lauedepth.pipeline.errors import (
    AbsentError,
    FacilityError,
    OutputError,
    StoppedError,
    UnreachableError,
)
from lauedepth.pipeline.protocols import Item, Ref, here
from lauedepth.pipeline.sites.hosts import Host
from lauedepth.pipeline.transfers.rsync import Rsync

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")

NAMES = ("a b'c\".h5", "$(touch owned);.h5", "-rf.h5", "µ:1.h5", "sub/x\n.h5")


def go_on() -> bool:
    return False


def items(folder: Path, *names: str) -> list[Item]:
    far = folder / "far 'side'"
    return [Item(here(folder / "in"), name, Ref("there", far / name)) for name in names]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]) * 100_000)
    return tmp_path


def test_files_of_any_name_arrive_whole(folder: Path) -> None:
    moved = Rsync(Host("there"), limit_mb_s=1000).move(items(folder, *NAMES), go_on)
    for number, (name, digest) in enumerate(zip(NAMES, moved, strict=True)):
        content = (folder / "far 'side'" / name).read_bytes()
        assert content == bytes([number]) * 100_000
        assert digest == hashlib.sha256(content).hexdigest()
    assert Rsync(Host("there")).move(items(folder, *NAMES), go_on) == moved


def test_what_is_absent_or_of_another_checksum(folder: Path) -> None:
    rsync = Rsync(Host("there"))
    with pytest.raises(AbsentError, match="gone"):
        rsync.move(items(folder, "gone.h5"), go_on)
    item = Item(here(folder / "in"), NAMES[0], Ref("there", folder / "x" / NAMES[0]), sha256="0")
    with pytest.raises(OutputError, match="does not match its checksum"):
        rsync.move([item], go_on)


@pytest.fixture
def replace_rsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path(sys.executable).parent}:/usr/bin:/bin")

    def replace(text: str) -> None:
        (tmp_path / "rsync").write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "rsync").chmod(0o755)

    return replace


def test_a_connection_that_breaks_is_not_a_file_that_fails(
    folder: Path, replace_rsync: Callable[[str], None]
) -> None:
    replace_rsync("echo 'connection unexpectedly closed' >&2; exit 12")
    with pytest.raises(UnreachableError, match="there: connection unexpectedly closed"):
        Rsync(Host("there")).move(items(folder, NAMES[0]), go_on)
    replace_rsync("echo 'No space left on device' >&2; exit 11")
    with pytest.raises(OutputError, match="No space left"):
        Rsync(Host("there")).move(items(folder, NAMES[0]), go_on)


def test_complaints_of_any_length_are_read(
    folder: Path, replace_rsync: Callable[[str], None]
) -> None:
    replace_rsync("yes 'link is broken' | head -n 20000 >&2; exit 23")
    with pytest.raises(OutputError, match="link is broken"):
        Rsync(Host("there")).move(items(folder, NAMES[0]), go_on)


def test_it_stops_when_told(folder: Path, replace_rsync: Callable[[str], None]) -> None:
    replace_rsync("exec sleep 60")
    with pytest.raises(StoppedError):
        Rsync(Host("there")).move(items(folder, NAMES[0]), lambda: True)


def test_a_machine_without_rsync(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FacilityError, match="rsync: is not installed here"):
        Rsync(Host("there")).move(items(folder, NAMES[0]), go_on)
