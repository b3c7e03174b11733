"""Copies are whole, verified and resumable, or are not there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauedepth.pipeline.errors import (
    AbsentError,
    ChangedError,
    InputError,
    OutputError,
    StoppedError,
)
from lauedepth.pipeline.protocols import Item, Member, here
from lauedepth.pipeline.transfers import LocalCopy, local


def go_on() -> bool:
    return False


def item(root: Path, name: str, destination: Path) -> Item:
    status = (root / name).stat()
    return Item(
        here(root), name, here(destination), Member(name, status.st_size, status.st_mtime_ns)
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "from"
    folder.mkdir()
    (folder / "a.h5").write_bytes(os.urandom(3_000_000))
    return folder


def test_copy_returns_the_checksum(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "to" / "a.h5"
    digest = LocalCopy().copy(item(root, "a.h5", target), go_on)
    assert digest == hashlib.sha256((root / "a.h5").read_bytes()).hexdigest()
    assert target.read_bytes() == (root / "a.h5").read_bytes()
    assert list(target.parent.iterdir()) == [target]


@settings(max_examples=25, deadline=None)
@given(content=st.binary(max_size=300), done=st.integers(0, 300), block=st.sampled_from([1, 7, 64]))
def test_resumed_copy_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, done: int, block: int
) -> None:
    folder = tmp_path_factory.mktemp("resume")
    (folder / "a").write_bytes(content)
    target = folder / "b"
    target.with_name("b.partial").write_bytes(content[:done])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "BLOCK", block)
        digest = LocalCopy().copy(item(folder, "a", target), go_on)
    assert target.read_bytes() == content
    assert digest == hashlib.sha256(content).hexdigest()


def test_a_damaged_part_is_found_and_the_next_try_is_right(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "b.h5"
    target.with_name("b.h5.partial").write_bytes(b"something else")
    with pytest.raises(OutputError, match="checksum"):
        LocalCopy().copy(item(root, "a.h5", target), go_on)
    assert not target.exists()
    LocalCopy().copy(item(root, "a.h5", target), go_on)
    assert target.read_bytes() == (root / "a.h5").read_bytes()


def test_a_changed_file_is_not_copied(root: Path, tmp_path: Path) -> None:
    wanted = item(root, "a.h5", tmp_path / "b.h5")
    (root / "a.h5").write_bytes(b"new")
    with pytest.raises(ChangedError):
        LocalCopy().copy(wanted, go_on)
    assert not (tmp_path / "b.h5").exists()


def test_a_file_that_changes_meanwhile_is_not_copied(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "BLOCK", 1 << 20)
    wanted = item(root, "a.h5", tmp_path / "b.h5")

    def grow() -> bool:
        with (root / "a.h5").open("ab") as file:
            file.write(b"more")
        return False

    with pytest.raises(ChangedError):
        LocalCopy().copy(wanted, grow)
    assert not (tmp_path / "b.h5").exists()


def test_stopping_leaves_a_part_to_go_on_from(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "BLOCK", 1 << 20)
    turns = iter([False, True])
    with pytest.raises(StoppedError):
        LocalCopy().copy(item(root, "a.h5", tmp_path / "b.h5"), lambda: next(turns))
    assert (tmp_path / "b.h5.partial").stat().st_size == 1 << 20


def test_what_stands_there_is_verified_and_never_overwritten(root: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256((root / "a.h5").read_bytes()).hexdigest()
    target = tmp_path / "b.h5"
    wanted = Item(here(root), "a.h5", here(target), sha256=digest)
    assert LocalCopy().copy(wanted, go_on) == digest
    before = target.stat().st_mtime_ns
    assert LocalCopy().copy(wanted, go_on) == digest
    assert target.stat().st_mtime_ns == before
    target.write_bytes(b"a user's own file")
    with pytest.raises(OutputError, match="another file is already there"):
        LocalCopy().copy(wanted, go_on)
    assert target.read_bytes() == b"a user's own file"


def test_a_wrong_checksum_is_not_published(root: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="checksum"):
        LocalCopy().copy(Item(here(root), "a.h5", here(tmp_path / "b.h5"), sha256="0" * 64), go_on)
    assert not (tmp_path / "b.h5").exists()


@pytest.mark.parametrize("name", ["../secret.h5", "link.h5", "folder/../../secret.h5"])
def test_nothing_leaves_its_folder(root: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.h5").write_bytes(b"secret")
    (root / "folder").mkdir()
    (root / "link.h5").symlink_to(tmp_path / "secret.h5")
    with pytest.raises(InputError, match="out of its folder"):
        LocalCopy().copy(Item(here(root), name, here(tmp_path / "b.h5")), go_on)


def test_a_pipe_is_not_waited_for(root: Path, tmp_path: Path) -> None:
    os.mkfifo(root / "pipe.h5")
    with pytest.raises(InputError, match="not a regular file"):
        LocalCopy().copy(Item(here(root), "pipe.h5", here(tmp_path / "b.h5")), go_on)


def test_a_missing_file_is_told(root: Path, tmp_path: Path) -> None:
    with pytest.raises(AbsentError, match="is absent"):
        LocalCopy().copy(Item(here(root), "gone.h5", here(tmp_path / "b.h5")), go_on)


@pytest.mark.parametrize("make", [Path.symlink_to, Path.hardlink_to])
@pytest.mark.parametrize("name", ["b.h5.partial", "b.h5"])
def test_what_was_planted_as_a_link_is_not_written_to(
    root: Path, tmp_path: Path, make: Callable[[Path, Path], None], name: str
) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"of value")
    make(tmp_path / name, theirs)
    with pytest.raises(OutputError, match=r"is a link|another file is already there"):
        LocalCopy().copy(item(root, "a.h5", tmp_path / "b.h5"), go_on)
    assert theirs.read_bytes() == b"of value"
    (tmp_path / name).unlink()
    LocalCopy().copy(item(root, "a.h5", tmp_path / "b.h5"), go_on)


def test_what_takes_the_place_of_a_partial_file_is_not_published(
    root: Path, tmp_path: Path
) -> None:
    def swap() -> bool:
        (tmp_path / "b.h5.partial").unlink(missing_ok=True)
        (tmp_path / "b.h5.partial").write_bytes(b"something else")
        return False

    with pytest.raises(OutputError, match="was replaced"):
        LocalCopy().copy(item(root, "a.h5", tmp_path / "b.h5"), swap)
    assert not (tmp_path / "b.h5").exists()


@pytest.mark.parametrize("name", ["b.h5.partial", "b.h5"])
def test_a_pipe_in_the_way_is_not_waited_for(root: Path, tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(OutputError, match="is not a file"):
        LocalCopy().copy(item(root, "a.h5", tmp_path / "b.h5"), go_on)


def test_a_folder_that_is_exchanged_meanwhile_leads_nowhere_else(
    root: Path, tmp_path: Path
) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.mkdir()
    theirs.mkdir()

    def exchange() -> bool:
        if not mine.is_symlink():
            mine.rename(tmp_path / "moved")
            mine.symlink_to(theirs)
        return False

    LocalCopy().copy(item(root, "a.h5", mine / "b.h5"), exchange)
    assert not list(theirs.iterdir())
    assert (tmp_path / "moved" / "b.h5").read_bytes() == (root / "a.h5").read_bytes()
