"""One stream of batches: its memory on both sides, and what is launched on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import cuda

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.answers import Answers
from lauedepth.core.decoding.cpu._batch import Problem
from lauedepth.core.decoding.cuda import _kernels as kernels
from lauedepth.core.decoding.cuda._memory import CODES, NUMBERS, STORED, Plan, Shape
from lauedepth.core.decoding.cuda._types import Array, Batch, Scratch, SolveScratch
from lauedepth.core.decoding.limits import SEARCH_WIDTHS


class Lane:
    """A stream on which batches follow each other.

    Parameters
    ----------
    shape : Shape
    plan : Plan
    reading : dtype
        Of the counts as they come in.

    Attributes
    ----------
    stream : cuda stream
    """

    def __init__(self, shape: Shape, plan: Plan, reading: np.dtype[np.generic]) -> None:
        self._shape, self._plan = shape, plan
        self.stream = cuda.stream()
        self._readings = _Both(plan.pixels * shape.frames, reading)
        self._pixels = _Both((plan.pixels, 3), np.float64)
        self._numbers = _Both((plan.pixels, NUMBERS), np.float64)
        self._codes = _Both((plan.pixels, CODES), np.int32)
        self._used = _Both(1, np.int32)
        self._pool = cuda.device_array(plan.pixels * shape.bins, np.float32)
        self._batch = _new_batch(self, plan.pixels, shape)
        self._scratch = _new_scratch(plan.blocks, shape)
        self._solve = _new_solve_scratch(plan.blocks, shape, plan.columns)
        self._wide = _new_solve_scratch(plan.wide_blocks, shape, shape.bins + 1)
        self._under_way: tuple[int, int] | None = None

    def prepare(self, problem: Problem, usable: Array, *, as_frames: bool) -> None:
        """Take what the batches of a decode have in common; begin it with nothing under way.

        Parameters
        ----------
        problem : Problem
            On the device.
        usable : (n_frames,) device array of bool
        as_frames : bool
            Counts are copied as frames and turned on the device.
        """
        self._problem, self._usable, self._as_frames = problem, usable, as_frames
        self._under_way = None

    def launch(self, begin: int, counts: npt.NDArray[np.generic], pixels: Array) -> None:
        """Begin to decode a batch.

        Parameters
        ----------
        begin : int
            Its first pixel among all.
        counts : (n, n_frames) array
        pixels : (n, 3) array
            Along the aperture's axes, mm.
        """
        batch = self.upload(counts, pixels)
        for _, stage in self.stages(batch):
            stage()
        count = batch.counts.shape[0]
        for both in (self._numbers, self._codes, self._used):
            both.fetch(count, self.stream)
        self._under_way = begin, count

    def upload(self, counts: npt.NDArray[np.generic], pixels: Array) -> Batch:
        """Begin to copy a batch to the device and to make traces of it."""
        count = counts.shape[0]
        source = counts.T if self._as_frames else counts
        readings = self._readings.send(source, self.stream)
        self._pixels.send(pixels, self.stream)
        self._used.send(np.zeros(1, np.int32), self.stream)
        batch = Batch(*(one if one is self._pool else one[:count] for one in self._batch))
        self._turn(readings, batch.counts)
        return batch

    def _turn(self, readings: Array, counts: Array) -> None:
        """Make traces of what came in."""
        frames, count = self._shape.frames, counts.shape[0]
        if self._as_frames:
            grid = (-(-count // kernels.TILE), -(-frames // kernels.TILE))
            kernels.transpose[grid, (kernels.TILE, kernels.TILE_ROWS), self.stream](
                readings, self._usable, counts
            )
        else:
            blocks = min(count, self._plan.blocks)
            kernels.clean[blocks, self._plan.lanes, self.stream](readings, self._usable, counts)

    def stages(self, batch: Batch) -> list[tuple[str, Callable[[], object]]]:
        """Return what is to be launched for a batch, by name, in order."""
        count = batch.counts.shape[0]
        how = min(count, self._plan.blocks), self._plan.lanes, self.stream
        wide = min(count, self._plan.wide_blocks), self._plan.lanes, self.stream
        common, bins = (batch, self._problem, self._scratch), self._shape.bins
        stages: list[tuple[str, Callable[[], object]]] = [
            ("search", lambda: kernels.search[how](*common)),
            ("place", lambda: kernels.place[how](*common)),
            ("second", lambda: kernels.second[how](*common, False)),
            ("clear", lambda: kernels.clear[how](*common, 0)),
            ("clear pairs", lambda: kernels.clear[how](*common, 1)),
            ("judge", lambda: kernels.second[how](*common, True)),
            ("solve", lambda: kernels.solve[how](*common, self._solve, bins)),
            ("solve wide", lambda: kernels.solve[wide](*common, self._wide, bins)),
        ]
        if self._problem.with_energy:
            stages.append(("energy", lambda: kernels.clear[how](*common, kernels.ABSORPTION)))
        return stages

    def collect(self, answers: Answers) -> None:
        """Wait for the batch under way, if there is one, and write its answers down."""
        if self._under_way is None:
            return
        begin, count = self._under_way
        self._under_way = None
        self.stream.synchronize()
        used = int(self._used.host[0])
        pool = self._pool[:used].copy_to_host() if used else np.empty(0, np.float32)
        _write_down(
            answers, slice(begin, begin + count), self._numbers.host[:count],
            self._codes.host[:count], pool,
        )  # fmt: skip


class _Both:
    """An array in page-locked memory of the host and one on the device."""

    def __init__(self, shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.host: npt.NDArray[Any] = cuda.pinned_array(shape, dtype)
        self.device = cuda.device_array(shape, dtype)

    def send(self, values: npt.NDArray[Any], stream: Any) -> Array:
        """Copy values to the device; return the part of it that holds them, in their shape."""
        size = values.shape[0] if self.host.ndim > 1 else values.size
        room, there = self.host[:size], self.device[:size]
        if self.host.ndim == 1:
            room, there = room.reshape(values.shape), there.reshape(*values.shape)
        np.copyto(room, values, casting="unsafe")
        there.copy_to_device(room, stream=stream)
        return there

    def fetch(self, count: int, stream: Any) -> None:
        """Begin to copy the first rows back."""
        self.device[:count].copy_to_host(self.host[:count], stream=stream)


def _new_batch(lane: Lane, pixels: int, shape: Shape) -> Batch:
    array = cuda.device_array
    return Batch(
        counts=array((pixels, shape.frames), np.float32),
        pixels=lane._pixels.device,
        stats=array((pixels, 3), np.float64),
        found=array((pixels, limits.CANDIDATES, 3), np.float64),
        hits=array((pixels, 2), np.int32),
        fits=array((pixels, 3, STORED), np.float64),
        numbers=lane._numbers.device,
        codes=lane._codes.device,
        pool=lane._pool,
        used=lane._used.device,
    )


def _new_scratch(blocks: int, shape: Shape) -> Scratch:
    array = cuda.device_array
    return Scratch(
        tables=array((blocks, 6, shape.knots), np.float64),
        expected=array((blocks, 3, shape.frames), np.float64),
        parameters=array((blocks, 3, STORED), np.float64),
        template=array((blocks, shape.points), np.float32),
        sums=array((blocks, 4, shape.points + 1), np.float64),
        inverse=array((blocks, len(SEARCH_WIDTHS), shape.candidates), np.float64),
        candidates=array((blocks, 2, shape.candidates), np.float64),
        found=array((blocks, limits.CANDIDATES + 1, 3), np.float64),
        trace=array((blocks, shape.frames), np.float32),
    )


def _new_solve_scratch(blocks: int, shape: Shape, columns: int) -> SolveScratch:
    array = cuda.device_array
    return SolveScratch(
        rows=array((blocks, shape.frames, columns), np.float64),
        weights=array((blocks, shape.frames), np.float64),
        gram=array((blocks, columns, columns), np.float64),
        factor=array((blocks, columns, columns), np.float64),
        vectors=array((blocks, 4, columns), np.float64),
        members=array((blocks, 2, columns), np.int32),
        lines=array((blocks, columns + 1, 2), np.float64),
    )


def _write_down(
    answers: Answers,
    which: slice,
    numbers: npt.NDArray[np.float64],
    codes: npt.NDArray[np.int32],
    pool: npt.NDArray[np.float32],
) -> None:
    """Write the answers of a batch in their places."""
    answers.status[which] = codes[:, 0]
    for column, target in enumerate(
        (answers.background, answers.residual, answers.absorption, answers.absorption_error)
    ):
        target[which] = numbers[:, column]
    answers.depth_um[which] = numbers[:, 4:6]
    answers.depth_error_um[which] = numbers[:, 6:8]
    answers.width_um[which] = numbers[:, 8:10]
    bins = codes[:, 1:5].reshape(-1, 2, 2)
    answers.bins[which] = bins
    footprint = answers.footprint[which]
    for depth in range(2):
        first, length = bins[:, depth, 0], bins[:, depth, 1].astype(np.int64)
        pixel = np.repeat(np.arange(length.size), length)
        inner = np.arange(pixel.size) - np.repeat(np.cumsum(length) - length, length)
        footprint[pixel, first[pixel] + inner] = pool[codes[pixel, 5 + depth] + inner]
