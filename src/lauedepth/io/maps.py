"""Maps of a result over the image, so that viewers have something to show when they open it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import h5py
import numpy as np

from lauedepth.core.decoding.pixels import DecodedPixels, PixelFlag, PixelStatus
from lauedepth.io.hdf5 import Array, create_chunked, packed, put, put_attribute, write_chunk
from lauedepth.io.layout import COLUMN, DATA, MAPS, RESULT, ROW, map_group
from lauedepth.io.tiles import CHUNK, Ints

TILE: Final = CHUNK[1:]
"""Rows and columns of a chunk, as in the images."""

OPTIONAL: Final = "energy"
"""The map that is written only where there is anything in it."""


class MapWriter:
    """Writes values of pixels into images, one for each column of the table that viewers show.

    Of pixels with two depths it takes the stronger. Where nothing was decoded the maps are NaN,
    and nothing is stored.

    Parameters
    ----------
    file : h5py.File
        With the axes of the images (`describe_axes`).
    shape : (int, int)
        Rows and columns.
    level : int or None
        Of gzip.
    pool : ThreadPoolExecutor
        Compresses chunks.
    """

    def __init__(
        self, file: h5py.File, shape: tuple[int, int], level: int | None, pool: ThreadPoolExecutor
    ) -> None:
        self._file, self._shape, self._level, self._pool = file, shape, level, pool
        self._maps = {name: self._created(name) for name in MAPS if name != OPTIONAL}

    def add(self, rows: Ints, columns: Ints, values: Mapping[str, Array]) -> None:
        """Write pixels of whole tiles that were not written before.

        Parameters
        ----------
        rows, columns : (n,) int64 arrays
            Image pixels, each once.
        values : mapping of str to (n,) array
            By map.
        """
        if np.isfinite(values[OPTIONAL]).any() and OPTIONAL not in self._maps:
            self._maps[OPTIONAL] = self._created(OPTIONAL)
        across = -(-self._shape[1] // TILE[1])
        tile = rows // TILE[0] * across + columns // TILE[1]
        place = rows % TILE[0] * TILE[1] + columns % TILE[1]
        order = np.argsort(tile, kind="stable")
        ends = np.flatnonzero(np.diff(tile[order], append=-1)) + 1
        for first, end in zip([0, *ends[:-1]], ends, strict=True):
            which = order[first:end]
            corner = divmod(int(tile[which[0]]), across)
            self._store((corner[0] * TILE[0], corner[1] * TILE[1]), place[which], which, values)

    def _store(
        self, corner: tuple[int, int], place: Ints, which: Ints, values: Mapping[str, Array]
    ) -> None:
        def chunk(name: str) -> bytes:
            data = self._maps[name]
            content = np.full(TILE[0] * TILE[1], data.fillvalue, data.dtype)
            content[place] = values[name][which]
            return packed(content, self._level)

        names = list(self._maps)
        for name, content in zip(names, self._pool.map(chunk, names), strict=True):
            write_chunk(self._maps[name], corner, content)

    def _created(self, name: str) -> h5py.Dataset:
        """Create the plottable group of a map."""
        group = map_group(name)
        put(self._file, RESULT, group)
        entry = RESULT[f"{group}/{name}"]
        fill = int(PixelStatus.PENDING) if entry.kind == "uint8" else np.nan
        data = create_chunked(self._file, entry, self._shape, TILE, self._level, fill)
        _add_axes(self._file, group, data, {"row": ROW, "column": COLUMN})
        put_attribute(data, "long_name", _label(name, entry.units))
        if name == "status":
            explain_status(data)
        return data


def describe_axes(file: h5py.File, start: tuple[float, float], step: tuple[int, int]) -> None:
    """Write the detector's rows and columns beside the images, and name the images' axes.

    Parameters
    ----------
    file : h5py.File
        With the images and their depths.
    start : (float, float)
        Unbinned row and column at the middle of the first pixel.
    step : (int, int)
        Unbinned rows and columns per pixel.
    """
    images = file[DATA]
    for path, first, each, size in zip((ROW, COLUMN), start, step, images.shape[1:], strict=True):
        put(file, RESULT, path, first + each * np.arange(size, dtype=np.float64))
    for name, path in {"depth": "entry1/data/depth", "row": ROW, "column": COLUMN}.items():
        file[path].make_scale(name)
        put_attribute(file[path], "long_name", _label(name, RESULT[path].units or "pixel"))
    names = {"depth": "entry1/data/depth", "row": ROW, "column": COLUMN}
    _add_axes(file, "entry1/data", images, names)


def explain_status(data: h5py.Dataset) -> None:
    """Say what the codes of statuses mean, by the CF conventions."""
    codes = list(PixelStatus)
    put_attribute(data, "flag_values", np.array(codes, np.int32))
    put_attribute(data, "flag_meanings", " ".join(code.name.lower() for code in codes))


def explain_flags(data: h5py.Dataset) -> None:
    """Say what the bits of flags mean, by the CF conventions."""
    bits = [flag for flag in PixelFlag if flag]
    put_attribute(data, "flag_masks", np.array(bits, np.int32))
    put_attribute(data, "flag_meanings", " ".join(str(flag.name).lower() for flag in bits))


def first_of_each(decoded: DecodedPixels) -> Ints:
    """Return the first row of each pixel: the stronger of two depths."""
    return np.flatnonzero(np.diff(decoded.trace, prepend=-1))


def _label(name: str, units: str) -> str:
    return name.replace("_", " ") + (f" ({units})" if units else "")


def _add_axes(file: h5py.File, group: str, data: h5py.Dataset, axes: Mapping[str, str]) -> None:
    """Name the axes of a plottable group, for NeXus, and for HDF5 itself."""
    for number, (name, path) in enumerate(axes.items()):
        if f"{group}/{name}" not in file:
            file[f"{group}/{name}"] = file[path]
        file[group].attrs.create(f"{name}_indices", np.int32(number))
        data.dims[number].attach_scale(file[path])
    names = np.array([name.encode() for name in axes], dtype="S7")
    file[group].attrs.create("axes", names, dtype=names.dtype)
