"""Columns of a table that grow together, stored in whole chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import h5py
import numpy as np

from lauedepth.io.hdf5 import Array, create_chunked, packed, write_chunk
from lauedepth.io.layout import Entry

CHUNK_ROWS: Final = 16384


class TableWriter:
    """Appends rows to one-dimensional datasets, each a column of the layout.

    Parameters
    ----------
    file : h5py.File
    columns : iterable of Entry
    level : int or None
        Of gzip.
    pool : ThreadPoolExecutor
        Compresses chunks.
    """

    def __init__(
        self,
        file: h5py.File,
        columns: Iterable[Entry],
        level: int | None,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._level, self._pool = level, pool
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
        contents: dict[str, Iterator[bytes]] = {}
        for name, column in self._columns.items():
            rows = np.concatenate([np.empty(0, column.dtype), *self._waiting[name]])
            firsts = range(0, count, CHUNK_ROWS)
            contents[name] = self._pool.map(
                self._packed, [rows[first : min(first + CHUNK_ROWS, count)] for first in firsts]
            )
            self._waiting[name] = [rows[count:]]
        for name, column in self._columns.items():
            column.resize((self._written + count,))
            for number, content in enumerate(contents[name]):
                write_chunk(column, (self._written + number * CHUNK_ROWS,), content)
        self._written += count
        self._n_waiting -= count

    def _packed(self, rows: Array) -> bytes:
        chunk = np.zeros(CHUNK_ROWS, rows.dtype)
        chunk[: rows.size] = rows
        return packed(chunk, self._level)


def _create(file: h5py.File, entry: Entry, level: int | None) -> h5py.Dataset:
    return create_chunked(file, entry, (0,), (CHUNK_ROWS,), level)
