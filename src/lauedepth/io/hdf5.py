"""HDF5 the way the beamline's C readers can read it, and inputs that stay in their file."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import numpy.typing as npt

from lauedepth.io.layout import Entry, Layout
from lauedepth.io.opening import open_file
from lauedepth.io.tree import find, refuse_links

Array = npt.NDArray[Any]

SUFFIXES: Final = frozenset({".h5", ".hdf5", ".hdf", ".nxs"})
"""What HDF5 files are called."""

_INT32 = np.iinfo(np.int32)


@contextmanager
def open_input(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading, whole and closed by its writer, with no link out of its folder.

    Raises
    ------
    InputError
        Missing, empty, not HDF5, truncated, still being written, or linking elsewhere.
    """
    file = open_file(path)
    try:
        refuse_links(file)
        yield file
    finally:
        file.close()


def as_text(value: str | bytes) -> Array:
    """Return text as a fixed-length string that ends in a NUL, as C readers expect."""
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return np.array(raw, dtype=f"S{len(raw) + 1}")


def as_c_value(value: object) -> Array:
    """Return a value that the beamline's C readers can read.

    Text becomes fixed-length, whole-number scalars become int32 where they fit; other arrays
    stay as they are.
    """
    if isinstance(value, str | bytes):
        return as_text(value)
    array = np.asarray(value)
    if array.dtype.kind in "OUS":
        raw = [
            item.encode("utf-8", "surrogateescape") if isinstance(item, str) else bytes(item)
            for item in array.flat
        ]
        width = max((len(item) for item in raw), default=0) + 1
        return np.array(raw, dtype=f"S{width}").reshape(array.shape)
    whole = array.dtype.kind in "bui" and array.size == 1
    if whole and _INT32.min <= int(array.flat[0]) <= _INT32.max:
        return array.astype(np.int32)
    return array.astype(np.uint8) if array.dtype.kind == "b" else array


def put_attribute(owner: h5py.Group | h5py.Dataset, name: str, value: object) -> None:
    """Write an attribute, replacing one of that name."""
    array = as_c_value(value)
    owner.attrs.create(name, data=array, dtype=array.dtype)


def put(file: h5py.File, layout: Layout, path: str, value: object = None) -> None:
    """Write a group or a small dataset as the layout says, with its attributes."""
    entry = layout[path]
    if entry.kind == "group":
        owner = file.require_group(path or "/")
    else:
        owner = file.create_dataset(path, data=_cast(entry, value))
    put_attributes(owner, entry)


def put_attributes(owner: h5py.Group | h5py.Dataset, entry: Entry) -> None:
    """Write the attributes that the layout fixes."""
    for name, value in entry.attributes:
        put_attribute(owner, name, value)
    if entry.units:
        put_attribute(owner, "units", entry.units)


def _cast(entry: Entry, value: object) -> Array:
    if entry.kind == "text":
        return _in_utf8(as_c_value(value))
    return np.asarray(value, dtype=entry.kind)


def _in_utf8(text: Array) -> Array:
    """Say that text is UTF-8 where it is and need be; C readers look for none of these texts."""
    try:
        needed = not text.item().decode("utf-8").isascii()
    except UnicodeDecodeError:
        return text
    return text.astype(h5py.string_dtype("utf-8", text.dtype.itemsize)) if needed else text


def read_text(file: h5py.File, path: str) -> str:
    """Return a text dataset of any HDF5 kind of string; "" where there is none."""
    dataset = find(file, path)
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        return ""
    value = np.asarray(dataset[()]).reshape(-1)
    if not value.size:
        return ""
    first = value[0]
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)


def create_chunked(
    file: h5py.File,
    entry: Entry,
    shape: tuple[int, ...],
    chunk: tuple[int, ...],
    level: int | None,
    fill: float = 0,
) -> h5py.Dataset:
    """Create a dataset to be filled with `write_chunk`, with gzip of a level or without.

    Chunks that are not written read as `fill`.
    """
    # HDF5 lets a chunk be larger than the dataset only where that may grow.
    growing = [None if part > size else size for part, size in zip(chunk, shape, strict=True)]
    dtype = np.uint16 if entry.kind == "image" else entry.kind
    data = file.create_dataset(
        entry.path,
        shape,
        dtype,
        chunks=chunk,
        maxshape=tuple(growing),
        compression=level,
        fillvalue=fill,
    )
    put_attributes(data, entry)
    return data


def packed(content: Array, level: int | None) -> bytes:
    """Return the bytes of a chunk as they are stored."""
    return content.tobytes() if level is None else zlib.compress(content.tobytes(), level)


def write_chunk(data: h5py.Dataset, corner: tuple[int, ...], content: bytes) -> None:
    """Store a whole chunk, past HDF5's chunk cache.

    HDF5 crashes the program when a disk fills up under its chunk cache; past the cache it
    reports the failure.
    """
    data.id.write_direct_chunk(corner, content)


def stored_chunks(data: h5py.Dataset) -> list[tuple[slice, ...]]:
    """Return the blocks of a chunked dataset that are stored, as slices."""
    corners: list[tuple[int, ...]] = []
    # Asking for one chunk after the other takes a time that grows with the square.
    data.id.chunk_iter(lambda chunk: corners.append(chunk.chunk_offset))
    return [
        tuple(slice(start, start + size) for start, size in zip(corner, data.chunks, strict=True))
        for corner in corners
    ]


def sync(path: Path) -> None:
    """Force a file or folder to disk, where the file system can."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
