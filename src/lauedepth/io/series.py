"""A point as a folder of frames, one in each file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import h5py
import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError
from lauedepth.io.frame_values import value_of_image
from lauedepth.io.hdf5 import SUFFIXES, Array
from lauedepth.io.image_data import CHUNK_CACHE, MOST_FRAMES, ImageReader, image_dataset
from lauedepth.io.opening import open_file
from lauedepth.io.region import same_region, stated_region

_NUMBERED: Final = re.compile(r"(?P<name>.*)_(?P<number>\d+)")


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
        with self._frame(self.first_file) as (_, image):
            rows, columns = image.shape
            self.dtype = image.dtype
            self.row_chunk = image.row_chunk
        frames = max(self._files) - first + 1
        if frames > MOST_FRAMES:
            raise InputError(f"is numbered up to {max(self._files)}", str(path), "rename its files")
        self.shape = (frames, rows, columns)
        self.present = np.zeros(frames, dtype=bool)
        self.present[np.fromiter(self._files, np.int64) - first] = True
        self._agreeing: set[Path] = set()
        self._own: dict[str, int] | None = None

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
            with self._frame(path) as (file, image):
                if image.shape != self.shape[1:]:
                    raise InputError(
                        f"is {image.shape}, other frames are {self.shape[1:]}",
                        str(path),
                        "remove it to have it treated as a lost frame",
                    )
                self._refuse_other_region(file, path)
                image.read((rows, slice(0, self.shape[2])), out[index])

    def values(self, key: str) -> Floats:
        """Return a number for each frame; see `FrameSource`."""
        values = np.full(self.shape[0], np.nan)
        for number in sorted(self._files):
            with open_file(self._files[number]) as file:
                values[number - self._first] = value_of_image(file, key)
        return values

    def close(self) -> None:
        """Nothing stays open."""

    @contextmanager
    def _frame(self, path: Path) -> Iterator[tuple[h5py.File, ImageReader]]:
        file = open_file(path, CHUNK_CACHE)
        try:
            yield file, ImageReader(image_dataset(file, self._key, 2), f"{path}: {self._key}")
        finally:
            file.close()

    def _refuse_other_region(self, file: h5py.File, path: Path) -> None:
        """Refuse a frame that lies elsewhere on the detector than the first."""
        if path in self._agreeing:
            return
        if self._own is None:
            with open_file(self.first_file) as first:
                self._own = stated_region(first)
        own = self._own if same_region(file, self._own) else stated_region(file)
        if own != self._own:
            differing = sorted(
                name for name in own.keys() | self._own if own.get(name) != self._own.get(name)
            )
            raise InputError(
                f"has another {' and '.join(differing)} than {self.first_file.name}",
                str(path),
                "remove it to have it treated as a lost frame",
            )
        self._agreeing.add(path)


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
