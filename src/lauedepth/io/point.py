"""One scan point, open for reading: its frames as counts, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Flags, Floats
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Frames, Region
from lauedepth.core.notices import Notice, warning
from lauedepth.core.progress import StageProgress, no_progress
from lauedepth.io.first_look import FRAMES, HALF, plateau, wrapped
from lauedepth.io.frame_list import told
from lauedepth.io.frame_sums import MOST_FRAMES, Sums
from lauedepth.io.hdf5 import Array
from lauedepth.io.layout import SAMPLE
from lauedepth.io.lost_frames import (
    Levels,
    empty_frames,
    repeated_frames,
    sample_rows,
    without_readings,
)
from lauedepth.io.metadata import Metadata
from lauedepth.io.readings import Conversion
from lauedepth.io.stacks import FrameSource, even_runs

PARTLY: Final = 0.02
"""Part of a pixel's frames without a measurement from which it counts as measured in part."""
MINIMUM_PARTLY: Final = 10
"""Such pixels that are worth a warning: more than stray ones."""
_BLOCK_BYTES: Final = 32 * 2**20

Numbers = npt.NDArray[np.int64]


class Point:
    """One scan point, open for reading; a context manager. Made by `open_point`.

    Attributes
    ----------
    path : Path
    shape : (int, int, int)
        Frames of the scan, rows, columns.
    dtype : dtype
        What `read_rows` gives: uint16, or float32 where counts need it.
    region : Region
        The part of the detector that the images hold.
    sample_xyz : (float, float, float)
        Position of the sample stage, µm; NaN where it is not given.
    metadata : mapping
        Everything small in the file: arrays by path, attributes by ``path@name``.
    present : (frames,) bool array
        False for frames that were not stored, of all frames of the scan.
    bad : (rows, columns) bool array or None
        Pixels that the experiment's mask of the detector takes out.
    """

    def __init__(
        self,
        path: Path,
        source: FrameSource,
        metadata: Metadata,
        region: Region,
        frames: Frames | None,
        conversion: Conversion,
        *,
        ignored: Numbers,
        notices: Iterable[Notice] = (),
    ) -> None:
        self.path = path
        self.metadata = metadata
        self.region = region
        self.shape = source.shape
        self.present = source.present
        self.frames = frames or Frames(0, source.shape[0])
        self.dtype = conversion.dtype
        self.bad = conversion.readings.bad
        self._source, self._conversion = source, conversion
        self._ignored = np.isin(np.arange(source.shape[0]), ignored)
        self._notices = list(notices)
        self._partly_measured: tuple[Notice, ...] = ()
        self._levels = Levels.unknown(source.shape[0], source.shape[1:])
        self._usable: Flags | None = None
        self._looked = False

    @property
    def row_bytes(self) -> int:
        """Size of one image row in all frames of the experiment, as `read_rows` gives it."""
        return len(self.frames) * self.shape[2] * self.dtype.itemsize

    @property
    def sample_xyz(self) -> tuple[float, float, float]:
        """Position of the sample stage, µm; the mean where it is given for each frame."""
        x, y, z = (self._stage(axis) for axis in "XYZ")
        return x, y, z

    @property
    def usable(self) -> Flags:
        """Which frames of the experiment (``frames`` of `open_point`) were measured: (n_frames,).

        Frames that are empty among lit ones, or hold no measurement, count as lost. Looks at a
        few rows of those frames that were not read yet.
        """
        if self._usable is None:
            numbers = self.frames.indices
            self._usable = self.present[numbers] & ~self._ignored[numbers]
            self._usable &= ~np.any(self._lost_among(numbers), axis=0)[numbers]
        return self._usable

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What was noticed so far, on opening and on reading, and which frames are lost."""
        if not self.usable.all():
            self._notice_lost()
        return (*self._notices, *self._partly_measured)

    def values(self, key: str) -> Floats:
        """Return a number that the file holds for each frame, NaN for lost ones: (frames,).

        Raises
        ------
        InputError
            The dataset is not there, or not of that kind.
        """
        return self._source.values(key)

    def add_notice(self, notice: Notice) -> None:
        """Keep what was noticed, once."""
        if notice not in self._notices:
            self._notices.append(notice)

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
            Counts. What is no measurement is 65535, or NaN in float32; lost frames hold
            anything (see `usable`).

        Raises
        ------
        InputError
            The data are damaged.
        """
        numbers = (frames or self.frames).indices
        out = np.empty((numbers.size, row_stop - row_start, self.shape[2]), self.dtype)
        self._read(numbers, slice(row_start, row_stop), out)
        return out

    def mean_image(
        self, frames: Frames | None = None, progress: StageProgress = no_progress
    ) -> npt.NDArray[np.float64]:
        """Return the mean count of each pixel over its measurements in frames that were not lost.

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
            NaN in a pixel that was never measured.
        """
        sums = self.without_lost(self.total_image(frames, progress=progress), frames)
        if not sums.frames:
            raise InputError("all frames asked for are lost", str(self.path))
        return self.mean_of(sums)

    def mean_of(self, sums: Sums) -> npt.NDArray[np.float64]:
        """Return the mean image of sums, and notice pixels that were measured in part.

        Saturated readings are no measurements: what is left of a bright pixel may fall below the
        threshold, and the pixel would not be missed.
        """
        partly = (sums.nothing > PARTLY * sums.frames) & (sums.nothing < sums.frames)
        number = int(np.count_nonzero(partly))
        if number >= MINIMUM_PARTLY:
            told = f"{number} pixels are saturated, negative or NaN in part of their frames"
            remedy = "expose less, or see detector.saturation_counts; such pixels may be missing"
            self._partly_measured = (
                warning("pixels-partly-measured", told, str(self.path), remedy),
            )
        return sums.mean()

    def total_image(
        self,
        frames: Frames | None = None,
        rows: slice | None = None,
        progress: StageProgress = no_progress,
    ) -> Sums:
        """Return the sum of each pixel over frames that were stored.

        Sums of the rows are those of the whole image to the last bit; where `dtype` is
        uint16 they are exact, so sums over parts of the frames add up to the same too. Only
        then are frames in it that turn out to be lost; `without_lost` takes them off.

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
        Sums
        """
        numbers = self._to_add(frames)
        band = slice(*(rows or slice(None)).indices(self.shape[1]))
        frame_bytes = self.shape[1] * self.shape[2] * self.dtype.itemsize
        block = max(1, min(_BLOCK_BYTES // frame_bytes, numbers.size, MOST_FRAMES))
        sums = Sums.of_none((band.stop - band.start, self.shape[2]))
        space = np.empty((block, *sums.total.shape), self.dtype)
        for run in even_runs(numbers, block):
            images = space[: run.size]
            self._read(run, band, images)
            if band == slice(0, self.shape[1], 1):
                self._note_levels(run, images[:, sample_rows(self.shape[1])])
            sums = sums.plus(images)
            progress(sums.frames, numbers.size)
        return sums

    def without_lost(
        self, sums: Sums, frames: Frames | None = None, among: Frames | None = None
    ) -> Sums:
        """Return the sums of all image rows over frames without those that are lost.

        Parameters
        ----------
        sums : Sums
            What `total_image` returned for the same frames.
        frames : Frames, optional
        among : Frames, optional
            Frames by whose levels those are judged; the same by default.
        """
        if self.dtype != np.uint16:
            return sums
        added = self._to_add(frames)
        lost = np.any(self._lost_among((among or frames or self.frames).indices), axis=0)
        lost = added[lost[added]]
        image = np.empty((1, *self.shape[1:]), self.dtype)
        for number in lost:
            self._read(np.array([number]), slice(0, self.shape[1]), image)
            sums = sums.minus(image)
        return sums

    def levels_of(self, frames: Frames) -> Levels:
        """Return what is known of the levels of frames, for another process."""
        return self._levels.part(frames.indices)

    def learn_levels(self, frames: Frames, levels: Levels) -> None:
        """Take over what another process found of the levels of frames."""
        self._levels.take(frames.indices, levels)

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

    def _stage(self, axis: str) -> float:
        value = self.metadata.get(f"{SAMPLE}/sample{axis}")
        if value is None:
            return float("nan")
        try:
            numbers = value.reshape(-1).astype(np.float64)
        except ValueError:  # a text that is no number
            return float("nan")
        numbers = numbers[np.isfinite(numbers)]
        return float(np.mean(numbers)) if numbers.size else float("nan")

    def _to_add(self, frames: Frames | None) -> Numbers:
        """Return the frames that go into a sum."""
        numbers = (frames or self.frames).indices
        numbers = numbers[self.present[numbers] & ~self._ignored[numbers]]
        if self.dtype == np.uint16:
            return numbers
        lost = np.any(self._lost_among(numbers), axis=0)
        return np.asarray(numbers[~lost[numbers]])

    def _read(self, numbers: Numbers, rows: slice, out: Array) -> None:
        self._look_first()
        self._source.read(numbers, rows, out)
        self._conversion.apply(out, rows)

    def _look_first(self) -> None:
        """Look at some whole frames before anything else is read."""
        if self._looked:
            return
        self._looked = True
        numbers = self.frames.indices
        numbers = numbers[self.present[numbers]]
        if not numbers.size:
            return
        numbers = np.unique(numbers[np.linspace(0, numbers.size - 1, FRAMES).astype(np.int64)])
        images = np.empty((numbers.size, *self.shape[1:]), self.dtype)
        for index, number in enumerate(numbers):
            self._source.read(
                np.array([number]), slice(0, self.shape[1]), images[index : index + 1]
            )
        found = wrapped(images, str(self.path)) if self._source.dtype.str[1:] == "u2" else None
        if found is not None:
            self.add_notice(found)
            self._conversion = replace(self._conversion, full=float(HALF))
        found = plateau(images, self._conversion.full, str(self.path))
        if found is not None:
            self.add_notice(found)

    def _note_levels(self, numbers: Numbers, rows: Array) -> None:
        self._levels.note(numbers, rows)

    def _lost_among(self, numbers: Numbers) -> tuple[Flags, Flags, Flags]:
        """Return which frames are empty, repeated or without readings, judged together."""
        numbers = numbers[self.present[numbers] & ~self._ignored[numbers]]
        self._measure_levels(numbers)
        judged = np.zeros(self.shape[0], bool)
        judged[numbers] = True
        blind = without_readings(self._levels) & judged
        empty = empty_frames(self._levels, judged & ~blind)
        repeated = repeated_frames(self._levels, judged & ~blind & ~empty)
        return empty, repeated, blind

    def _measure_levels(self, numbers: Numbers) -> None:
        """Read some rows of the frames that were not read yet."""
        numbers = numbers[~self._levels.known(numbers)]
        rows = sample_rows(self.shape[1])
        n_rows = len(range(*rows.indices(self.shape[1])))
        row_bytes = n_rows * self.shape[2] * self.dtype.itemsize
        block = max(1, _BLOCK_BYTES // row_bytes)
        for run in even_runs(numbers, block):
            images = np.empty((run.size, n_rows, self.shape[2]), self.dtype)
            self._read(run, rows, images)
            self._note_levels(run, images)

    def _notice_lost(self) -> None:
        numbers = self.frames.indices
        empty, repeated, blind = self._lost_among(numbers)
        reasons = {
            "not stored": ~self.present[numbers],
            "left out by data.ignored_frames": self.present[numbers] & self._ignored[numbers],
            "empty": empty[numbers],
            "the frame before once more": repeated[numbers],
            "without measurements": blind[numbers],
        }
        places = [
            f"{told(numbers[flags])} {reason}" for reason, flags in reasons.items() if flags.any()
        ]
        lost = np.count_nonzero(~self.usable)
        self.add_notice(
            warning(
                "frames-lost",
                f"{lost} of {numbers.size} frames are lost: {'; '.join(places)}",
                str(self.path),
                "nothing to do if the beam or the detector was off then",
            )
        )


def _common_multiple(multiple_of: int, row_chunk: int, rows: int) -> int:
    return multiple_of if row_chunk >= rows else int(np.lcm(multiple_of, row_chunk))
