"""Where the frames of a point lie: in one dataset or several of a file, or rearranged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError
from lauedepth.io.frame_values import values_of_stack
from lauedepth.io.hdf5 import Array
from lauedepth.io.image_data import CHUNK_CACHE, PART, ImageReader, image_dataset
from lauedepth.io.opening import open_file
from lauedepth.io.tree import find


class FrameSource(Protocol):
    """A point's frames."""

    first_file: Path
    """The file that holds the metadata."""
    shape: tuple[int, int, int]
    dtype: np.dtype[np.generic]
    row_chunk: int
    """Rows that are read at once however few are asked for."""
    present: npt.NDArray[np.bool_]
    """(frames,) False for lost frames."""

    def read(self, numbers: npt.NDArray[np.int64], rows: slice, out: Array) -> None:
        """Fill ``out`` (frames, rows, columns) with frames of one stride; lost ones are zeros."""
        ...

    def values(self, key: str) -> Floats:
        """Return a number for each frame, NaN for lost ones: (frames,)."""
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...


class StackSource:
    """All frames in one dataset (frames, rows, columns), or in several ``data_N`` of a group."""

    def __init__(self, path: Path, key: str) -> None:
        self.first_file = path
        self._file = open_file(path, CHUNK_CACHE)
        try:
            self._parts = [ImageReader(data, where) for data, where in _parts(self._file, key)]
        except BaseException:
            self._file.close()
            raise
        first = self._parts[0]
        for part in self._parts:
            if part.shape[1:] != first.shape[1:] or part.dtype != first.dtype:
                raise InputError(
                    f"holds {part.dtype} {part.shape[1:]}, other parts {first.dtype} "
                    f"{first.shape[1:]}",
                    part.where,
                    "check the measurement",
                )
        self._starts = np.cumsum([0, *(part.shape[0] for part in self._parts)])
        self.shape = (int(self._starts[-1]), first.shape[1], first.shape[2])
        self.dtype = first.dtype
        self.row_chunk = max(part.row_chunk for part in self._parts)
        self.present = np.concatenate([part.written() for part in self._parts])

    @property
    def file(self) -> h5py.File:
        """The open file."""
        return self._file

    def read(self, numbers: npt.NDArray[np.int64], rows: slice, out: Array) -> None:
        """Fill ``out``; see `FrameSource`."""
        if not numbers.size:
            return
        step = int(numbers[1] - numbers[0]) if numbers.size > 1 else 1
        cuts = np.searchsorted(numbers, self._starts)
        for part, start, low, high in zip(
            self._parts, self._starts, cuts[:-1], cuts[1:], strict=False
        ):
            if high > low:
                first, last = int(numbers[low] - start), int(numbers[high - 1] - start)
                part.read(
                    (slice(first, last + 1, step), rows, slice(0, self.shape[2])), out[low:high]
                )

    def values(self, key: str) -> Floats:
        """Return a number for each frame; see `FrameSource`."""
        return np.where(self.present, values_of_stack(self._file, key, self.shape[0]), np.nan)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class MappedSource:
    """Another source's frames under other numbers, with frames that it does not hold.

    Parameters
    ----------
    source : FrameSource
    slots : (frames,) int64 array
        Number of each frame in the source, -1 for one that was lost.
    """

    def __init__(self, source: FrameSource, slots: npt.NDArray[np.int64]) -> None:
        self._source, self._slots = source, slots
        self.first_file, self.dtype = source.first_file, source.dtype
        self.row_chunk = source.row_chunk
        self.shape = (slots.size, *source.shape[1:])
        self.present = np.where(slots < 0, False, source.present[slots])

    def read(self, numbers: npt.NDArray[np.int64], rows: slice, out: Array) -> None:
        """Fill ``out``; see `FrameSource`."""
        slots = self._slots[numbers]
        out[slots < 0] = 0
        kept = np.flatnonzero(slots >= 0)
        for places in np.split(kept, np.flatnonzero(np.diff(kept) > 1) + 1):
            begin = int(places[0]) if places.size else 0
            for run in even_runs(slots[places], places.size):
                self._source.read(run, rows, out[begin : begin + run.size])
                begin += run.size

    def values(self, key: str) -> Floats:
        """Return a number for each frame; see `FrameSource`."""
        return np.where(self._slots < 0, np.nan, self._source.values(key)[self._slots])

    def close(self) -> None:
        """Let go of the files."""
        self._source.close()


def _parts(file: h5py.File, key: str) -> list[tuple[h5py.Dataset, str]]:
    """Return the datasets that hold the frames, in order, and where each lies."""
    group = find(file, key)
    where = f"{file.filename}: {key}"
    if not isinstance(group, h5py.Group):
        return [(image_dataset(file, key, 3), where)]
    names = sorted(
        (name for name in group if isinstance(name, str) and PART.fullmatch(name)),
        key=lambda name: int(name.rpartition("_")[2]),
    )
    if not names:
        return [(image_dataset(file, key, 3), where)]
    parts = []
    for name in names:
        if find(file, f"{key}/{name}") is None:
            link = group.get(name, getlink=True)
            raise InputError(
                f"leads to {getattr(link, 'filename', 'nothing')}, which is not there",
                f"{where}/{name}",
                "copy it beside the file",
            )
        parts.append((image_dataset(file, f"{key}/{name}", 3), f"{where}/{name}"))
    return parts


def even_runs(numbers: npt.NDArray[np.int64], longest: int) -> Iterator[npt.NDArray[np.int64]]:
    """Cut frame numbers into runs of one stride, at most so long."""
    start = 0
    while start < numbers.size:
        stop = min(start + longest, numbers.size)
        steps = np.diff(numbers[start:stop])
        uneven = np.flatnonzero(steps != steps[0]) if steps.size else steps
        if uneven.size:
            stop = start + int(uneven[0]) + 1
        yield numbers[start:stop]
        start = stop
