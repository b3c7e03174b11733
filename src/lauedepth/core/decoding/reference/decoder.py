"""The decoder that defines what is right: pixel by pixel in NumPy, float64."""

from __future__ import annotations

import numpy as np

from lauedepth.core.decoding.answers import Answers, Traces, footprint_bins
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.decoding.reference.pixel import FrameLine, PixelAnswer, decode_pixel
from lauedepth.core.instrument.aperture import BarTable
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap


class ReferenceDecoder(Decoder):
    """Decodes traces one after the other, to compare with."""

    name = "reference"
    method = "footprint"
    is_slow = True

    def solve(
        self, experiment: Experiment, rays: RayMap, traces: Traces, options: DecodeOptions
    ) -> Answers:
        """Solve traces; see `Decoder.solve`."""
        table = BarTable.of(experiment.aperture)
        bins, frames = footprint_bins(experiment.depths), FrameLine.of(experiment)
        background = traces.background_level
        answers = Answers.pending(len(traces), bins.count)
        for index in range(len(traces)):
            answer = decode_pixel(
                table,
                rays.pick(index),
                frames,
                experiment.depths,
                traces.counts[index].astype(np.float64),
                traces.usable(index),
                float(background[index]) if options.energy else np.nan,
                options.model_error,
            )
            _record(answers, index, answer)
        return answers


def _record(answers: Answers, index: int, answer: PixelAnswer) -> None:
    answers.status[index] = answer.status
    answers.background[index] = answer.background
    answers.residual[index] = answer.residual
    answers.absorption[index] = answer.absorption
    answers.absorption_error[index] = answer.absorption_error
    for number, found in enumerate(answer.found):
        answers.depth_um[index, number] = found.depth_um
        answers.depth_error_um[index, number] = found.depth_error_um
        answers.width_um[index, number] = found.width_um
        answers.bins[index, number] = found.support.first, found.support.count
        answers.footprint[index, found.support.first : found.support.stop] = found.footprint
