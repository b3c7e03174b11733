"""Backends that compile themselves when they are first used on a machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from lauedepth.core.backends.registry import Backend
from lauedepth.core.decode import decode
from lauedepth.core.experiment import Experiment
from lauedepth.core.pixels import DecodeOptions

DARK: Final = 2
"""Pixels that are decoded to compile: of one alone, frames and traces look the same."""


def compile_backend(
    backend: Backend,
    experiment: Experiment,
    options: DecodeOptions,
    progress: Callable[[int, int], None],
) -> None:
    """Let a backend compile itself where this was not done yet, by decoding dark pixels.

    Parameters
    ----------
    backend : Backend
    experiment : Experiment
    options : DecodeOptions
    progress : callable
        Called with (0, 1) before and (1, 1) after, if there is anything to compile.
    """
    if backend.is_compiled is None or options.method == "published" or backend.is_compiled():
        return
    progress(0, 1)
    frames = len(experiment.frames)
    traces = np.zeros((DARK, frames), np.uint16)
    layouts = [traces, np.zeros((frames, DARK), np.uint16).T] if backend.as_frames else [traces]
    for counts in layouts:
        decode(experiment, np.zeros(DARK), np.zeros(DARK), counts, backend=backend, options=options)
    progress(1, 1)
