"""What a first look into a file finds, and what is wrong with bad files."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from lauedepth.pipeline.errors import InputError, UnfinishedError
from lauedepth.pipeline.sources import FolderSource


def write(path: Path, shape: tuple[int, ...] = (3, 4, 5)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["entry1/data/data"] = np.zeros(shape, np.uint16)
    return path


def damaged(path: Path, kind: str) -> None:
    write(path)
    content = path.read_bytes()
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        path.write_bytes(content[:-50])
    elif kind == "not HDF5":
        path.write_bytes(b"this is a text\n" * 100)
    elif kind == "shape":
        write(path, (3,))
    elif kind == "no frames":
        write(path, (0, 4, 5))
    elif kind == "no dataset":
        with h5py.File(path, "w") as file:
            file["entry1/other"] = 1
    elif kind == "text":
        with h5py.File(path, "w") as file:
            file["entry1/data/data"] = "hello"
    elif kind == "broken link":
        path.unlink()
        path.symlink_to(path.parent / "nowhere.h5")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("empty", "is empty"),
        ("truncated", "truncated: "),
        ("not HDF5", "not an HDF5 file"),
        ("shape", "not \\(frames, rows, columns\\)"),
        ("no frames", "not \\(frames, rows, columns\\)"),
        ("no dataset", "has no entry1/data/data"),
        ("text", "is not numeric"),
        ("broken link", "cannot be read"),
    ],
)
def test_bad_files_are_told_apart(tmp_path: Path, kind: str, says: str) -> None:
    damaged(tmp_path / "a.h5", kind)
    source = FolderSource(tmp_path)
    (sighting,) = source.scan()
    with pytest.raises(InputError, match=says):
        source.check(sighting)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    write(tmp_path / "a.h5").chmod(0)
    source = FolderSource(tmp_path)
    with pytest.raises(InputError, match="Permission denied"):
        source.check(source.scan()[0])


def test_the_writer_is_not_disturbed(tmp_path: Path) -> None:
    """The writer holds HDF5's own lock, and goes on writing after the look."""
    with h5py.File(tmp_path / "a.h5", "w", locking=True) as writer:
        writer["entry1/data/data"] = np.zeros((3, 4, 5), np.uint16)
        writer.flush()
        source = FolderSource(tmp_path)
        (sighting,) = source.scan()
        with pytest.raises(UnfinishedError, match="is still open for writing"):
            source.check(sighting)
        writer["more"] = 1
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["more"][()] == 1
