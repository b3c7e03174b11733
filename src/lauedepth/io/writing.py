"""Write scan points as the beamline does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import OutputError
from lauedepth.core.instrument.experiment import Detector, Region
from lauedepth.io.hdf5 import create_chunked, packed, put, write_chunk
from lauedepth.io.layout import DATA, DETECTOR, FRAME, POINT, SAMPLE, Layout
from lauedepth.io.metadata import write_metadata
from lauedepth.io.publish import publish_hdf5
from lauedepth.io.region import region_metadata

Frame = npt.NDArray[np.uint16]


def write_point(
    path: Path | str,
    frames: Iterable[Frame | None],
    n_frames: int,
    *,
    region: Region,
    detector: Detector,
    sample_xyz: tuple[float, float, float],
    metadata: Mapping[str, object] | None = None,
    per_frame: Mapping[str, Floats] | None = None,
    compression: int | None = None,
) -> None:
    """Write a point as one stack.

    Parameters
    ----------
    path : Path or str
    frames : iterable of (rows, columns) uint16 arrays
        In order, one at a time in memory; None for a lost frame, which is not stored.
    n_frames : int
    region : Region
    detector : Detector
    sample_xyz : (float, float, float)
        Sample stage, µm.
    metadata : mapping, optional
        Further values by path, attributes by ``path@name`` (``"@file_time"``: of the file).
    per_frame : mapping, optional
        (n_frames,) arrays by path: of each frame, lost ones included.
    compression : int, optional
        Level of gzip; none by default.

    Raises
    ------
    OutputError
        Cannot be written; nothing is left behind.
    """
    rows, columns = region.shape
    with publish_hdf5(path) as file:
        _write_around(file, POINT, region, detector, sample_xyz)
        write_metadata(file, {**(metadata or {}), **(per_frame or {})})
        shape, chunk = (n_frames, rows, columns), (1, rows, columns)
        data = create_chunked(file, POINT[DATA], shape, chunk, compression)
        count = 0
        for index, frame in enumerate(frames):
            count = index + 1
            if frame is not None and index < n_frames:
                write_chunk(data, (index, 0, 0), packed(_image(frame, region), compression))
        _refuse_miscount(count, n_frames, Path(path))


def write_series(
    folder: Path | str,
    name: str,
    frames: Iterable[Frame | None],
    n_frames: int,
    *,
    region: Region,
    detector: Detector,
    sample_xyz: tuple[float, float, float],
    metadata: Mapping[str, object] | None = None,
    per_frame: Mapping[str, Floats] | None = None,
    compression: int | None = None,
    first_number: int = 1,
) -> None:
    """Write a point as a folder of files ``NAME_N.h5``, N from ``first_number``.

    The folder is created where it is missing. Other parameters are those of `write_point`; a
    lost frame has no file.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be created: {error.strerror}", str(folder)) from error
    count = 0
    for index, frame in enumerate(frames):
        count = index + 1
        if frame is None:
            continue
        with publish_hdf5(folder / f"{name}_{first_number + index}.h5") as file:
            _write_around(file, FRAME, region, detector, sample_xyz)
            own = {path: values[index] for path, values in (per_frame or {}).items()}
            write_metadata(file, {**(metadata or {}), **own})
            data = create_chunked(file, FRAME[DATA], region.shape, region.shape, compression)
            write_chunk(data, (0, 0), packed(_image(frame, region), compression))
    _refuse_miscount(count, n_frames, folder)


def _write_around(
    file: h5py.File,
    layout: Layout,
    region: Region,
    detector: Detector,
    sample_xyz: tuple[float, float, float],
) -> None:
    for group in ("entry1", "entry1/data", DETECTOR, SAMPLE):
        put(file, layout, group)
    put(file, layout, f"{DETECTOR}/ID", detector.name)
    for path, number in region_metadata(region, detector).items():
        put(file, layout, path, number)
    for axis, position in zip("XYZ", sample_xyz, strict=True):
        put(file, layout, f"{SAMPLE}/sample{axis}", position)


def _image(frame: Frame, region: Region) -> Frame:
    if frame.shape != region.shape:
        raise ValueError(f"a frame is {frame.shape}, the region {region.shape}")
    return np.ascontiguousarray(frame, np.uint16)


def _refuse_miscount(count: int, n_frames: int, path: Path) -> None:
    if count != n_frames:
        raise OutputError(f"got {count} frames to write instead of {n_frames}", str(path))
