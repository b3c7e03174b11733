"""The decoder compiled for CPUs with Numba, spread over threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.answers import Answers, Traces, footprint_bins
from lauedepth.core.decoding.cpu._batch import AnswerArrays, Problem, decode_range
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.instrument.aperture import BarTable
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

        def work(begin: int) -> None:
            part = slice(begin, min(begin + PIXELS_PER_TASK, len(traces)))
            arrays = AnswerArrays(
                **{one.name: getattr(answers, one.name)[part] for one in fields(answers)}
            )
            counts = _measured(traces, part)
            decode_range(0, counts.shape[0], counts, pixels[part], problem, arrays)

        with ThreadPoolExecutor(usable_threads()) as pool:
            list(pool.map(work, range(0, len(traces), PIXELS_PER_TASK)))
        return answers

    def is_compiled(self) -> bool:
        """Return whether the compiled code is loaded, or in Numba's cache on disk."""
        cache = Path(decode_range.stats.cache_path or "")
        return bool(decode_range.signatures) or any(cache.glob("_batch.decode_range-*.nbi"))


def _measured(traces: Traces, part: slice) -> npt.NDArray[np.float32]:
    """Return counts of some traces as float32, NaN where nothing was measured."""
    counts = traces.counts[part].astype(np.float32, order="C")
    with np.errstate(invalid="ignore"):
        good = (counts >= 0) & (counts < limits.SATURATED)
    good &= traces.frames_usable
    if not good.all():
        counts[~good] = np.nan
    return counts


def problem_of(experiment: Experiment, rays: RayMap, options: DecodeOptions) -> Problem:
    """Return what all pixels have in common, as the compiled functions take it."""
    table = BarTable.of(experiment.aperture)
    depths, bins = experiment.depths, footprint_bins(experiment.depths)
    frames = experiment.frames.indices
    ends = rays.position_um(np.array([[depths.start_um], [depths.stop_um]]), frames[0])
    middle = (depths.start_um + depths.stop_um) / 2
    step = np.abs(rays.advance_um(middle)) * experiment.frames.stride
    group = np.maximum(1, (limits.SEARCH_SPACING_UM / step).astype(np.int64))
    candidates = np.abs(ends[1] - ends[0]) / (step * group)
    return Problem(
        bar_knots=table.knots_um,
        bar_running=table.running_um,
        geometry=np.array(
            [
                *(rays.centre_mm + frames[0] * rays.step_mm)[:2],
                *(rays.step_mm * experiment.frames.stride)[:2],
                *rays.beam[:2],
                rays.half_length_um,
                rays.thickness_um,
            ]
        ),
        depths=np.array([depths.start_um, depths.stop_um]),
        bins=np.array([bins.start_um, bins.width_um]),
        candidates=int(candidates.max()) + 2,
        with_energy=options.energy is not None,
        background=_known_background(options),
    )


def _known_background(options: DecodeOptions) -> float:
    if options.energy is None or options.energy.background is None:
        return float("nan")
    return options.energy.background
