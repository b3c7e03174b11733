"""Scan points as the beamline writes them: a stack of frames, or a folder of frame files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Detector, Frames, Region
from lauedepth.core.progress import StageProgress, no_progress
from lauedepth.io.hdf5 import SUFFIXES, Array, open_input
from lauedepth.io.layout import DATA, SAMPLE
from lauedepth.io.metadata import Metadata, read_metadata
from lauedepth.io.region import region_of
from lauedepth.io.stacks import FrameSource, SeriesSource, StackSource

_BLOCK_BYTES: Final = 64 * 2**20


class Point:
    """One scan point, open for reading; a context manager. Made by `open_point`.

    Attributes
    ----------
    path : Path
    shape : (int, int, int)
        Frames, rows, columns in the file.
    dtype : dtype
        What `read_rows` gives: uint16, or float32 where the file's numbers need it.
    region : Region
        The part of the detector that the images hold.
    sample_xyz : (float, float, float)
        Position of the sample stage, µm; NaN where it is not given.
    metadata : mapping
        Everything small in the file: arrays by path, attributes by ``path@name``.
    present : (frames,) bool array
        False for frames that were lost, of all frames in the file.
    usable : (n_frames,) bool array
        The same for the frames of the experiment (``frames`` of `open_point`).
    """

    def __init__(
        self,
        path: Path,
        source: FrameSource,
        metadata: Metadata,
        region: Region,
        frames: Frames | None,
    ) -> None:
        self.path = path
        self.metadata = metadata
        self.region = region
        self.shape = source.shape
        self.present = source.present
        self.frames = frames or Frames(0, source.shape[0])
        self.usable = source.present[self.frames.indices]
        small = source.dtype.kind == "u" and source.dtype.itemsize <= 2
        self.dtype: np.dtype[np.generic] = np.dtype(np.uint16 if small else np.float32)
        self._source = source

    @property
    def row_bytes(self) -> int:
        """Size of one image row in all frames of the experiment, as `read_rows` gives it."""
        return len(self.frames) * self.shape[2] * self.dtype.itemsize

    @property
    def sample_xyz(self) -> tuple[float, float, float]:
        """Position of the sample stage, µm."""
        x, y, z = (self._stage(axis) for axis in "XYZ")
        return x, y, z

    def _stage(self, axis: str) -> float:
        value = self.metadata.get(f"{SAMPLE}/sample{axis}")
        usable = value is not None and value.size > 0 and value.dtype.kind in "uif"
        return float(value.flat[0]) if value is not None and usable else float("nan")

    def read_rows(self, row_start: int, row_stop: int, frames: Frames | None = None) -> Array:
        """Read a band of rows of the chosen frames.

        Parameters
        ----------
        row_start, row_stop : int
            Image rows.
        frames : Frames, optional
            Those of the experiment by default.

        Returns
        -------
        (n_frames, rows, columns) array of `dtype`
            Lost frames are zeros (see `usable`).

        Raises
        ------
        InputError
            The data are damaged.
        """
        numbers = (frames or self.frames).indices
        out = np.empty((numbers.size, row_stop - row_start, self.shape[2]), self.dtype)
        self._source.read(numbers, slice(row_start, row_stop), out)
        return out

    def mean_image(
        self, frames: Frames | None = None, progress: StageProgress = no_progress
    ) -> npt.NDArray[np.float64]:
        """Return the mean count of each pixel over the frames that were not lost.

        Reads some frames at a time.

        Parameters
        ----------
        frames : Frames, optional
            Those of the experiment by default.
        progress : callable, optional
            Called with the numbers of frames done and in all.

        Returns
        -------
        (rows, columns) array
            NaN in a pixel passes through.
        """
        total, count = self.total_image(frames, progress=progress)
        if not count:
            raise InputError("all frames asked for are lost", str(self.path))
        return total / count

    def total_image(
        self,
        frames: Frames | None = None,
        rows: slice | None = None,
        progress: StageProgress = no_progress,
    ) -> tuple[npt.NDArray[np.float64], int]:
        """Return the sum of each pixel over the frames that were not lost, and their number.

        Sums of the rows are those of the whole image to the last bit; where `dtype` is
        uint16 they are exact, so sums over parts of the frames add up to the same too.

        Parameters
        ----------
        frames : Frames, optional
            Those of the experiment by default.
        rows : slice, optional
            All image rows by default.
        progress : callable, optional
            Called with the numbers of frames done and in all.

        Returns
        -------
        (rows, columns) array, int
        """
        numbers = (self.frames if frames is None else frames).indices
        numbers = numbers[self.present[numbers]]
        band = slice(*(rows or slice(None)).indices(self.shape[1]))
        frame_bytes = self.shape[1] * self.shape[2] * self.dtype.itemsize
        block = max(1, min(_BLOCK_BYTES // frame_bytes, numbers.size))
        total = np.zeros((band.stop - band.start, self.shape[2]), np.float64)
        space = np.empty((block, *total.shape), self.dtype)
        done = 0
        for run in _even_runs(numbers, block):
            images = space[: run.size]
            self._source.read(run, band, images)
            whole = self.dtype == np.uint16
            total += np.add.reduce(images, axis=0, dtype=np.uint32 if whole else np.float64)
            done += run.size
            progress(done, numbers.size)
        return total, int(numbers.size)

    def bands(
        self, memory_bytes: int, multiple_of: int = 1, frames: Frames | None = None
    ) -> list[tuple[int, int]]:
        """Cut the image into bands of rows whose frames fit into memory together.

        Bands are as tall as memory allows, so that a file compressed frame by frame is
        unpacked as few times as can be.

        Parameters
        ----------
        memory_bytes : int
            For the array that `read_rows` returns.
        multiple_of : int
            Bands begin at multiples of this many rows.
        frames : Frames, optional
            Those of the experiment by default.

        Returns
        -------
        list of (row_start, row_stop)
        """
        rows, columns = self.shape[1:]
        unit = _common_multiple(multiple_of, self._source.row_chunk, rows)
        row_bytes = max(1, len(frames or self.frames) * columns * self.dtype.itemsize)
        if unit * row_bytes > memory_bytes:
            unit = multiple_of
        tallest = max(unit, memory_bytes // row_bytes // unit * unit)
        count = -(-rows // tallest)
        height = -(-rows // count // unit) * unit
        return [(start, min(start + height, rows)) for start in range(0, rows, height)]

    def close(self) -> None:
        """Let go of the files."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_point(
    path: Path | str,
    config_key: str = DATA,
    frames: Frames | None = None,
    *,
    detector: Detector | None = None,
    first_number: int | None = None,
) -> Point:
    """Open a scan point.

    Parameters
    ----------
    path : Path or str
        A stack file, a folder with one series of frames, or ``folder/NAME`` of a series.
    config_key : str
        Path of the image dataset in the file or files.
    frames : Frames, optional
        Frames that the experiment needs.
    detector : Detector, optional
        What the image's ROI must lie in.
    first_number : int, optional
        Number of a series' first file; the smallest there is by default. Numbers that are
        missing after it are lost frames.

    Returns
    -------
    Point
        Close it, or use it in a ``with``.

    Raises
    ------
    InputError
        What is wrong with the file, and what to do.

    Examples
    --------
    A point of five frames, of which the detector lost the second:

    >>> from tempfile import TemporaryDirectory
    >>> from lauedepth import load_experiment
    >>> from lauedepth.io import write_point
    >>> detector = load_experiment("examples/experiment.yml").to_core().detector
    >>> region = Region(shape=(4, 6), start=(100, 50))
    >>> frame = np.full(region.shape, 7, np.uint16)
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "point_0001.h5"
    ...     frames = [frame, None, frame, frame, frame]
    ...     write_point(
    ...         path, frames, 5, region=region, detector=detector, sample_xyz=(0.0, 0.0, 0.0)
    ...     )
    ...     with open_point(path, detector=detector) as point:
    ...         point.shape, point.region.start, point.usable.tolist()
    ...         point.read_rows(0, 2).sum(axis=(1, 2)).tolist()
    ((5, 4, 6), (100, 50), [True, False, True, True, True])
    [84, 0, 84, 84, 84]
    """
    path = Path(path)
    source = _open_source(path, config_key, first_number)
    try:
        _need_frames(source, frames, path, known_start=first_number is not None)
        with open_input(source.first_file) as file:
            metadata = read_metadata(file, skip=(config_key.strip("/"),))
        region = region_of(metadata, source.shape[1:], detector, source.first_file)
        return Point(path, source, metadata, region, frames)
    except BaseException:
        source.close()
        raise


def _open_source(path: Path, key: str, first_number: int | None) -> FrameSource:
    if path.is_file():
        return StackSource(path, key)
    if path.is_dir() or path.parent.is_dir():
        if path.suffix.lower() in SUFFIXES and not path.is_dir():
            raise InputError("there is no such file", str(path), "check the path")
        return SeriesSource(path, key, first_number)
    raise InputError("there is no such file or folder", str(path), "check the path")


def _need_frames(
    source: FrameSource, frames: Frames | None, path: Path, *, known_start: bool
) -> None:
    """Refuse a point with fewer frames than needed."""
    if frames is None or frames.stop <= source.shape[0]:
        return
    if isinstance(source, SeriesSource) and known_start:
        source.extend(frames.stop)
        return
    numbered = isinstance(source, SeriesSource)
    remedy = "set data.first_number if frames at an end are lost, or " if numbered else ""
    raise InputError(
        f"has {source.shape[0]} frames, the experiment needs {frames.stop}",
        str(path),
        f"{remedy}set data.stop_frame to {source.shape[0]}",
    )


def _even_runs(numbers: npt.NDArray[np.int64], longest: int) -> Iterator[npt.NDArray[np.int64]]:
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


def _common_multiple(multiple_of: int, row_chunk: int, rows: int) -> int:
    return multiple_of if row_chunk >= rows else int(np.lcm(multiple_of, row_chunk))
