"""One stream of batches: its memory on both sides, and what is launched on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import cuda

from lauedepth.core.decoding.answers import Answers, saturation_of
from lauedepth.core.decoding.compiled.problem import Problem
from lauedepth.core.decoding.compiled.types import Array
from lauedepth.core.decoding.cuda import _kernels as kernels
from lauedepth.core.decoding.cuda._memory import Arrays, Plan, Shape
from lauedepth.core.decoding.cuda._solve import solve
from lauedepth.core.decoding.cuda._types import (
    BACKGROUND_AT,
    BINS_AT,
    DEPTH_AT,
    DEPTH_ERROR_AT,
    NUMBERS,
    POOL_AT,
    STATUS_AT,
    WIDTH_AT,
    Batch,
    Scratch,
    SolveScratch,
)


class BatchStream:
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
        arrays = shape.pixel_arrays
        both = {
            name: _both(plan.pixels, arrays.pop(name))
            for name in ("pixels", "background", "numbers", "codes")
        }
        self._pixels, self._background, self._numbers, self._codes = both.values()
        self._used = _Both(1, np.int32)
        self._pool = cuda.device_array(plan.pixels * shape.bins, np.float32)
        self._batch = Batch(
            **_on_device(plan.pixels, arrays),
            **{name: one.device for name, one in both.items()},
            pool=self._pool,
            used=self._used.device,
        )
        narrow, wide = shape.solve_arrays(plan.columns), shape.solve_arrays(shape.bins + 1)
        self._scratch = Scratch(**_on_device(plan.blocks, shape.block_arrays))
        self._solve = SolveScratch(**_on_device(plan.blocks, narrow))
        self._wide = SolveScratch(**_on_device(plan.wide_blocks, wide))
        self._in_progress: tuple[int, int] | None = None

    def prepare(self, problem: Problem, usable: Array, *, as_frames: bool) -> None:
        """Take what the batches of a decode have in common; begin it with nothing in progress.

        Parameters
        ----------
        problem : Problem
            On the device.
        usable : (n_frames,) device array of bool
        as_frames : bool
            Counts are copied as frames and transposed on the device.
        """
        self._problem, self._usable, self._as_frames = problem, usable, as_frames
        self._in_progress = None

    def launch(
        self, begin: int, counts: npt.NDArray[np.generic], pixels: Array, background: Array
    ) -> None:
        """Begin to decode a batch.

        Parameters
        ----------
        begin : int
            Its first pixel among all.
        counts : (n, n_frames) array
        pixels : (n, 3) array
            Along the aperture's axes, mm.
        background : (n,) array
            NaN where it is not known.
        """
        batch = self.upload(counts, pixels, background)
        for _, stage in self.stages(batch):
            stage()
        count = batch.counts.shape[0]
        for both in (self._numbers, self._codes, self._used):
            both.fetch(count, self.stream)
        self._in_progress = begin, count

    def upload(self, counts: npt.NDArray[np.generic], pixels: Array, background: Array) -> Batch:
        """Begin to copy a batch to the device and to make traces of it."""
        count = counts.shape[0]
        source = counts.T if self._as_frames else counts
        readings = self._readings.send(source, self.stream)
        self._pixels.send(pixels, self.stream)
        self._background.send(background, self.stream)
        self._used.send(np.zeros(1, np.int32), self.stream)
        batch = Batch(*(one if one is self._pool else one[:count] for one in self._batch))
        self._make_traces(readings, batch.counts)
        return batch

    def _make_traces(self, readings: Array, counts: Array) -> None:
        """Make traces of what came in."""
        frames, count = self._shape.frames, counts.shape[0]
        saturation = saturation_of(np.dtype(readings.dtype))
        if self._as_frames:
            grid = (-(-count // kernels.TILE), -(-frames // kernels.TILE))
            kernels.transpose[grid, (kernels.TILE, kernels.TILE_ROWS), self.stream](
                readings, self._usable, self._problem.beam, saturation, counts
            )
        else:
            blocks = min(count, self._plan.blocks)
            kernels.clean[blocks, self._plan.threads, self.stream](
                readings, self._usable, self._problem.beam, saturation, counts
            )

    def stages(self, batch: Batch) -> list[tuple[str, Callable[[], object]]]:
        """Return what is to be launched for a batch, by name, in order."""
        count = batch.counts.shape[0]
        how = min(count, self._plan.blocks), self._plan.threads, self.stream
        wide = min(count, self._plan.wide_blocks), self._plan.threads, self.stream
        common, bins = (batch, self._problem, self._scratch), self._shape.bins
        refit = kernels.refit_transparent[how]
        stages: list[tuple[str, Callable[[], object]]] = [
            ("search", lambda: kernels.search[how](*common)),
            ("fit candidates", lambda: kernels.fit_candidates[how](*common)),
            ("second box", lambda: kernels.add_second_box[how](*common, False)),
            ("transparent", lambda: refit(*common, kernels.SINGLE_BOX)),
            ("transparent pairs", lambda: refit(*common, kernels.BEST_FIT)),
            ("transparent second box", lambda: kernels.add_second_box[how](*common, True)),
            ("as one", lambda: kernels.take_as_one[how](*common)),
            ("judge", lambda: kernels.judge_fits[how](batch, self._problem)),
            ("solve", lambda: solve[how](*common, self._solve, bins)),
            ("solve wide", lambda: solve[wide](*common, self._wide, bins)),
        ]
        if self._problem.with_energy:
            stages.append(("energy", lambda: refit(*common, kernels.ABSORPTION)))
        return stages

    def collect(self, answers: Answers) -> None:
        """Wait for the batch in progress, if there is one, and write its answers down."""
        if self._in_progress is None:
            return
        begin, count = self._in_progress
        self._in_progress = None
        self.stream.synchronize()
        used = int(self._used.host[0])
        pool = np.empty(used, np.float32)
        if used:  # on this stream: the default one would wait for the others
            self._pool[:used].copy_to_host(pool, stream=self.stream)
            self.stream.synchronize()
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
        here, there = self.host[:size], self.device[:size]
        if self.host.ndim == 1:
            here, there = here.reshape(values.shape), there.reshape(*values.shape)
        np.copyto(here, values, casting="unsafe")
        there.copy_to_device(here, stream=stream)
        return there

    def fetch(self, count: int, stream: Any) -> None:
        """Begin to copy the first rows back."""
        self.device[:count].copy_to_host(self.host[:count], stream=stream)


def _both(count: int, array: tuple[tuple[int, ...], type[np.generic]]) -> _Both:
    shape, dtype = array
    return _Both((count, *shape), dtype)


def _on_device(count: int, arrays: Arrays) -> dict[str, Array]:
    """Take memory on the device for so many of each array, the first axis."""
    return {
        name: cuda.device_array((count, *shape), dtype) for name, (shape, dtype) in arrays.items()
    }


def _write_down(
    answers: Answers,
    which: slice,
    numbers: npt.NDArray[np.float64],
    codes: npt.NDArray[np.int32],
    pool: npt.NDArray[np.float32],
) -> None:
    """Write the answers of a batch in their places."""
    answers.status[which] = codes[:, STATUS_AT]
    for column, target in enumerate(
        (answers.background, answers.residual, answers.absorption, answers.absorption_error),
        BACKGROUND_AT,
    ):
        target[which] = numbers[:, column]
    answers.depth_um[which] = numbers[:, DEPTH_AT:DEPTH_ERROR_AT]
    answers.depth_error_um[which] = numbers[:, DEPTH_ERROR_AT:WIDTH_AT]
    answers.width_um[which] = numbers[:, WIDTH_AT:NUMBERS]
    bins = codes[:, BINS_AT:POOL_AT].reshape(-1, 2, 2)
    answers.bins[which] = bins
    footprint = answers.footprint[which]
    for depth in range(2):
        first, length = bins[:, depth, 0], bins[:, depth, 1].astype(np.int64)
        pixel = np.repeat(np.arange(length.size), length)
        inner = np.arange(pixel.size) - np.repeat(np.cumsum(length) - length, length)
        footprint[pixel, first[pixel] + inner] = pool[codes[pixel, POOL_AT + depth] + inner]
