"""Read a result: its pixels at once, its images on demand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from lauedepth.core.errors import InputError
from lauedepth.core.notices import Level, Notice
from lauedepth.io.hdf5 import Array, open_input, read_text, stored_chunks
from lauedepth.io.image_data import readable
from lauedepth.io.layout import (
    DATA,
    DEPTH,
    INSTRUMENT,
    NOTICES,
    PIXELS,
    RECONSTRUCTION,
    RESULT,
    RESULT_PARTS,
    VERDICT,
)
from lauedepth.io.metadata import Metadata, read_metadata
from lauedepth.io.notice_lines import from_lines
from lauedepth.io.tiles import CHUNK
from lauedepth.io.validate import validate_file


@dataclass(frozen=True)
class Provenance:
    """How a result was made."""

    program: str
    version: str
    backend: str
    configuration: str
    """The whole experiment as JSON."""
    timings_s: Mapping[str, float]


@dataclass(frozen=True)
class ResultFile:
    """A result. Images are read when asked for; the file is not kept open.

    Attributes
    ----------
    path : Path
    shape : (int, int, int)
        Depths, rows, columns.
    depth_um : (n_depths,) float64 array
    pixels : structured array
        One row per pixel looked at and per depth found; the fields are the columns of the
        file's table (docs/file-formats.md), units included there.
    provenance : Provenance
    metadata : mapping
        What was copied from the point: arrays by path, attributes by ``path@name``.
    notices : tuple of Notice
        What was to be known of the experiment and the point when the result was made.
    verdict : mapping of str to float
        Shares of its pixels that say how good the depths are; None where one is not known.
    """

    path: Path
    shape: tuple[int, int, int]
    depth_um: npt.NDArray[np.float64]
    pixels: npt.NDArray[np.void]
    provenance: Provenance
    metadata: Metadata
    notices: tuple[Notice, ...] = ()
    verdict: Mapping[str, float | None] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"ResultFile({str(self.path)!r}: {'; '.join(self._facts().values())})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        facts = {"result": str(self.path), **self._facts()}
        rows = [f"<tr><th>{key}</th><td>{escape(value)}</td></tr>" for key, value in facts.items()]
        return f"<table>{''.join(rows)}</table>"

    def _facts(self) -> dict[str, str]:
        depth, (rows, columns) = self.depth_um, self.shape[1:]
        found = int(np.isfinite(self.pixels["depth"]).sum())
        warnings = sum(notice.level is Level.WARNING for notice in self.notices)
        return {
            "depths": f"{depth.size} depths, {depth[0]:g} to {depth[-1]:g} µm",
            "images": f"{rows} x {columns} pixels",
            "found": f"{found} depths found",
            "warnings": "1 warning" if warnings == 1 else f"{warnings} warnings",
        }

    def read(
        self, depths: slice = slice(None), rows: slice = slice(None), columns: slice = slice(None)
    ) -> npt.NDArray[np.float32]:
        """Read a block of the images: (depths, rows, columns) float32."""
        with open_input(self.path) as file, readable(self.path):
            return np.asarray(file[DATA][depths, rows, columns], np.float32)

    def instrument(self) -> dict[str, Array] | None:
        """Return the numbers of the instrument as learnt, by name; None where none was.

        They are described in docs/file-formats.md (``entry1/reconstruction/instrument``).
        """
        with open_input(self.path) as file, readable(self.path):
            if INSTRUMENT not in file:
                return None
            names = [entry.path for entry in RESULT.below(INSTRUMENT) if entry.path in file]
            return {
                path.rpartition("/")[2]: np.asarray(file[path][()], np.float64)
                for path in names
                if file[path].dtype.kind in "fiu"
            }

    def image(self, depth_index: int) -> npt.NDArray[np.float32]:
        """Return the (rows, columns) image of one depth."""
        return np.asarray(self.read(slice(depth_index, depth_index + 1))[0])

    def images(
        self,
        depths: slice = slice(None),
        rows: slice = slice(None),
        columns: slice = slice(None),
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Give the (rows, columns) image of each depth in order; few are in memory at a time."""
        start, stop, _ = depths.indices(self.shape[0])
        while start < stop:
            end = min(stop, (start // CHUNK[0] + 1) * CHUNK[0])
            yield from self.read(slice(start, end), rows, columns)
            start = end

    def sums(
        self, rows: slice = slice(None), columns: slice = slice(None)
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Add up the images, or a part of them, in one pass over what is stored.

        Parameters
        ----------
        rows, columns : slice
            The part, without strides.

        Returns
        -------
        image : (rows, columns) array
            Sum over depth.
        profile : (n_depths,) array
            Sum over the image at each depth.
        """
        image = np.zeros(self.shape[1:], np.float64)
        profile = np.zeros(self.shape[0], np.float64)
        part = tuple(
            slice(*one.indices(size)[:2])
            for one, size in zip((slice(None), rows, columns), self.shape, strict=True)
        )
        with open_input(self.path) as file, readable(self.path):
            data = file[DATA]
            for stored in stored_chunks(data):
                block = tuple(_overlap(one, other) for one, other in zip(stored, part, strict=True))
                values = np.asarray(data[block], np.float64)
                image[block[1:]] += values.sum(axis=0)
                profile[block[0]] += values.sum(axis=(1, 2))
        return image[rows, columns], profile


def _overlap(one: slice, other: slice) -> slice:
    """Return what two slices of an axis share; it may be empty."""
    start = max(one.start, other.start)
    return slice(start, max(start, min(one.stop, other.stop)))


def read_result(path: Path | str) -> ResultFile:
    """Open a result.

    Raises
    ------
    InputError
        Not a result of this program, or damaged.
    """
    path = Path(path)
    reasons = validate_file(path, deep=False)
    with open_input(path) as file:
        if RECONSTRUCTION not in file:
            raise InputError("is not a result", str(path), "give a file made by reconstruct")
        if reasons:
            raise InputError(f"is not a valid result: {reasons[0]}", str(path))
        with readable(path):
            timings = json.loads(read_text(file, f"{RECONSTRUCTION}/timings") or "{}")
            texts = {
                name: read_text(file, f"{RECONSTRUCTION}/{name}")
                for name in ("program", "version", "backend", "configuration")
            }
            return ResultFile(
                path=path,
                shape=file[DATA].shape,
                depth_um=np.asarray(file[DEPTH][()], np.float64),
                pixels=_table(file),
                provenance=Provenance(**texts, timings_s=timings),
                metadata=_of_point(read_metadata(file, RESULT_PARTS)),
                notices=from_lines(read_text(file, NOTICES)),
                verdict=_verdict(read_text(file, VERDICT)),
            )


def _verdict(text: str) -> dict[str, float | None]:
    """Return the numbers of a verdict; none where there are none."""
    try:
        values = json.loads(text or "{}")
    except ValueError:
        return {}
    numbers = values.items() if isinstance(values, dict) else ()
    return {name: value for name, value in numbers if isinstance(value, int | float | None)}


def _of_point(metadata: Metadata) -> Metadata:
    """Return metadata without what describes the result itself."""
    own = {"@format", "@version", "entry1@default"}
    return {key: value for key, value in metadata.items() if key not in own}


def _table(file: h5py.File) -> npt.NDArray[np.void]:
    """Read the table of pixels; columns that an earlier version did not have are NaN."""
    entries = {entry.path.rpartition("/")[2]: entry for entry in RESULT.below(PIXELS)}
    rows = file[f"{PIXELS}/status"].size
    table = np.empty(rows, [(name, np.dtype(entry.kind)) for name, entry in entries.items()])
    for name, entry in entries.items():
        table[name] = file[entry.path][()] if entry.path in file else np.nan
    return table
