"""The dataset that holds images: found, of a size and type that can be, and read whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import h5py
import numpy as np
import numpy.typing as npt

from lauedepth.core.errors import InputError
from lauedepth.io.chunks import (
    GzipChunks,
    StoredChunk,
    blocks_of,
    refuse_wrong_lengths,
    stored_chunks_of,
    written_frames,
)
from lauedepth.io.hdf5 import Array
from lauedepth.io.opening import load_filters
from lauedepth.io.tree import find, members
from lauedepth.io.virtual import mapped_frames

CHUNK_CACHE: Final = 0
"""Of frames, bytes: HDF5 reads whole chunks that fit into its cache (8 MiB since version 2), so
whole frames where only some rows are wanted."""

MOST_FRAMES: Final = 2**20
MOST_PIXELS: Final = 2**26
"""More than any detector has: a file that declares more is damaged or was made to do harm."""

MOST_CHUNK_BYTES: Final = 2**29

PART: Final = re.compile(r"data_\d+")
"""What detectors call the datasets over which they spread frames."""


class ImageReader:
    """Reads a dataset of images, each chunk as long as it should be.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
    row_chunk : int
        Rows that are read at once however few are asked for.
    where : str
    """

    def __init__(self, data: h5py.Dataset, where: str) -> None:
        self._data, self.where = data, where
        self.shape: tuple[int, ...] = data.shape
        self.dtype: np.dtype[np.generic] = data.dtype
        if data.chunks is not None:
            load_filters(data, where)
        self._chunks = chunks = _chunks_of(data, where)
        self._mapped = mapped_frames(data, where) if data.is_virtual else None
        self.row_chunk = data.chunks[-2] if data.chunks else 1
        self._gzip = GzipChunks.of(data, chunks, where) if data.chunks else None

    def blocks(self) -> Iterator[Array]:
        """Yield everything that is stored, block by block, as it is read."""
        for selection in self._selections():
            sizes = tuple(part.stop - part.start for part in selection)
            out: Array = np.empty(sizes, self.dtype)
            self.read(selection, out)
            yield out

    def _selections(self) -> Iterator[tuple[slice, ...]]:
        if self._data.chunks is not None and not self._data.is_virtual:
            yield from blocks_of(self._data, self._chunks)
            return
        whole = tuple(slice(0, size) for size in self.shape)
        if len(self.shape) == 2:
            yield whole
            return
        for number in np.flatnonzero(self.written()).tolist():
            yield (slice(number, number + 1), *whole[1:])

    def written(self) -> npt.NDArray[np.bool_]:
        """Return which frames of a stack were ever written."""
        if self._mapped is not None:
            return self._mapped
        if self._data.chunks is not None:
            return written_frames(self._data, self._chunks)
        return np.full(self.shape[0], self._data.id.get_storage_size() > 0)

    def read(self, selection: tuple[slice, ...], out: Array) -> None:
        """Fill ``out`` with a block; slices with start and stop."""
        with readable(self.where):
            if self._gzip is not None:
                self._gzip.read(selection, out)
            else:
                self._data.read_direct(out, selection)


def _chunks_of(data: h5py.Dataset, where: str) -> list[StoredChunk]:
    if data.chunks is None:
        return []
    with readable(where):
        chunks = stored_chunks_of(data)
    refuse_wrong_lengths(data, chunks, where)
    return chunks


def image_dataset(file: h5py.File, key: str, rank: int) -> h5py.Dataset:
    """Return the image dataset of a file.

    Raises
    ------
    InputError
        Missing, or of a rank, size or type that is none of images.
    """
    where = f"{file.filename}: {key}"
    data = find(file, key)
    if not isinstance(data, h5py.Dataset):
        names = _image_like(file, rank)
        remedy = f"set data.key to {' or '.join(names)}" if names else "check data.key"
        raise InputError("there is no such dataset", where, remedy)
    if data.shape is None or data.ndim != rank:
        axes = "(frames, rows, columns)" if rank == 3 else "(rows, columns)"
        raise InputError(f"has shape {data.shape}, not {axes}", where, _other_rank(data, rank))
    with readable(where):
        dtype = data.dtype
    if dtype.kind not in "uif":
        raise InputError(
            f"holds {dtype}, not counts", where, "write uint16 or another plain number"
        )
    if not data.size:
        raise InputError(f"is empty, of shape {data.shape}", where, "check the measurement")
    _refuse_absurd(data, rank, where)
    return data


def _refuse_absurd(data: h5py.Dataset, rank: int, where: str) -> None:
    frames = data.shape[0] if rank == 3 else 1
    rows, columns = data.shape[-2:]
    chunk = np.prod(data.chunks or (0,), dtype=float) * data.dtype.itemsize
    if frames > MOST_FRAMES or rows * columns > MOST_PIXELS or chunk > MOST_CHUNK_BYTES:
        raise InputError(
            f"declares shape {data.shape}{f' in chunks of {data.chunks}' if data.chunks else ''}, "
            "more than any detector writes",
            where,
            "copy the file again",
        )


def _other_rank(data: h5py.Dataset, rank: int) -> str:
    if rank == 3 and data.ndim == 2:
        return "give the folder of a series of frames, not one frame"
    return "give a stack as a file, single frames as a folder"


def _image_like(file: h5py.File, rank: int) -> list[str]:
    names: list[str] = []
    for name, item in members(file):
        if isinstance(item, h5py.Dataset) and item.ndim == rank and _holds_numbers(item):
            folder, _, last = name.rpartition("/")
            names.append(folder if PART.fullmatch(last) else name)
    return list(dict.fromkeys(names))[:3]


def _holds_numbers(data: h5py.Dataset) -> bool:
    try:
        return data.dtype.kind in "uif"
    except TypeError:  # a type that NumPy has no word for
        return False


@contextmanager
def readable(where: Path | str) -> Iterator[None]:
    """Turn HDF5's failure to read into one that names the file."""
    try:
        yield
    except (OSError, RuntimeError, TypeError) as error:
        raise InputError(
            "image data are damaged and cannot be read", str(where), "copy the file again"
        ) from error
