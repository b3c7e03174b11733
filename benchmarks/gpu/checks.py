"""Correctness before speed: the baseline against NumPy, ours against `reference`.

``python -m benchmarks.gpu --check`` does only this; on Numba's simulator too.
"""

from __future__ import annotations

import numpy as np

from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.decoding.reference.decoder import ReferenceDecoder

from .baseline import Baseline, Signals, in_numpy
from .ours import OPTIONS, SETS, Case

DEPTH_UM, SHARE = 0.01, 0.999


class WrongAnswerError(Exception):
    """A kernel gave a wrong answer: no time of it is worth telling."""


def check_baseline(batches: tuple[int, ...], mask: int, longest: int) -> None:
    """Compare the baseline's alignments with NumPy's, signals of many lengths in a batch."""
    for batch in batches:
        signals = Signals.random(batch, seed=batch, mask=mask, longest=longest)
        found, wanted = Baseline(signals).whole(), in_numpy(signals)
        if not np.array_equal(found, wanted):
            raise WrongAnswerError(f"baseline, batch {batch}: {found} instead of {wanted}")


def check_ours(pixels: int) -> None:
    """Compare our answers with the reference's."""
    from lauedepth.core.decoding.cuda._batches import Card  # noqa: PLC0415  needs a card

    for frames, experiment in SETS.items():
        case = Case.random(experiment, pixels, seed=frames)
        options: DecodeOptions = OPTIONS["on"]
        ours = Card().decode(case.experiment, case.rays, case.traces, options)
        wanted = ReferenceDecoder().solve(case.experiment, case.rays, case.traces, options)
        same = np.mean(ours.status == wanted.status)
        near = np.abs(np.nan_to_num(ours.depth_um - wanted.depth_um)).max(axis=1) < DEPTH_UM
        if same < SHARE or near.mean() < SHARE:
            raise WrongAnswerError(
                f"{frames} frames: {same:.2%} of statuses and {near.mean():.2%} of depths agree"
            )
