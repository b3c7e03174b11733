"""A file that is at rest and not finished: its writer pauses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lauedepth.pipeline.errors import UnfinishedError
from lauedepth.pipeline.protocols import Member
from lauedepth.pipeline.sources import FolderSource, Inspector
from lauedepth.pipeline.sources.frames import count_frames


def member(path: Path) -> Member:
    status = path.stat()
    return Member(path.name, status.st_size, status.st_mtime_ns)


def made_at_once(path: Path, written: int, **how: Any) -> Path:
    """Write a file as a detector that makes it for 20 frames and pauses after some."""
    with h5py.File(path, "w") as file:
        frames = np.random.default_rng(1).integers(1, 99, (written, 8, 8), np.uint16)
        data = file.create_dataset("d", (20, 8, 8), np.uint16, **how)
        if written:
            data[:written] = frames
    return path


@pytest.mark.parametrize(
    ("written", "how", "what"),
    [
        (0, {}, "its frames were never written"),
        (12, {}, "its last frame was never written"),
        (12, {"fillvalue": 65535}, "its last frame was never written"),
        (12, {"chunks": (1, 8, 8)}, "8 of 20 parts were never written"),
        (12, {"chunks": (4, 8, 8), "compression": "gzip"}, "2 of 5 parts were never written"),
    ],
)
@pytest.mark.parametrize("count", [count_frames, Inspector().count_frames])
def test_frames_never_written_are_told(
    tmp_path: Path, written: int, how: dict[str, Any], what: str, count: Any
) -> None:
    path = made_at_once(tmp_path / "p.h5", written, **how)
    with pytest.raises(UnfinishedError, match=what) as told:
        count(tmp_path, member(path), "d")
    assert (told.value.frames, told.value.is_open) == (20, False)
    with pytest.raises(UnfinishedError, match=what):
        FolderSource(tmp_path, dataset="d", count=count).check(
            FolderSource(tmp_path, dataset="d").scan()[0]
        )


@pytest.mark.parametrize("how", [{}, {"chunks": (4, 8, 8)}])
def test_a_finished_file_is_whole(tmp_path: Path, how: dict[str, Any]) -> None:
    path = made_at_once(tmp_path / "p.h5", 20, **how)
    assert Inspector().count_frames(tmp_path, member(path), "d") == (20, 8, 8)


@pytest.mark.parametrize("locking", [True, False])
def test_an_open_writer_is_noticed_with_a_lock_and_without(tmp_path: Path, locking: bool) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w", locking=locking) as file:
        file["d"] = np.ones((20, 8, 8), np.uint16)
        file.flush()
        with pytest.raises(UnfinishedError, match="is still open for writing") as told:
            Inspector().count_frames(tmp_path, member(path), "d")
        assert told.value.is_open
    assert Inspector().count_frames(tmp_path, member(path), "d") == (20, 8, 8)


def test_readers_are_no_writers(tmp_path: Path) -> None:
    path = made_at_once(tmp_path / "p.h5", 20)
    reader = os.open(path, os.O_RDONLY)
    with h5py.File(path, "r", locking=False):
        assert Inspector().count_frames(tmp_path, member(path), "d") == (20, 8, 8)
    os.close(reader)
