"""From decoded blocks to the result file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from lauedepth.config import ExperimentConfig
from lauedepth.core.decoding.pixels import DecodedPixels
from lauedepth.core.decoding.verdict import Tally
from lauedepth.core.progress import StageProgress, no_progress
from lauedepth.io import Point, write_result
from lauedepth.tasks.reconstruct.blocks import PixelBlock, join_decoded
from lauedepth.tasks.reconstruct.bright_pixels import BrightPixels
from lauedepth.tasks.reconstruct.checkpoint import RunIdentity
from lauedepth.tasks.reconstruct.conclusion import Conclusion
from lauedepth.tasks.reconstruct.identity import POINT_ATTRIBUTE, RUN_ATTRIBUTE


def publish_result(
    output: Path,
    point: Point,
    config: ExperimentConfig,
    blocks: Sequence[PixelBlock],
    load: Callable[[int], DecodedPixels],
    *,
    backend: str,
    identity: RunIdentity,
    seconds: dict[str, float],
    instrument: Mapping[str, object] | None = None,
    conclude: Callable[[Tally, BrightPixels], Conclusion],
    progress: StageProgress = no_progress,
) -> tuple[Tally, Conclusion]:
    """Write the result from decoded blocks, strip by strip.

    Parameters
    ----------
    output : Path
    point : Point
    config : ExperimentConfig
    blocks : sequence of PixelBlock
        All of the point, in order.
    load : callable
        Returns a block's decoded pixels by its number.
    backend : str
        What decoded.
    identity : RunIdentity
        Written into the result.
    seconds : dict
        By step, written into the result; the time taken here is added to "write".
    instrument : mapping, optional
        What was learnt of the instrument, by dataset.
    conclude : callable
        Called with what was counted, and the brightest pixels, when all is written; what it
        returns is written into the result.
    progress : callable, optional
        Called with the numbers of blocks written and in all.

    Returns
    -------
    Tally, Conclusion
    """
    begin, tally, bright, done = perf_counter(), Tally.nothing(), BrightPixels(), 0
    with write_result(
        output,
        depths=config.depths.to_core(),
        shape=point.region.shape,
        configuration=config.model_dump_json(),
        backend=backend,
        metadata={"entry1/title": np.array(os.fsencode(point.path.stem), "S")}
        | dict(point.metadata)
        | {
            RUN_ATTRIBUTE: np.array(identity.digest, "S"),
            POINT_ATTRIBUTE: np.array(os.fsencode(point.path.resolve()), "S"),
        },
    ) as writer:
        for strip in _strips(blocks):
            decoded = join_decoded([load(b.number) for b in strip], [len(b) for b in strip])
            rows = np.concatenate([block.rows for block in strip])
            columns = np.concatenate([block.columns for block in strip])
            writer.add(*strip[0].strip, rows, columns, decoded)
            tally += Tally.of(decoded)
            bright.add(rows[decoded.trace], columns[decoded.trace], decoded)
            done += len(strip)
            progress(done, len(blocks))
        seconds["write"] += perf_counter() - begin
        conclusion = conclude(tally, bright)
        if instrument is not None:
            writer.keep_instrument(instrument)
        writer.finish(seconds, conclusion.notices, conclusion.verdict.as_dict())
    return tally, conclusion


def _strips(blocks: Sequence[PixelBlock]) -> Iterable[list[PixelBlock]]:
    strips: dict[tuple[int, int], list[PixelBlock]] = {}
    for block in blocks:
        strips.setdefault(block.strip, []).append(block)
    return strips.values()
