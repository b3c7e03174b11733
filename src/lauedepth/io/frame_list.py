"""How the frames of a scan stand to those that were stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lauedepth.core.errors import InputError

Spans = tuple[tuple[int, int], ...]
"""Frame numbers as (first, stop)."""


@dataclass(frozen=True)
class FrameList:
    """What the experiment says of the frames of a point.

    Attributes
    ----------
    leading : int
        Images before the scan's first frame, not counted.
    lost : Spans
        Frames of the scan that were never stored; those stored are the others, in order.
    ignored : Spans
        Frames of the scan that are stored, but not used.
    """

    leading: int = 0
    lost: Spans = ()
    ignored: Spans = ()

    @property
    def rearranges(self) -> bool:
        """Whether frames have other numbers than the images that hold them."""
        return self.leading > 0 or bool(self.lost)

    def slots(self, images: int, where: str) -> npt.NDArray[np.int64]:
        """Return which image holds each frame of the scan, -1 for none.

        Raises
        ------
        InputError
            More is said to be lost or leading than there can be.
        """
        stored = images - self.leading
        lost = np.unique(numbers_of(self.lost))
        frames = stored + lost.size
        if stored < 1:
            raise InputError(
                f"has {images} images, data.leading_images is {self.leading}",
                where,
                "check data.leading_images",
            )
        if lost.size and lost[-1] >= frames:
            raise InputError(
                f"data.lost_frames names frame {lost[-1]}; {stored} stored and {lost.size} lost "
                f"ones make frames 0...{frames - 1}",
                where,
                "check data.lost_frames",
            )
        slots = np.full(frames, -1, np.int64)
        kept = np.ones(frames, bool)
        kept[lost] = False
        slots[kept] = np.arange(self.leading, images)
        return slots


def numbers_of(spans: Spans) -> npt.NDArray[np.int64]:
    """Return the frames of spans, one after the other."""
    return np.concatenate(
        [np.zeros(0, np.int64), *(np.arange(start, stop, dtype=np.int64) for start, stop in spans)]
    )


def told(numbers: npt.NDArray[np.int64], most: int = 5) -> str:
    """Return frame numbers as a person writes them: ``0, 77, 230...260``."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    parts = [str(run[0]) if run.size == 1 else f"{run[0]}...{run[-1]}" for run in runs if run.size]
    more = f" and {len(parts) - most} more places" if len(parts) > most else ""
    return ", ".join(parts[:most]) + more
