"""What of a dataset is stored, and whether each chunk is as long as it should be.

HDF5 takes a chunk that unpacks to fewer bytes as it is and gives uninitialised memory for the
rest. So chunks packed by gzip are unpacked here, and those of other filters are looked at before.
"""

from __future__ import annotations

import itertools
import math
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import numpy.typing as npt

from lauedepth.core.errors import InputError
from lauedepth.io.hdf5 import Array

_SHUFFLE: Final = h5py.h5z.FILTER_SHUFFLE
_DEFLATE: Final = h5py.h5z.FILTER_DEFLATE
_BITSHUFFLE: Final = 32008
_HEAD: Final = 16


@dataclass(frozen=True)
class StoredChunk:
    """A chunk: its first element, where its bytes lie, and which filters were left out."""

    corner: tuple[int, ...]
    place: int
    size: int
    skipped: int


def stored_chunks_of(data: h5py.Dataset) -> list[StoredChunk]:
    """Return the chunks of a chunked dataset that are stored."""
    found: list[StoredChunk] = []

    def note(chunk: h5py.h5d.StoreInfo) -> None:
        found.append(
            StoredChunk(chunk.chunk_offset, chunk.byte_offset, chunk.size, chunk.filter_mask)
        )

    # Asking for one chunk after the other takes a time that grows with the square.
    data.id.chunk_iter(note)
    return found


def refuse_wrong_lengths(data: h5py.Dataset, chunks: list[StoredChunk], where: str) -> None:
    """Refuse chunks that say themselves that they are not as long as they should be.

    Raises
    ------
    InputError
        Names the first of them.
    """
    codes, expected = _filter_codes(data), _chunk_bytes(data)
    bare = _has_no_head(data, codes)
    reader = None if bare else _LENGTHS.get(codes[-1] if codes else -1)
    if any(code != _SHUFFLE for code in codes[:-1]):
        reader = None  # what they add is not known
    start = data.file.userblock_size
    with Path(data.file.filename).open("rb") as stream:
        for chunk in chunks:
            length: int | None = None
            if bare or chunk.skipped == (1 << len(codes)) - 1:
                length = chunk.size
            elif reader is not None and not chunk.skipped:
                length = reader(os.pread(stream.fileno(), _HEAD, start + chunk.place))
            if length is not None and length != expected:
                raise wrong_length(where, chunk.corner, length, expected)


def _has_no_head(data: h5py.Dataset, codes: list[int]) -> bool:
    """Return whether chunks are bitshuffled, but not packed."""
    if codes != [_BITSHUFFLE]:
        return False
    values = data.id.get_create_plist().get_filter(0)[2]
    return len(values) < 5 or values[4] == 0


def wrong_length(where: str, corner: tuple[int, ...], found: int, expected: int) -> InputError:
    """Return the error for a chunk of another length than it should have."""
    place = ", ".join(str(part) for part in corner)
    told = f"more than {expected}" if found > expected else str(found)
    return InputError(
        f"image data are damaged: the chunk at ({place}) unpacks to {told} bytes instead of "
        f"{expected}",
        where,
        "copy the file again",
    )


class GzipChunks:
    """Reads a dataset packed by gzip, each chunk proved to be whole.

    Parameters
    ----------
    data : h5py.Dataset
    chunks : list of StoredChunk
    where : str
        Named in errors.
    """

    def __init__(self, data: h5py.Dataset, chunks: list[StoredChunk], where: str) -> None:
        self._data, self._where = data, where
        self._stored = {chunk.corner: chunk for chunk in chunks}
        self._shuffled = _filter_codes(data)[0] == _SHUFFLE
        self._bytes = _chunk_bytes(data)

    @classmethod
    def of(cls, data: h5py.Dataset, chunks: list[StoredChunk], where: str) -> GzipChunks | None:
        """Return a reader, or None for a dataset that is not packed this way."""
        codes = _filter_codes(data)
        return cls(data, chunks, where) if codes in ([_DEFLATE], [_SHUFFLE, _DEFLATE]) else None

    def read(self, selection: tuple[slice, ...], out: Array) -> None:
        """Fill ``out`` with a block; slices with start, stop and a positive step."""
        sizes = self._data.chunks
        spans = [
            range(part.start // size, (part.stop - 1) // size + 1) if part.stop > part.start else ()
            for part, size in zip(selection, sizes, strict=True)
        ]
        for place in itertools.product(*spans):
            corner = tuple(index * size for index, size in zip(place, sizes, strict=True))
            cuts = [
                _cut(part, first, size)
                for part, first, size in zip(selection, corner, sizes, strict=True)
            ]
            if all(cut is not None for cut in cuts):
                within, target = zip(*(cut for cut in cuts if cut is not None), strict=True)
                out[target] = self._chunk(corner)[within]

    def _chunk(self, corner: tuple[int, ...]) -> Array:
        chunk = self._stored.get(corner)
        if chunk is None:
            return np.full(self._data.chunks, self._data.fillvalue, self._data.dtype)
        skipped, packed = self._data.id.read_direct_chunk(corner)
        deflate_bit, shuffle_bit = (2, 1) if self._shuffled else (1, 0)
        content = packed if skipped & deflate_bit else self._inflated(packed, corner)
        values = np.frombuffer(content, self._data.dtype)
        if self._shuffled and not skipped & shuffle_bit:
            size = self._data.dtype.itemsize
            planes = np.frombuffer(content, np.uint8).reshape(size, -1)
            values = np.ascontiguousarray(planes.T).view(self._data.dtype)
        return values.reshape(self._data.chunks)

    def _inflated(self, packed: bytes, corner: tuple[int, ...]) -> bytes:
        inflater = zlib.decompressobj()
        try:
            content = inflater.decompress(packed, self._bytes + 1)
        except zlib.error as error:
            place = ", ".join(str(part) for part in corner)
            raise InputError(
                f"image data are damaged: the chunk at ({place}) cannot be unpacked",
                self._where,
                "copy the file again",
            ) from error
        if len(content) != self._bytes or not inflater.eof:
            raise wrong_length(self._where, corner, len(content), self._bytes)
        return content


def _cut(part: slice, first: int, size: int) -> tuple[slice, slice] | None:
    """Return what of a slice lies in a chunk: (within the chunk, within the slice)."""
    step = part.step or 1
    skip = max(0, -((part.start - first) // step))
    begin = part.start + skip * step
    stop = min(part.stop, first + size)
    if begin >= stop:
        return None
    count = -(-(stop - begin) // step)
    return slice(begin - first, stop - first, step), slice(skip, skip + count)


def _filter_codes(data: h5py.Dataset) -> list[int]:
    settings = data.id.get_create_plist()
    return [settings.get_filter(index)[0] for index in range(settings.get_nfilters())]


def _chunk_bytes(data: h5py.Dataset) -> int:
    chunks: tuple[int, ...] = data.chunks
    return math.prod(chunks) * int(data.dtype.itemsize)


def _big_endian(head: bytes) -> int | None:
    return int.from_bytes(head[:8], "big")


def _blosc(head: bytes) -> int | None:
    return int.from_bytes(head[4:8], "little")


def _zstd(head: bytes) -> int | None:
    """Return the content's size, which stands in the head of a frame unless it was streamed."""
    if head[:4] != b"\x28\xb5\x2f\xfd":
        return None
    flags = head[4]
    single = bool(flags & 0x20)
    bytes_of_size = (1 if single else 0, 2, 4, 8)[flags >> 6]
    if not bytes_of_size:
        return None
    begin = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
    size = int.from_bytes(head[begin : begin + bytes_of_size], "little")
    return size + 256 if bytes_of_size == 2 else size


_LENGTHS: Final[dict[int, Any]] = {
    32001: _blosc,
    32004: _big_endian,
    _BITSHUFFLE: _big_endian,
    32015: _zstd,
}
"""What reads a chunk's unpacked length from its head, by number of the filter that packed it."""


def written_frames(data: h5py.Dataset, chunks: list[StoredChunk]) -> npt.NDArray[np.bool_]:
    """Return which frames of a dataset were ever written: a chunk that is not stored was not."""
    present = np.zeros(data.shape[0], dtype=bool)
    depth = data.chunks[0]
    for chunk in chunks:
        present[chunk.corner[0] : chunk.corner[0] + depth] = True
    return present


def blocks_of(data: h5py.Dataset, chunks: list[StoredChunk]) -> Iterator[tuple[slice, ...]]:
    """Yield the stored blocks of a chunked dataset, cut at its edges."""
    for chunk in chunks:
        yield tuple(
            slice(first, min(first + size, whole))
            for first, size, whole in zip(chunk.corner, data.chunks, data.shape, strict=True)
        )
