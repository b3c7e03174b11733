"""Results of a point: written band by band, read lazily."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import h5py
import numpy as np
import numpy.typing as npt

from lauedepth.core.decoding.pixels import DecodedPixels
from lauedepth.core.instrument.experiment import Depths
from lauedepth.core.notices import Notice
from lauedepth.core.version import __version__
from lauedepth.io.hdf5 import create_chunked, put, put_attribute, write_chunk
from lauedepth.io.layout import (
    DATA,
    DEPTH,
    DETECTOR,
    INSTRUMENT,
    MAPS,
    NOTICES,
    PIXELS,
    RECONSTRUCTION,
    RESULT,
    RESULT_FORMAT,
    RESULT_PARTS,
    RESULT_VERSION,
    VERDICT,
    map_group,
)
from lauedepth.io.maps import (
    MapWriter,
    describe_axes,
    explain_flags,
    explain_status,
    first_of_each,
)
from lauedepth.io.metadata import Metadata, without, write_metadata
from lauedepth.io.notice_lines import as_lines
from lauedepth.io.publish import publish_hdf5
from lauedepth.io.region import region_of, stated_region
from lauedepth.io.tables import TableWriter
from lauedepth.io.tiles import CHUNK, chunks_of, split
from lauedepth.io.validate import validate_file

BAND_ROWS: Final = CHUNK[1]
"""Bands given to `ResultWriter.add` begin at multiples of this many rows."""

_GZIP: Final = 1

_COLUMNS: Final = {
    "status": "status",
    "flags": "flags",
    "depth": "depth_um",
    "depth_error": "depth_error_um",
    "width": "width_um",
    "intensity": "intensity",
    "background": "background",
    "background_error": "background_error",
    "mask_position": "mask_position_um",
    "energy": "energy_kev",
    "residual": "residual",
}
"""Column of the table: attribute of `DecodedPixels`."""

_Chunks = list[tuple[tuple[int, int, int], bytes]]


class ResultWriter:
    """Takes a point's decoded bands in any order; made by `write_result`."""

    def __init__(
        self, file: h5py.File, n_depths: int, shape: tuple[int, int], pool: ThreadPoolExecutor
    ) -> None:
        self._file = file
        self._n_depths = n_depths
        self._shape = shape
        self._pool = pool
        self._data = file[DATA]
        self._level = _GZIP if self._data.compression else None
        self._table = TableWriter(file, RESULT.below(PIXELS), self._level, pool)
        explain_status(file[f"{PIXELS}/status"])
        explain_flags(file[f"{PIXELS}/flags"])
        self._maps = MapWriter(file, shape, self._level, pool)
        self._finished = False

    def add(
        self,
        row_start: int,
        row_stop: int,
        rows: npt.NDArray[np.int64],
        columns: npt.NDArray[np.int64],
        decoded: DecodedPixels,
    ) -> None:
        """Write what was decoded of a band of image rows.

        Parameters
        ----------
        row_start, row_stop : int
            The band. It begins at a multiple of `BAND_ROWS` and ends at one or at the image's
            end; each band is given once.
        rows, columns : (n_traces,) arrays
            Image pixel of each trace that was decoded.
        decoded : DecodedPixels
        """
        rows, columns = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
        self._check_band(row_start, row_stop, rows, columns)
        waiting: deque[Future[_Chunks]] = deque()
        for tile in split(rows, columns, decoded):
            waiting.append(self._pool.submit(chunks_of, tile, self._n_depths, self._level))
            if len(waiting) > _workers() * 2:
                self._store(waiting.popleft().result())
        while waiting:
            self._store(waiting.popleft().result())
        self._append(rows, columns, decoded)

    def keep_instrument(self, values: Mapping[str, object]) -> None:
        """Write what was learnt of the instrument: a value for each dataset of its group."""
        put(self._file, RESULT, INSTRUMENT)
        for entry in RESULT.below(INSTRUMENT):
            put(self._file, RESULT, entry.path, values[entry.path.rpartition("/")[2]])

    def finish(
        self,
        timings: Mapping[str, float] | None = None,
        notices: Iterable[Notice] = (),
        verdict: Mapping[str, float | None] | None = None,
    ) -> None:
        """End the writing.

        Parameters
        ----------
        timings : mapping of str to float, optional
            How long each step took, in seconds.
        notices : iterable of Notice
            What a user should know of the experiment, the point and its depths.
        verdict : mapping of str to float, optional
            Shares of its pixels that say how good the depths are.
        """
        self._table.finish()
        put(self._file, RESULT, NOTICES, as_lines(notices))
        put(self._file, RESULT, VERDICT, json.dumps(dict(verdict or {})))
        put(self._file, RESULT, f"{RECONSTRUCTION}/timings", json.dumps(dict(timings or {})))
        self._finished = True

    @property
    def finished(self) -> bool:
        """Whether `finish` was called."""
        return self._finished

    def _check_band(
        self,
        row_start: int,
        row_stop: int,
        rows: npt.NDArray[np.int64],
        columns: npt.NDArray[np.int64],
    ) -> None:
        height, width = self._shape
        aligned = row_stop % BAND_ROWS == 0 or row_stop == height
        if row_start % BAND_ROWS or not aligned or not 0 <= row_start < row_stop <= height:
            raise ValueError(
                f"band {row_start}...{row_stop} of {height} rows is not made of whole chunks "
                f"of {BAND_ROWS} rows"
            )
        if rows.size and (
            rows.min() < row_start
            or rows.max() >= row_stop
            or columns.min() < 0
            or columns.max() >= width
        ):
            raise ValueError(f"pixels outside the band {row_start}...{row_stop}")

    def _store(self, chunks: _Chunks) -> None:
        for offset, content in chunks:
            write_chunk(self._data, offset, content)

    def _append(
        self,
        rows: npt.NDArray[np.int64],
        columns: npt.NDArray[np.int64],
        decoded: DecodedPixels,
    ) -> None:
        values = {name: getattr(decoded, source) for name, source in _COLUMNS.items()}
        values |= {"row": rows[decoded.trace], "column": columns[decoded.trace]}
        self._table.append(values)
        first = first_of_each(decoded)
        if first.size:
            one = {name: values[name][first] for name in MAPS}
            self._maps.add(values["row"][first], values["column"][first], one)


@contextmanager
def write_result(
    path: Path | str,
    *,
    depths: Depths,
    shape: tuple[int, int],
    configuration: str,
    backend: str,
    metadata: Metadata,
    compress: bool = True,
) -> Iterator[ResultWriter]:
    """Write a result; it appears under its name only when it is whole and valid.

    Parameters
    ----------
    path : Path or str
    depths : Depths
    shape : (int, int)
        Rows and columns of the point's images.
    configuration : str
        The whole experiment as JSON.
    backend : str
        What decoded.
    metadata : mapping
        Of the point (`Point.metadata`), copied.
    compress : bool
        With gzip, or not at all; the beamline's readers know no other way.

    Yields
    ------
    ResultWriter
        Give it every band, then call its ``finish``.

    Raises
    ------
    OutputError
        Cannot be written; nothing is left behind, and what was at ``path`` is still there.
    """
    with (
        ThreadPoolExecutor(_workers()) as pool,
        publish_hdf5(path, lambda partial: validate_file(partial, deep=False)) as file,
    ):
        _write_frame(file, depths, shape, _GZIP if compress else None)
        put(file, RESULT, f"{RECONSTRUCTION}/program", "lauedepth")
        put(file, RESULT, f"{RECONSTRUCTION}/version", __version__)
        put(file, RESULT, f"{RECONSTRUCTION}/backend", backend)
        put(file, RESULT, f"{RECONSTRUCTION}/configuration", configuration)
        write_metadata(file, without(metadata, *RESULT_PARTS))
        _describe(file, shape, path)
        writer = ResultWriter(file, len(depths), shape, pool)
        yield writer
        if not writer.finished:
            raise RuntimeError("a result was left before finish() was called")


def _write_frame(
    file: h5py.File, depths: Depths, shape: tuple[int, int], level: int | None
) -> None:
    for group in ("", "entry1", "entry1/data", RECONSTRUCTION, PIXELS):
        put(file, RESULT, group)
    put(file, RESULT, DEPTH, depths.values_um)
    file["entry1/data/depth"] = file[DEPTH]
    create_chunked(file, RESULT[DATA], (len(depths), *shape), CHUNK, level)
    put_attribute(file["entry1"], "default", map_group("depth").rpartition("/")[2])
    put_attribute(file["/"], "format", RESULT_FORMAT)
    put_attribute(file["/"], "version", np.int32(RESULT_VERSION))


def _describe(file: h5py.File, shape: tuple[int, int], path: Path | str) -> None:
    """Write what viewers and NeXus want to know of the point, where it is known."""
    region = region_of(stated_region(file), shape, None, Path(path))
    row, column = region.unbinned(np.zeros(1), np.zeros(1))
    step = region.binning[1], region.binning[0]
    describe_axes(file, (float(row[0]), float(column[0])), step)
    if "entry1/start_time" not in file and (time := _start_time(file)):
        put(file, RESULT, "entry1/start_time", time)
    link = f"entry1/instrument/{DETECTOR.rpartition('/')[2]}"
    if DETECTOR in file and link not in file:
        put(file, RESULT, "entry1/instrument")
        file[link] = file[DETECTOR]


def _start_time(file: h5py.File) -> str:
    """Return the beamline's time of a file as NeXus writes times, or nothing."""
    stated = file.attrs.get("file_time", b"")
    text = stated.decode("utf-8", "replace") if isinstance(stated, bytes) else str(stated)
    try:
        return datetime.fromisoformat(text.strip()).isoformat()
    except ValueError:
        return ""


def _workers() -> int:
    return min(8, len(os.sched_getaffinity(0)))
