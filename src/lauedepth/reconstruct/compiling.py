"""Backends that compile themselves when they are first used on a machine."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np

from lauedepth.core.backends.registry import Backend
from lauedepth.core.decode import decode
from lauedepth.core.experiment import Experiment
from lauedepth.core.pixels import DecodeOptions


def compile_backend(
    backend: Backend,
    experiment: Experiment,
    options: DecodeOptions,
    progress: Callable[[int, int], None],
) -> None:
    """Let a backend compile itself where this was not done yet, by decoding a dark pixel.

    Parameters
    ----------
    backend : Backend
    experiment : Experiment
    options : DecodeOptions
    progress : callable
        Called with (0, 1) before and (1, 1) after, if there is anything to compile.
    """
    is_compiled = getattr(import_module(backend.decode.__module__), "is_compiled", None)
    if is_compiled is None or is_compiled():
        return
    progress(0, 1)
    dark = np.zeros((1, len(experiment.frames)), np.uint16)
    corner = np.zeros(1)
    decode(experiment, corner, corner, dark, backend=backend, options=options)
    progress(1, 1)
