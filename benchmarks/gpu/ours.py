"""The `cuda` backend by stage and as a whole, on traces of which most have light."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numba import cuda
from tests.geometries import NORCADA, TWIN

from lauedepth.core.decoding.answers import Traces
from lauedepth.core.decoding.background import Background
from lauedepth.core.decoding.compiled.problem import problem_of
from lauedepth.core.decoding.cuda._batches import Card, are_frames, problem_on_card, shape_of
from lauedepth.core.decoding.cuda._memory import plan_batches
from lauedepth.core.decoding.cuda._stream import BatchStream
from lauedepth.core.decoding.limits import SEARCH_SPACING_UM, SEARCH_WIDTHS
from lauedepth.core.decoding.pixels import DecodeOptions, EnergySearch
from lauedepth.core.instrument.experiment import Experiment, Frames
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.simulation import Footprints, quick_traces

from .timing import REPEATS

PIXELS = 65_536
WHOLE = 4 * PIXELS
LIT = 0.8

SETS: dict[int, Experiment] = {
    261: TWIN,
    400: Experiment(
        NORCADA.detector, NORCADA.aperture, NORCADA.pose, NORCADA.motion,
        Frames(0, 400), NORCADA.depths,
    ),
}  # fmt: skip
"""Experiments by number of frames."""

OPTIONS = {"off": DecodeOptions(), "on": DecodeOptions(energy=EnergySearch())}


@dataclass(frozen=True)
class Case:
    """Traces, a view of frames as `reconstruct` gives them, and the rays of their pixels."""

    experiment: Experiment
    rays: RayMap
    traces: Traces

    @classmethod
    def random(cls, experiment: Experiment, pixels: int, seed: int) -> Case:
        """Make traces from depths all over the range; a fifth have background only."""
        rng = np.random.default_rng(seed)
        row, column = rng.uniform(0, 2047, (2, pixels))
        depths = experiment.depths
        depth = rng.uniform(depths.start_um, depths.stop_um, (pixels, 1))
        width = rng.uniform(2.0, 15.0, (pixels, 1))
        intensity = rng.uniform(20.0, 2000.0, (pixels, 1)) * (rng.random((pixels, 1)) < LIT)
        light = Footprints(depth, width, intensity)
        expected = quick_traces(experiment, row, column, light, background=20.0)
        counts = np.ascontiguousarray(rng.poisson(expected).astype(np.uint16).T).T
        usable = np.ones(counts.shape[1], np.bool_)
        traces = Traces(counts, usable, Background.of(20.0, pixels))
        return cls(experiment, RayMap.of(experiment, row, column), traces)


def stage_seconds(case: Case, options: DecodeOptions) -> dict[str, float]:
    """Return the median time of each stage for one batch, copying included."""
    stream, count = _open_stream(case, options)
    counts, pixels = case.traces.counts[:count], case.rays.pixel_mm[:count]
    background = case.traces.background_level[:count]
    times: dict[str, list[float]] = {}
    for _ in range(REPEATS + 1):
        marks = [("", _mark(stream.stream))]
        batch = stream.upload(counts, pixels, background)
        marks.append(("copy in", _mark(stream.stream)))
        for name, stage in stream.stages(batch):
            stage()
            marks.append((name, _mark(stream.stream)))
        stream.stream.synchronize()
        for (_, before), (name, after) in pairwise(marks):
            times.setdefault(name, []).append(before.elapsed_time(after) * 1e-3 / count)
    return {name: median(values[1:]) for name, values in times.items()}


def _open_stream(case: Case, options: DecodeOptions) -> tuple[BatchStream, int]:
    problem = problem_of(case.experiment, case.rays, options)
    shape = shape_of(case.experiment, case.traces, problem)
    card = cuda.get_current_device()
    free = int(cuda.current_context().get_memory_info().free)
    plan = plan_batches(shape, len(case.traces), free, card.MULTIPROCESSOR_COUNT)
    on_card = problem_on_card(problem)
    usable = cuda.to_device(case.traces.frames_usable)
    reading = case.traces.counts.dtype
    stream = BatchStream(shape, plan, reading)
    stream.prepare(on_card, usable, as_frames=are_frames(case.traces.counts))
    return stream, min(plan.pixels, len(case.traces))


def _mark(stream: Any) -> Any:
    event = cuda.event()
    event.record(stream)
    return event


def whole_seconds(case: Case, options: DecodeOptions) -> float:
    """Return the time from traces in memory to answers in memory, the second time."""
    card = Card()
    card.decode(case.experiment, case.rays, case.traces, options)
    begin = perf_counter()
    card.decode(case.experiment, case.rays, case.traces, options)
    return perf_counter() - begin


def search_work(case: Case) -> tuple[float, float]:
    """Return (operations, bytes) of the search of one pixel, counted from its loops.

    Operations are the multiply-adds of the sliding products, two each; bytes the trace read
    and the places written. All else is left out, so that fractions are lower bounds.
    """
    problem = problem_of(case.experiment, case.rays, OPTIONS["off"])
    frames = len(case.experiment.frames)
    advance = np.abs(case.rays.advance_um(0.0)) * case.experiment.frames.stride
    group = np.maximum(1, (SEARCH_SPACING_UM / advance).astype(int))
    points = problem.candidates + 2 * (max(SEARCH_WIDTHS) // 2)
    return float(np.mean(2.0 * points * (frames // group))), 4.0 * frames + 100.0
