"""Columns of a table that grow together, stored in whole chunks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import h5py
import numpy as np

from lauedepth.io.hdf5 import Array, create_chunked, packed, write_chunk
from lauedepth.io.layout import Entry

CHUNK_ROWS: Final = 16384


class TableWriter:
    """Appends rows to one-dimensional datasets, each a column of the layout."""

    def __init__(self, file: h5py.File, columns: Iterable[Entry], level: int | None) -> None:
        self._level = level
        self._written = 0
        self._columns = {
            entry.path.rpartition("/")[2]: _create(file, entry, level) for entry in columns
        }
        self._waiting: dict[str, list[Array]] = {name: [] for name in self._columns}
        self._n_waiting = 0

    def append(self, values: Mapping[str, Array]) -> None:
        """Append rows: an array of one length for each column."""
        for name, column in self._columns.items():
            self._waiting[name].append(np.asarray(values[name], column.dtype))
        self._n_waiting += len(next(iter(values.values())))
        if self._n_waiting >= CHUNK_ROWS:
            self._store(self._n_waiting // CHUNK_ROWS * CHUNK_ROWS)

    def finish(self) -> None:
        """Store what still waits."""
        self._store(self._n_waiting)

    def _store(self, count: int) -> None:
        for name, column in self._columns.items():
            rows = np.concatenate([np.empty(0, column.dtype), *self._waiting[name]])
            column.resize((self._written + count,))
            for first in range(0, count, CHUNK_ROWS):
                chunk = np.zeros(CHUNK_ROWS, column.dtype)
                part = rows[first : min(first + CHUNK_ROWS, count)]
                chunk[: part.size] = part
                write_chunk(column, (self._written + first,), packed(chunk, self._level))
            self._waiting[name] = [rows[count:]]
        self._written += count
        self._n_waiting -= count


def _create(file: h5py.File, entry: Entry, level: int | None) -> h5py.Dataset:
    return create_chunked(file, entry, (0,), (CHUNK_ROWS,), level)
