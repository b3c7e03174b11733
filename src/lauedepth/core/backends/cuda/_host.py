"""The host's side: batches to the card and answers back, one under way while another is copied.

The host only copies into page-locked memory, launches, and writes down what came back; the
device does not wait for it as long as there are batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numba import cuda

from lauedepth.core.answers import Answers, Traces, footprint_bins
from lauedepth.core.backends.cpu import problem_of
from lauedepth.core.backends.cpu._batch import Problem
from lauedepth.core.errors import BackendUnavailableError
from lauedepth.core.experiment import Experiment
from lauedepth.core.pixels import DecodeOptions
from lauedepth.core.raymap import RayMap

from ._lane import Lane
from ._memory import Plan, Shape, plan_batches
from ._search import OUTSIDE

READINGS = (np.uint16, np.float32)
"""Readings that are copied to the card as they are; others become float32."""


def decode_on_card(
    experiment: Experiment, rays: RayMap, traces: Traces, options: DecodeOptions
) -> Answers:
    """Decode traces on the current GPU; failures of it are told as such."""
    try:
        card = cuda.get_current_device()
        free = int(cuda.current_context().get_memory_info().free)
        problem = problem_of(experiment, rays, options) if len(traces) else None
        if problem is None:
            return Answers.pending(0, footprint_bins(experiment.depths).count)
        shape = shape_of(experiment, traces, problem)
        plan = plan_batches(shape, len(traces), free, card.MULTIPROCESSOR_COUNT)
        return decode_batches(experiment, rays, traces, problem, shape, plan)
    except Exception as error:
        if not is_of_card(error):
            raise
        raise BackendUnavailableError(
            f"the GPU failed: {' '.join(str(error).split())}",
            "backend 'cuda'",
            "see `nvidia-smi`; run again to go on from the last checkpoint, or use --backend cpu",
        ) from error


def is_of_card(error: Exception) -> bool:
    """Tell whether an error comes from the driver or the card, not from this program.

    numba-cuda passes on errors of three packages, each with classes of its own.
    """
    room = type(error).__module__.split(".")
    return room[0] == "cuda" or "cudadrv" in room


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


def decode_batches(
    experiment: Experiment,
    rays: RayMap,
    traces: Traces,
    problem: Problem,
    shape: Shape,
    plan: Plan,
) -> Answers:
    """Decode traces batch by batch on the streams planned.

    Parameters
    ----------
    experiment : Experiment
    rays : RayMap
        Of the pixels of the traces.
    traces : Traces
    problem : Problem
        What all pixels have in common.
    shape : Shape
    plan : Plan
    """
    answers = Answers.pending(len(traces), shape.bins)
    as_frames = traces.counts.T.flags.c_contiguous and not traces.counts.flags.c_contiguous
    on_card = problem_on_card(problem)
    usable = cuda.to_device(traces.frames_usable)
    lanes = [
        Lane(shape, plan, _reading(traces), as_frames=as_frames, problem=on_card, usable=usable)
        for _ in range(plan.streams)
    ]
    edges = [*range(0, len(traces), plan.pixels), len(traces)]
    for lane, (begin, end) in zip(_turns(lanes), pairwise(edges), strict=False):
        lane.collect(answers)
        lane.launch(begin, traces.counts[begin:end], rays.pixel_mm[begin:end])
    for lane in lanes:
        lane.collect(answers)
    return answers


def _turns(lanes: list[Lane]) -> Iterator[Lane]:
    while True:
        yield from lanes


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
