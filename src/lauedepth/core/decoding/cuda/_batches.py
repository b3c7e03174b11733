"""The host's side: batches to the card and answers back, one under way while another is copied.

The host only copies into page-locked memory, launches, and writes down what came back; the
device does not wait for it as long as there are batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from numba import cuda

from lauedepth.core.decoding.answers import Answers, Traces, footprint_bins
from lauedepth.core.decoding.compiled.problem import Problem, problem_of
from lauedepth.core.decoding.compiled.rays import OUTSIDE
from lauedepth.core.decoding.cuda._memory import (
    MOST_PIXELS,
    Plan,
    Shape,
    memory_bytes,
    plan_batches,
)
from lauedepth.core.decoding.cuda._stream import BatchStream
from lauedepth.core.decoding.decoder import DeviceMemory
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.errors import BackendUnavailableError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap

READINGS = (np.uint16, np.float32)
"""Readings that are copied to the card as they are; others become float32."""


@dataclass(frozen=True)
class Streams:
    """Streams of batches, and what they have memory for.

    Attributes
    ----------
    shape : Shape
    plan : Plan
    reading : dtype
        Of the counts as they come in.
    pixels : int
        What they were planned for.
    streams : tuple of BatchStream
    """

    shape: Shape
    plan: Plan
    reading: np.dtype[np.generic]
    pixels: int
    streams: tuple[BatchStream, ...]

    @classmethod
    def open(cls, shape: Shape, plan: Plan, reading: np.dtype[np.generic], pixels: int) -> Streams:
        """Take the memory on the card and on the host."""
        streams = tuple(BatchStream(shape, plan, reading) for _ in range(plan.streams))
        return cls(shape, plan, reading, pixels, streams)

    def can_take(self, shape: Shape, reading: np.dtype[np.generic], pixels: int) -> bool:
        """Return whether a decode fits, as fast as with streams of its own."""
        return (
            self.reading == reading
            and self.shape.holds(shape)
            and (pixels <= self.pixels or self.pixels > MOST_PIXELS)
        )


class Card:
    """The current GPU; the streams of the last decode stay for the next."""

    def __init__(self) -> None:
        self._held: Streams | None = None

    def decode(
        self, experiment: Experiment, rays: RayMap, traces: Traces, options: DecodeOptions
    ) -> Answers:
        """Decode traces; after a failure of the card, reported as such, nothing is held."""
        if not len(traces):
            return Answers.pending(0, footprint_bins(experiment.depths).count)
        problem = problem_of(experiment, rays, options)
        shape, reading = shape_of(experiment, traces, problem), _reading(traces)
        try:
            return decode_batches(rays, traces, problem, self._streams(shape, reading, len(traces)))
        except Exception as error:
            self._held = None
            if not is_of_card(error):
                raise
            raise failure(error) from error

    def memory(self, experiment: Experiment, options: DecodeOptions, pixels: int) -> DeviceMemory:
        """Return what a decode of so many pixels, counts of 16 bits, will take of the card."""
        columns, rows = experiment.detector.shape
        rays = RayMap.of(experiment, [0.0, 0.0, rows, rows], [0.0, columns, 0.0, columns])
        counts = np.zeros((len(rays), len(experiment.frames)), np.uint16)
        traces = Traces(counts, np.ones(counts.shape[1], np.bool_))
        problem = problem_of(experiment, rays, options)
        shape = shape_of(experiment, traces, problem).with_margin()
        try:
            free, processors = self.resources()
        except Exception as error:
            if not is_of_card(error):
                raise
            raise failure(error) from error
        plan = plan_batches(shape, pixels, free, processors)
        return DeviceMemory(memory_bytes(plan, shape), free, plan.pixels, plan.streams)

    def resources(self) -> tuple[int, int]:
        """Return the card's free bytes and its multiprocessors."""
        processors = int(cuda.get_current_device().MULTIPROCESSOR_COUNT)
        return int(cuda.current_context().get_memory_info().free), processors

    def _streams(self, shape: Shape, reading: np.dtype[np.generic], pixels: int) -> Streams:
        held = self._held
        if held is not None and held.can_take(shape, reading, pixels):
            return held
        free, processors = self.resources()
        if held is not None:
            # Numba gives memory back no sooner than an allocation fails for want of it.
            free += memory_bytes(held.plan, held.shape)
            if held.shape.is_alike(shape):
                shape = shape.or_larger(held.shape)
        self._held = held = None
        shape, pixels = shape.with_margin(), 1 << (pixels - 1).bit_length()
        plan = plan_batches(shape, pixels, free, processors)
        self._held = Streams.open(shape, plan, reading, pixels)
        return self._held


def failure(error: Exception) -> BackendUnavailableError:
    """Return the error that reports a failure of the card."""
    return BackendUnavailableError(
        f"the GPU failed: {' '.join(str(error).split())}",
        "backend 'cuda'",
        "see `nvidia-smi`; resume from the last checkpoint, or use --backend cpu",
    )


def is_of_card(error: Exception) -> bool:
    """Return whether an error comes from the driver or the card, not from this program.

    numba-cuda passes on errors of three packages, each with classes of its own.
    """
    packages = type(error).__module__.split(".")
    return packages[0] == "cuda" or "cudadrv" in packages


def shape_of(experiment: Experiment, traces: Traces, problem: Problem) -> Shape:
    """Return what the memory of a decode depends on."""
    frames = len(experiment.frames)
    points = problem.candidates + 2 * OUTSIDE + frames
    return Shape(
        frames=frames,
        item_bytes=_reading(traces).itemsize,
        knots=2 * problem.bar_knots.size + 2,
        candidates=problem.candidates,
        points=points,
        bins=footprint_bins(experiment.depths).count,
    )


def decode_batches(rays: RayMap, traces: Traces, problem: Problem, held: Streams) -> Answers:
    """Decode traces batch by batch, on each stream in turn.

    Parameters
    ----------
    rays : RayMap
        Of the pixels of the traces.
    traces : Traces
    problem : Problem
        What all pixels have in common.
    held : Streams
    """
    answers = Answers.pending(len(traces), held.shape.bins)
    background = traces.background_level
    as_frames = are_frames(traces.counts)
    on_card = problem_on_card(problem)
    usable = cuda.to_device(traces.frames_usable)
    for stream in held.streams:
        stream.prepare(on_card, usable, as_frames=as_frames)
    edges = [*range(0, len(traces), held.plan.pixels), len(traces)]
    for stream, (begin, end) in zip(_turns(held.streams), pairwise(edges), strict=False):
        stream.collect(answers)
        part = slice(begin, end)
        stream.launch(begin, traces.counts[part], rays.pixel_mm[part], background[part])
    for stream in _in_order(held.streams, len(edges) - 1):
        stream.collect(answers)
    return answers


def are_frames(counts: npt.NDArray[np.generic]) -> bool:
    """Return whether traces are a transposed view of frames: pixels are neighbours in memory."""
    return counts.strides[0] == counts.itemsize and counts.strides[1] > counts.itemsize


def _in_order(streams: Sequence[BatchStream], batches: int) -> list[BatchStream]:
    """Return the streams in the order in which their last batches were launched."""
    turn = batches % len(streams)
    return [*streams[turn:], *streams[:turn]]


def _turns(streams: Sequence[BatchStream]) -> Iterator[BatchStream]:
    while True:
        yield from streams


def problem_on_card(problem: Problem) -> Problem:
    """Return what all pixels have in common with its arrays on the device."""
    arrays = {
        name: cuda.to_device(value)
        for name, value in problem._asdict().items()
        if isinstance(value, np.ndarray)
    }
    return problem._replace(**arrays)


def _reading(traces: Traces) -> np.dtype[np.generic]:
    dtype = traces.counts.dtype
    return dtype if dtype in READINGS else np.dtype(np.float32)
