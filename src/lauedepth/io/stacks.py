"""Where the frames of a point lie: in one dataset, or one file each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import h5py
import numpy as np
import numpy.typing as npt

from lauedepth.core.errors import InputError
from lauedepth.io.hdf5 import SUFFIXES, Array, open_checked, refuse_link, refuse_links

CHUNK_CACHE: Final = 0
"""Of frames, bytes: HDF5 reads whole chunks that fit into its cache (8 MiB since version 2), so
whole frames where only some rows are wanted."""

_DTYPES: Final = {"u1", "u2", "u4", "i4", "f4", "f8"}
_NUMBERED: Final = re.compile(r"(?P<name>.*)_(?P<number>\d+)")


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
        """Fill ``out`` (frames, rows, columns); lost frames become zeros."""
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...


class StackSource:
    """All frames in one dataset (frames, rows, columns)."""

    def __init__(self, path: Path, key: str) -> None:
        self.first_file = path
        self._file = open_checked(path, chunk_cache=CHUNK_CACHE)
        try:
            self._data = image_dataset(self._file, key, 3, path)
        except BaseException:
            self._file.close()
            raise
        frames, rows, columns = self._data.shape
        self.shape = (frames, rows, columns)
        self.dtype = self._data.dtype
        self.row_chunk = self._data.chunks[1] if self._data.chunks else 1
        self.present = _written_frames(self._data)

    def read(self, numbers: npt.NDArray[np.int64], rows: slice, out: Array) -> None:
        """Fill ``out``; see `FrameSource`."""
        with readable(self.first_file):
            if not numbers.size:
                return
            step = int(numbers[1] - numbers[0]) if numbers.size > 1 else 1
            frames = slice(int(numbers[0]), int(numbers[-1]) + 1, step)
            self._data.read_direct(out, np.s_[frames, rows, :])

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class SeriesSource:
    """One frame in each file ``NAME_N.h5``; a number without a file is a lost frame."""

    def __init__(self, path: Path, key: str, first_number: int | None) -> None:
        self._key = key
        self._files = numbered_files(path)
        first = min(self._files) if first_number is None else first_number
        if first > min(self._files):
            raise InputError(
                f"has files before number {first}", str(path), "check data.first_number"
            )
        self._first = first
        self.first_file = self._files[min(self._files)]
        with self._frame(self.first_file) as data:
            rows, columns = data.shape
            self.dtype = data.dtype
            self.row_chunk = data.chunks[0] if data.chunks else 1
        frames = max(self._files) - first + 1
        self.shape = (frames, rows, columns)
        self.present = np.zeros(frames, dtype=bool)
        self.present[np.fromiter(self._files, np.int64) - first] = True

    def extend(self, frames: int) -> None:
        """Count frames lost at the end, up to so many frames in all."""
        lost = np.zeros(frames - self.shape[0], dtype=bool)
        self.present = np.concatenate([self.present, lost])
        self.shape = (frames, *self.shape[1:])

    def read(self, numbers: npt.NDArray[np.int64], rows: slice, out: Array) -> None:
        """Fill ``out``; see `FrameSource`."""
        for index, number in enumerate(numbers):
            path = self._files.get(self._first + int(number))
            if path is None:
                out[index] = 0
                continue
            with self._frame(path) as data, readable(path):
                if data.shape != self.shape[1:]:
                    raise InputError(
                        f"is {data.shape}, other frames are {self.shape[1:]}",
                        str(path),
                        "remove it to have it treated as a lost frame",
                    )
                data.read_direct(out[index], np.s_[rows, :])

    def close(self) -> None:
        """Nothing stays open."""

    @contextmanager
    def _frame(self, path: Path) -> Iterator[h5py.Dataset]:
        file = open_checked(path, self._refuse_links_to_data, CHUNK_CACHE)
        try:
            yield image_dataset(file, self._key, 2, path)
        finally:
            file.close()

    def _refuse_links_to_data(self, file: h5py.File, path: Path) -> None:
        """Look at the way to the data alone: hundreds of files are opened for each band."""
        group: h5py.Group = file
        for name in self._key.strip("/").split("/"):
            if not isinstance(group, h5py.Group) or name not in group:
                return
            if isinstance(group.get(name, getlink=True), h5py.SoftLink):
                refuse_links(file, path)
                return
            refuse_link(group, name, path)
            group = group[name]


def numbered_files(path: Path) -> dict[int, Path]:
    """Return the files of a series by their number.

    Parameters
    ----------
    path : Path
        A folder that holds one series, or ``folder/NAME`` where it holds several.

    Raises
    ------
    InputError
        No series, several, or a number given twice.
    """
    folder, wanted = (path, None) if path.is_dir() else (path.parent, path.name)
    series: dict[str, dict[int, Path]] = {}
    for file in sorted(folder.iterdir()):
        match = _NUMBERED.fullmatch(file.stem)
        if not match or file.suffix.lower() not in SUFFIXES or not file.is_file():
            continue
        if wanted in (None, match["name"]):
            files = series.setdefault(match["name"], {})
            number = int(match["number"])
            if number in files:
                raise InputError(
                    f"number {number} is there twice: {files[number].name}, {file.name}",
                    str(folder),
                    "remove one of them",
                )
            files[number] = file
    if not series:
        raise InputError("holds no frames NAME_N.h5", str(path), "give a point's file or folder")
    if len(series) > 1:
        names = ", ".join(sorted(series)[:4])
        raise InputError(
            f"holds several series: {names}", str(path), f"say which, e.g. {path / min(series)}"
        )
    return next(iter(series.values()))


def image_dataset(file: h5py.File, key: str, rank: int, path: Path) -> h5py.Dataset:
    """Return the image dataset of a file.

    Raises
    ------
    InputError
        Missing, or of a rank, size or type that is none of images.
    """
    where = f"{path}: {key}"
    data = file.get(key)
    if not isinstance(data, h5py.Dataset):
        names = _image_like(file, rank)
        remedy = f"set data.key to {' or '.join(names)}" if names else "check data.key"
        raise InputError("there is no such dataset", where, remedy)
    if data.shape is None or data.ndim != rank:
        axes = "(frames, rows, columns)" if rank == 3 else "(rows, columns)"
        raise InputError(f"has shape {data.shape}, not {axes}", where, _other_rank(data, rank))
    if data.dtype.str.lstrip("<>|=") not in _DTYPES:
        raise InputError(
            f"holds {data.dtype}, not counts", where, "write uint16 or another plain number"
        )
    if not data.size:
        raise InputError(f"is empty, of shape {data.shape}", where, "check the measurement")
    return data


def _other_rank(data: h5py.Dataset, rank: int) -> str:
    if rank == 3 and data.ndim == 2:
        return "give the folder of a series of frames, not one frame"
    return "give a stack as a file, single frames as a folder"


def _image_like(file: h5py.File, rank: int) -> list[str]:
    names: list[str] = []

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim == rank:
            names.append(name)

    file.visititems(visit)
    return names[:3]


def _written_frames(data: h5py.Dataset) -> npt.NDArray[np.bool_]:
    """Tell which frames were ever written: a chunk that is not stored was lost."""
    frames = data.shape[0]
    if data.chunks is None or data.is_virtual:
        return np.ones(frames, dtype=bool)
    present = np.zeros(frames, dtype=bool)
    depth = data.chunks[0]

    def note(chunk: h5py.h5d.StoreInfo) -> None:
        present[chunk.chunk_offset[0] : chunk.chunk_offset[0] + depth] = True

    data.id.chunk_iter(note)
    return present


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn HDF5's failure to read into one that names the file."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise InputError(
            "image data are damaged and cannot be read", str(path), "copy the file again"
        ) from error
