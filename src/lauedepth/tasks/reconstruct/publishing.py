"""From decoded blocks to the result file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt

from lauedepth.config import ExperimentConfig
from lauedepth.core.decoding.pixels import DecodedPixels, PixelStatus
from lauedepth.core.notices import Notice
from lauedepth.core.progress import StageProgress, no_progress
from lauedepth.io import Point, ResultFile, write_result
from lauedepth.tasks.reconstruct.blocks import PixelBlock, join_decoded
from lauedepth.tasks.reconstruct.checkpoint import RunIdentity
from lauedepth.tasks.reconstruct.identity import POINT_ATTRIBUTE, RUN_ATTRIBUTE


@dataclass
class Tally:
    """How many pixels have which status, and how many depths they have.

    Attributes
    ----------
    by_status : Counter
        Pixels by the code of their status.
    depths : int
    """

    by_status: Counter[int] = field(default_factory=Counter)
    depths: int = 0

    @classmethod
    def of_result(cls, result: ResultFile) -> Tally:
        """Count what a result holds."""
        pixels = result.pixels
        place = pixels["row"].astype(np.int64) * result.shape[2] + pixels["column"]
        tally = cls()
        tally.add(place, pixels["status"], pixels["depth"])
        return tally

    def add(
        self,
        pixel: npt.NDArray[np.int64],
        status: npt.NDArray[np.uint8],
        depth: npt.NDArray[np.floating],
    ) -> None:
        """Count rows; those of one pixel follow each other."""
        first = np.flatnonzero(np.diff(pixel, prepend=-1))
        self.by_status.update(status[first].tolist())
        self.depths += int(np.isfinite(depth).sum())

    def named(self) -> Mapping[str, int]:
        """Return pixels by the name of their status, in lower case."""
        return {PixelStatus(code).name.lower(): n for code, n in sorted(self.by_status.items())}


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
    notices: Iterable[Notice],
    progress: StageProgress = no_progress,
) -> Tally:
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
    notices : iterable of Notice
        Written into the result.
    progress : callable, optional
        Called with the numbers of blocks written and in all.

    Returns
    -------
    Tally
    """
    begin, tally, done = perf_counter(), Tally(), 0
    with write_result(
        output,
        depths=config.depths.to_core(),
        shape=point.region.shape,
        configuration=config.model_dump_json(),
        backend=backend,
        metadata=dict(point.metadata)
        | {
            RUN_ATTRIBUTE: np.array(identity.digest, "S"),
            POINT_ATTRIBUTE: np.array(os.fsencode(point.path.resolve()), "S"),
        },
        notices=notices,
    ) as writer:
        for strip in _strips(blocks):
            decoded = join_decoded([load(b.number) for b in strip], [len(b) for b in strip])
            rows = np.concatenate([block.rows for block in strip])
            columns = np.concatenate([block.columns for block in strip])
            writer.add(*strip[0].strip, rows, columns, decoded)
            tally.add(decoded.trace, decoded.status, decoded.depth_um)
            done += len(strip)
            progress(done, len(blocks))
        seconds["write"] += perf_counter() - begin
        writer.finish(seconds)
    return tally


def _strips(blocks: Sequence[PixelBlock]) -> Iterable[list[PixelBlock]]:
    strips: dict[tuple[int, int], list[PixelBlock]] = {}
    for block in blocks:
        strips.setdefault(block.strip, []).append(block)
    return strips.values()
