"""What a run reports when it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lauedepth.config import ExperimentConfig
from lauedepth.core.decoding.verdict import ResultRows, Tally, Verdict, judge
from lauedepth.core.notices import Notice, note, warning
from lauedepth.io import Point, ResultFile, read_result
from lauedepth.tasks.reconstruct.selection import Mask


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes
    ----------
    point, output : Path
    backend : str
    pixels : int
        Pixels looked at.
    statuses : mapping of str to int
        Pixels by status, in lower case.
    depths_found : int
        Depths, of which a pixel can have two.
    resumed_blocks, blocks : int
        Blocks that were there already, and in all.
    seconds : dict of str to float
        select, compile, read, decode, write and total; reading continues while decoding.
    notices : tuple of Notice
    verdict : Verdict
        What a user should know of the experiment and the point; the result holds it too.
    """

    point: Path
    output: Path
    backend: str
    pixels: int
    statuses: Mapping[str, int]
    depths_found: int
    resumed_blocks: int = 0
    blocks: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    verdict: Verdict | None = None


def summary_of_finished(point: Point, output: Path, backend: str) -> Summary:
    """Return what a run reports that finds its result there."""
    result = read_result(output)
    tally = tally_of(result)
    return Summary(
        point=point.path,
        output=output,
        backend=backend,
        pixels=tally.pixels,
        statuses=tally.named(),
        depths_found=tally.depths,
        verdict=judge(tally),
        notices=(*result.notices, note("finished-already", "was finished already", str(output))),
    )


def tally_of(result: ResultFile) -> Tally:
    """Count the pixels of a result."""
    pixels = result.pixels
    return Tally.of(ResultRows(pixels["status"], pixels["flags"], pixels["residual"]))


def notices_of(config: ExperimentConfig, point: Point, lit: Mask) -> tuple[Notice, ...]:
    """Return what a user should know of an experiment, a point's frames and its pixels."""
    # Which frames are lost is noticed when it is asked for, if it was not yet.
    _ = point.usable
    dark = warning(
        "no-pixels",
        "no pixel is bright enough",
        str(point.path),
        "lower --pixels or selection.min_mean_counts; see that detector.mask, not zero where "
        "pixels are left out, and any mask of --pixels leave some",
    )
    return (*config.notices, *point.notices, *(() if lit.any() else (dark,)))
