"""Chunks that unpack to another length than they should: damage, with its place."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Frames
from lauedepth.io import open_point, validate_file

STACK = np.random.default_rng(1).poisson(30, (5, 64, 96)).astype(np.uint16)
CHUNK = (1, 64, 96)


def packed_by(filters: Any, frames: np.ndarray[Any, Any], folder: Path) -> bytes:
    """Return one chunk of frames as HDF5 itself packs them."""
    with h5py.File(folder / "other.h5", "w") as file:
        data = file.create_dataset("a", data=frames, chunks=frames.shape, **filters)
        return bytes(data.id.read_direct_chunk((0,) * frames.ndim)[1])


def write(path: Path, chunk: bytes, filters: Any) -> Path:
    """Write a stack in which the chunk of frame 3 was replaced."""
    with h5py.File(path, "w") as file:
        data = file.create_dataset("entry1/data/data", data=STACK, chunks=CHUNK, **filters)
        data.id.write_direct_chunk((3, 0, 0), chunk)
    return path


GZIP = {"compression": "gzip"}


@pytest.mark.parametrize(
    "filters",
    [
        GZIP,
        GZIP | {"shuffle": True},
        hdf5plugin.Bitshuffle(),
        hdf5plugin.LZ4(),
        hdf5plugin.Zstd(),
        hdf5plugin.Blosc(),
        {},
    ],
    ids=str,
)
@pytest.mark.parametrize("part", [np.s_[:32], np.s_[:1]], ids=["half", "a row"])
def test_a_chunk_that_is_too_short(tmp_path: Path, filters: Any, part: slice) -> None:
    path = write(tmp_path / "p.h5", packed_by(filters, STACK[3, part], tmp_path), filters)
    with (
        pytest.raises(InputError, match=r"p\.h5.*damaged: the chunk at \(3, 0, 0\) unpacks to"),
        open_point(path) as point,
    ):
        point.read_rows(0, 64)
    assert any("(3, 0, 0)" in reason for reason in validate_file(path))
    with (
        pytest.raises(InputError, match=r"the chunk at \(3, 0, 0\)"),
        open_point(path) as point,
    ):
        point.mean_image()


def test_a_chunk_that_would_fill_the_memory(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(2**28), 9)
    path = write(tmp_path / "p.h5", bomb, GZIP)
    tracemalloc.start()
    with (
        pytest.raises(InputError, match=r"\(3, 0, 0\) unpacks to more than 12288 bytes"),
        open_point(path) as point,
    ):
        point.read_rows(0, 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


def _cut(chunk: bytes) -> bytes:
    return chunk[: len(chunk) // 2]


def _spoil(chunk: bytes) -> bytes:
    return chunk[:-4] + bytes(4)  # the checksum


@pytest.mark.parametrize("harm", [_cut, _spoil])
def test_a_chunk_that_is_not_whole(tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    chunk = harm(packed_by(GZIP, STACK[3], tmp_path))
    path = write(tmp_path / "p.h5", chunk, GZIP)
    with pytest.raises(InputError, match=r"the chunk at \(3, 0, 0\)"), open_point(path) as point:
        point.read_rows(0, 64)


def test_frames_that_are_whole_are_read_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path / "p.h5", zlib.compress(b"short"), GZIP)
    with open_point(path, frames=Frames(0, 3)) as point:
        np.testing.assert_array_equal(point.read_rows(0, 64), STACK[:3])


def test_chunks_that_were_stored_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "entry1/data/data", data=STACK, chunks=CHUNK, shuffle=True, compression="gzip"
        )
        data.id.write_direct_chunk((3, 0, 0), STACK[3].tobytes(), filter_mask=3)
    with open_point(path) as point:
        np.testing.assert_array_equal(point.read_rows(0, 64), STACK)
