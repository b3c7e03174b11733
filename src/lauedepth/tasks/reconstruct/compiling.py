"""Decoders that compile themselves when first used on a machine, and later load what they made."""

from __future__ import annotations

from typing import Final

import numpy as np

from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.progress import StageProgress

DARK: Final = 2
"""Pixels that are decoded to start: of one alone, frames and traces look the same."""


def start_decoder(
    decoder: Decoder, experiment: Experiment, options: DecodeOptions, progress: StageProgress
) -> None:
    """Let a decoder load its compiled code, or compile it, by decoding dark pixels.

    Parameters
    ----------
    decoder : Decoder
    experiment : Experiment
    options : DecodeOptions
    progress : callable
        Called with (0, 1) before and (1, 1) after, if there is anything to compile.
    """
    compiles = not decoder.is_compiled()
    if compiles:
        progress(0, 1)
    frames = len(experiment.frames)
    layouts = [np.zeros((DARK, frames), np.uint16)]
    if decoder.prefers_frames:
        layouts.append(np.zeros((frames, DARK), np.uint16).T)
    for counts in layouts:
        decode(experiment, np.zeros(DARK), np.zeros(DARK), counts, backend=decoder, options=options)
    if compiles:
        progress(1, 1)
