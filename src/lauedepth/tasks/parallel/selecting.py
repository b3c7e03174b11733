"""The pixels to decode, chosen by all ranks together, each reading a part of the frames."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lauedepth.config import ExperimentConfig
from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Frames
from lauedepth.core.progress import Progress, of_stage
from lauedepth.io import Point, Sums
from lauedepth.tasks.parallel.team import Handler, Team
from lauedepth.tasks.reconstruct.selection import Selection, pixels_above_threshold


def mean_together(
    team: Team, point: Point, progress: Progress, handlers: Mapping[str, Handler]
) -> Floats | None:
    """Return the mean image on rank 0, None elsewhere: the same bits as `Point.mean_image`.

    Counts that are whole numbers add up to the same in any order, so each rank reads some of
    the frames, all of each. Others are added by one rank for each row.
    """
    whole = point.dtype == np.uint16

    def read() -> Sums:
        selecting = of_stage(progress, "select")
        if whole:
            frames = share_of_frames(point.frames, team.rank, team.size)
            return point.total_image(frames, progress=selecting)
        rows = share_of_rows(point.shape[1], team.rank, team.size)
        return point.total_image(rows=rows, progress=selecting).among(rows, point.shape[1])

    sums = team.work(read, handlers)
    if whole:
        sums = _without_lost(team, point, sums, handlers)
    frames = team.exchange(sums.frames)
    total, nothing = team.total(sums.total), team.total(sums.nothing)
    counted = sum(frames) if whole else frames[0]
    if not counted:
        raise InputError("all frames asked for are lost", str(point.path))
    if total is None or nothing is None:
        return None
    return point.mean_of(Sums(total, counted, nothing))


def _without_lost(team: Team, point: Point, sums: Sums, handlers: Mapping[str, Handler]) -> Sums:
    """Return a rank's sums without lost frames, which are known by the levels of all ranks'."""
    shares = [share_of_frames(point.frames, rank, team.size) for rank in range(team.size)]
    own = shares[team.rank]
    for share, levels in zip(shares, team.exchange(point.levels_of(own)), strict=True):
        point.learn_levels(share, levels)
    return team.work(lambda: point.without_lost(sums, own, among=point.frames), handlers)


def select_together(
    team: Team,
    point: Point,
    config: ExperimentConfig,
    progress: Progress,
    handlers: Mapping[str, Handler],
) -> Selection | None:
    """Return the bright pixels and the mean image on rank 0, None elsewhere."""
    mean = mean_together(team, point, progress, handlers)
    return None if mean is None else Selection(pixels_above_threshold(mean, point, config), mean)


def share_of_frames(frames: Frames, rank: int, ranks: int) -> Frames:
    """Return the frames that a rank adds up: neighbours, as many as others' or one more."""
    first, stop = share_of(len(frames), rank, ranks)
    start = frames.first + first * frames.stride
    return Frames(start, max(start, frames.first + (stop - 1) * frames.stride + 1), frames.stride)


def share_of_rows(rows: int, rank: int, ranks: int) -> slice:
    """Return the rows that a rank adds up."""
    return slice(*share_of(rows, rank, ranks))


def share_of(number: int, rank: int, ranks: int) -> tuple[int, int]:
    """Return the first and last + 1 of a rank's even share."""
    return number * rank // ranks, number * (rank + 1) // ranks
