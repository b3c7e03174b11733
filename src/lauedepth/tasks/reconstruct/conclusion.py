"""What is said of a point when all its pixels are decoded: notices, the verdict, the cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from lauedepth.config import ExperimentConfig
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.decoding.registry import choose_decoder
from lauedepth.core.decoding.verdict import Tally, Verdict, judge
from lauedepth.core.notices import Notice
from lauedepth.io import Point
from lauedepth.tasks.reconstruct.bright_pixels import BrightPixels
from lauedepth.tasks.reconstruct.sampling import sample_traces

SAMPLE_PIXELS: Final = 96
"""Bright pixels that are read again to find a cause."""
SCAN_PIXELS: Final = 48
"""Those of them that vary most as behind a code, from which it is found."""


@dataclass(frozen=True)
class Conclusion:
    """What is said of a point.

    Attributes
    ----------
    verdict : Verdict
    notices : tuple of Notice
        What speaks against its depths, and the likely cause.
    """

    verdict: Verdict
    notices: tuple[Notice, ...]


def conclude(
    point: Point,
    config: ExperimentConfig,
    tally: Tally,
    bright: BrightPixels,
    memory_bytes: int,
) -> Conclusion:
    """Judge the depths of a point, and look for the cause of what speaks against them.

    Nothing is read where nothing does. The published method is not warned of: its model leaves
    residuals and finds depths in noise by itself.

    Parameters
    ----------
    point : Point
        Open.
    config : ExperimentConfig
    tally : Tally
        Of all its pixels.
    bright : BrightPixels
    memory_bytes : int
        For the rows that are read again.
    """
    verdict = judge(tally)
    if not verdict.warnings or config.decode.method != "footprint":
        return Conclusion(verdict, ())
    return Conclusion(verdict, (*verdict.warnings, *_cause(point, config, bright, memory_bytes)))


def _cause(
    point: Point, config: ExperimentConfig, bright: BrightPixels, memory_bytes: int
) -> tuple[Notice, ...]:
    """Look for what makes bright pixels not decode."""
    from lauedepth.calibration import (  # noqa: PLC0415  (loads SciPy)
        MINIMUM_CONTRAST,
        MINIMUM_PIXELS,
        Scan,
        coded_contrast,
    )
    from lauedepth.calibration.diagnosis import find_cause  # noqa: PLC0415

    rows, columns = bright.choose(SAMPLE_PIXELS, point.region.shape)
    if not rows.size:
        return ()
    chosen = np.zeros(point.region.shape, np.bool_)
    chosen[rows, columns] = True
    traces = sample_traces(point, chosen, memory_bytes)
    contrast = coded_contrast(traces.counts, point.usable)
    best = np.argsort(-contrast, kind="stable")[:SCAN_PIXELS]
    traces = traces.pick(best[contrast[best] > MINIMUM_CONTRAST])
    if len(traces) < MINIMUM_PIXELS:
        return ()
    row, column = point.region.unbinned(traces.row, traces.column)
    scan = Scan(row, column, traces.counts, point.usable, name=point.path.name)
    decoder = choose_decoder("cpu").decoder
    return find_cause(config.to_core(), scan, decoder, DecodeOptions())
