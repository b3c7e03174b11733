"""What a run reports when it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lauedepth.core.notices import Level
from lauedepth.io import Point, read_result
from lauedepth.tasks.reconstruct.publishing import Tally
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
    warnings : tuple of str
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
    warnings: tuple[str, ...] = ()


def summary_of_finished(point: Point, output: Path, backend: str) -> Summary:
    """Return what a run reports that finds its result there."""
    tally = Tally.of_result(read_result(output))
    return Summary(
        point=point.path,
        output=output,
        backend=backend,
        pixels=tally.by_status.total(),
        statuses=tally.named(),
        depths_found=tally.depths,
        warnings=("was finished already",),
    )


def warnings_of(point: Point, lit: Mask) -> tuple[str, ...]:
    """Return what a user should know of a point's frames and pixels."""
    found = [notice.message for notice in point.notices if notice.level is Level.WARNING]
    if not lit.any():
        found.append("no pixel is bright enough; lower --pixels or selection.min_mean_counts")
    return tuple(found)
