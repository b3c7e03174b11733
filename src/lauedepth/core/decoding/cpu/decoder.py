"""The decoder compiled for CPUs with Numba, spread over threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from lauedepth.core.decoding.answers import Answers, Traces, footprint_bins, saturation_of
from lauedepth.core.decoding.compiled.jit import is_ready
from lauedepth.core.decoding.compiled.problem import problem_of
from lauedepth.core.decoding.cpu._batch import AnswerArrays, decode_pixels
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.core.threads import usable_threads

PIXELS_PER_TASK = 256
"""Pixels that a thread takes at a time: few enough to share out evenly."""


class CpuDecoder(Decoder):
    """Decodes on all threads allowed (`usable_threads`)."""

    name = "cpu"
    method = "footprint"

    def solve(
        self, experiment: Experiment, rays: RayMap, traces: Traces, options: DecodeOptions
    ) -> Answers:
        """Solve traces; see `Decoder.solve`."""
        answers = Answers.pending(len(traces), footprint_bins(experiment.depths).count)
        if not len(traces):
            return answers
        problem = problem_of(experiment, rays, options)
        pixels = np.ascontiguousarray(rays.pixel_mm)
        background = traces.background_level

        def work(begin: int) -> None:
            part = slice(begin, min(begin + PIXELS_PER_TASK, len(traces)))
            arrays = AnswerArrays(
                **{one.name: getattr(answers, one.name)[part] for one in fields(answers)}
            )
            counts = _measured(traces, part)
            decode_pixels(counts, pixels[part], background[part], problem, arrays)

        with ThreadPoolExecutor(usable_threads()) as pool:
            list(pool.map(work, range(0, len(traces), PIXELS_PER_TASK)))
        return answers

    def is_compiled(self) -> bool:
        """Return whether the compiled code is loaded, or in Numba's cache on disk."""
        return is_ready(decode_pixels)


def _measured(traces: Traces, part: slice) -> npt.NDArray[np.float32]:
    """Return counts of some traces as float32, NaN where nothing was measured."""
    counts = traces.counts[part].astype(np.float32, order="C")
    with np.errstate(invalid="ignore"):
        good = (counts >= 0) & (counts < saturation_of(traces.counts.dtype))
    good &= traces.frames_usable
    if not good.all():
        counts[~good] = np.nan
    return counts
