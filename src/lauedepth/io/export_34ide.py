"""Per-depth images of a result, as LaueGo and laueanalysis read them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from lauedepth.core.errors import InputError, OutputError
from lauedepth.core.progress import StageProgress, no_progress
from lauedepth.io.hdf5 import create_chunked, open_input, packed, put, write_chunk
from lauedepth.io.kinds import layout_of
from lauedepth.io.layout import DATA, DEPTH, EXPORT, WIRE
from lauedepth.io.metadata import Metadata, without, write_metadata
from lauedepth.io.publish import publish_hdf5
from lauedepth.io.reading import read_result
from lauedepth.io.tiff import is_our_tiff, write_tiff
from lauedepth.io.validate import validate_file


def export_depths(
    result: Path | str,
    folder: Path | str,
    *,
    name: str = "",
    start_um: float = -np.inf,
    stop_um: float = np.inf,
    compress: bool = True,
    image_format: Literal["h5", "tiff"] = "h5",
    progress: StageProgress = no_progress,
) -> list[Path]:
    """Write one file per depth of a result.

    Parameters
    ----------
    result : Path or str
        A result file.
    folder : Path or str
        Where to; created where it is missing.
    name : str
        Files are called ``NAME_I.h5`` or ``NAME_I.tif``, I the index of the depth in the
        result; the result's own name by default.
    start_um, stop_um : float
        Only depths from start to stop, stop left out.
    compress : bool
        With gzip, or not at all; TIFF is never compressed.
    image_format : {"h5", "tiff"}
        As LaueGo and laueanalysis read it, or 32-bit TIFF with the depth in its description.
    progress : callable, optional
        Called with the numbers of files done and in all.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        Not a result, or it has none of these depths.
    OutputError
        Cannot be written.
    """
    opened, folder = read_result(result), Path(folder)
    depth = opened.depth_um
    wanted = np.flatnonzero((depth >= start_um) & (depth < stop_um))
    if not wanted.size:
        raise InputError(
            f"has no depth in {start_um}...{stop_um} µm",
            str(result),
            f"its depths are {depth[0]:g}...{depth[-1]:g} µm",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be created: {error.strerror}", str(folder)) from error
    stem = name or opened.path.stem
    suffix = "tif" if image_format == "tiff" else "h5"
    for index in wanted:
        _refuse_foreign(folder / f"{stem}_{index}.{suffix}")
    metadata = without(opened.metadata, "entry1/data", WIRE)
    written: list[Path] = []
    images = opened.images(slice(int(wanted[0]), int(wanted[-1]) + 1))
    for index, image in zip(wanted, images, strict=True):
        path = folder / f"{stem}_{index}.{suffix}"
        if image_format == "tiff":
            write_tiff(path, image, float(depth[index]))
        else:
            _write_image(path, image, float(depth[index]), metadata, 1 if compress else None)
        written.append(path)
        progress(len(written), wanted.size)
    return written


def _refuse_foreign(path: Path) -> None:
    """Refuse to replace a file that is no such image, a measured frame for instance."""
    if path.exists() and not _is_our_image(path):
        raise OutputError(
            "is there already and is no image of one depth", str(path), "choose another folder"
        )


def _is_our_image(path: Path) -> bool:
    if path.suffix == ".tif":
        return is_our_tiff(path)
    try:
        with open_input(path) as file:
            return layout_of(file) is EXPORT
    except InputError:
        return False


def _write_image(
    path: Path,
    image: npt.NDArray[np.float32],
    depth_um: float,
    metadata: Metadata,
    level: int | None,
) -> None:
    with publish_hdf5(path, lambda partial: validate_file(partial, deep=False)) as file:
        put(file, EXPORT, "entry1")
        put(file, EXPORT, "entry1/data")
        data = create_chunked(file, EXPORT[DATA], image.shape, image.shape, level)
        write_chunk(data, (0, 0), packed(np.ascontiguousarray(image), level))
        put(file, EXPORT, DEPTH, [depth_um])
        write_metadata(file, metadata)
