"""The decoder of the paper's method, for comparison."""

from __future__ import annotations

import numpy as np

from lauedepth.core.decoding.answers import Answers, Traces
from lauedepth.core.decoding.bins import Bins
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.decoding.published.pixel import PublishedAnswer, PublishedMethod
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap


class PublishedDecoder(Decoder):
    """Decodes traces by the published method, one after the other.

    Each has one depth at most; depth errors and energies are NaN. Of the options it heeds
    `difference` and `published`.
    """

    name = "published"
    method = "published"
    is_slow = True

    def solve(
        self, experiment: Experiment, rays: RayMap, traces: Traces, options: DecodeOptions
    ) -> Answers:
        """Solve traces; see `Decoder.solve`."""
        method = PublishedMethod.of(experiment, options)
        answers = Answers.pending(len(traces), method.bins.count)
        for index in range(len(traces)):
            answer = method.decode_pixel(
                rays.pick(index), traces.counts[index].astype(np.float64), traces.usable(index)
            )
            _record(answers, method.bins, index, answer)
        return answers


def _record(answers: Answers, bins: Bins, index: int, answer: PublishedAnswer) -> None:
    answers.status[index] = answer.status
    answers.background[index] = answer.background
    answers.residual[index] = answer.residual
    if answer.profile is None:
        return
    profile = answer.profile
    centres = bins.start_um + (np.arange(bins.count) + 0.5) * bins.width_um
    centroid = float(profile @ centres / profile.sum())
    variance = float(profile @ (centres - centroid) ** 2 / profile.sum())
    lit = np.flatnonzero(profile)
    answers.depth_um[index, 0] = centroid
    answers.width_um[index, 0] = np.sqrt(12.0 * variance)  # of a box with this variance
    answers.bins[index, 0] = lit[0], lit[-1] - lit[0] + 1
    answers.footprint[index] = profile
