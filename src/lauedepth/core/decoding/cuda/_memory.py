"""How much of a card's memory a decode takes, and how large its batches may be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Final

import numpy as np

from lauedepth.core.decoding import limits
from lauedepth.core.decoding.cuda._types import CODES, NUMBERS, STORED, THREADS
from lauedepth.core.decoding.limits import SEARCH_WIDTHS
from lauedepth.core.errors import BackendUnavailableError

STREAMS: Final = 2
"""Batches in progress at once: one is copied while the other is computed."""

MOST_PIXELS: Final = 65_536
"""Largest batch: beyond it a card is busy anyway."""

LEAST_PIXELS: Final = 256
"""A card without memory for this many pixels is too full to be of use."""

BLOCKS_PER_PROCESSOR: Final = 16
"""Blocks at work at once on each multiprocessor."""

SEARCH_MARGIN: Final = 8
"""Part of a search's candidates, one in so many, for which there is spare memory."""

COLUMNS: Final = 64
"""Unknowns of a footprint for which every block has memory; wider ones take turns."""

WIDE_BLOCKS: Final = 32
"""Blocks that have memory for footprints over all bins."""

USED_PART: Final = 0.8
"""Part of the free memory that is taken."""

Arrays = dict[str, tuple[tuple[int, ...], type[np.generic]]]
"""Shape and type of arrays, by name."""


@dataclass(frozen=True)
class Shape:
    """What the memory depends on.

    Attributes
    ----------
    frames : int
    item_bytes : int
        Of one reading as it comes in.
    knots : int
        Of the aperture's shadow.
    candidates, points : int
        Of the search: candidates, and points of its template.
    bins : int
        Footprint bins.
    """

    frames: int
    item_bytes: int
    knots: int
    candidates: int
    points: int
    bins: int

    def is_alike(self, other: Shape) -> bool:
        """Return whether only the search differs, whose size depends on where the pixels are."""
        return replace(other, candidates=self.candidates, points=self.points) == self

    def holds(self, other: Shape) -> bool:
        """Return whether memory made for this is enough for another."""
        return (
            self.is_alike(other)
            and other.candidates <= self.candidates
            and other.points <= self.points
        )

    def or_larger(self, other: Shape) -> Shape:
        """Return what holds this and another that is alike."""
        return replace(
            self,
            candidates=max(self.candidates, other.candidates),
            points=max(self.points, other.points),
        )

    def with_margin(self) -> Shape:
        """Return this with memory for the longer searches of other pixels of the detector."""
        more = self.candidates // SEARCH_MARGIN
        return replace(self, candidates=self.candidates + more, points=self.points + more)

    @property
    def pixel_arrays(self) -> Arrays:
        """What a batch holds of each pixel (`Batch`), the pool apart."""
        return {
            "counts": ((self.frames,), np.float32),
            "pixels": ((3,), np.float64),
            "background": ((), np.float64),
            "stats": ((3,), np.float64),
            "found": ((limits.CANDIDATES, 3), np.float64),
            "hits": ((2,), np.int32),
            "fits": ((3, STORED), np.float64),
            "numbers": ((NUMBERS,), np.float64),
            "codes": ((CODES,), np.int32),
        }

    @property
    def block_arrays(self) -> Arrays:
        """Scratch of each block (`Scratch`)."""
        return {
            "tables": ((6, self.knots), np.float64),
            "expected": ((3, self.frames), np.float64),
            "parameters": ((3, STORED), np.float64),
            "template": ((self.points,), np.float32),
            "sums": ((4, self.points + 1), np.float64),
            "inverse": ((len(SEARCH_WIDTHS), self.candidates), np.float64),
            "candidates": ((2, self.candidates), np.float64),
            "found": ((limits.CANDIDATES + 1, 3), np.float64),
            "trace": ((self.frames,), np.float32),
            "starts": ((self.frames + 1,), np.int32),
            "weights": ((self.frames,), np.float32),
        }

    def solve_arrays(self, columns: int) -> Arrays:
        """Scratch of each block for footprints of up to so many unknowns (`SolveScratch`)."""
        return {
            "tile": ((THREADS * (columns | 1) if columns > COLUMNS else 1,), np.float64),
            "weights": ((self.frames,), np.float64),
            "gram": ((columns, columns), np.float64),
            "factor": ((columns, columns), np.float64),
            "vectors": ((6, columns + 1), np.float64),
            "members": ((2, columns), np.int32),
            "lines": ((columns + 1, 2), np.float64),
        }

    @property
    def pixel_bytes(self) -> int:
        """Memory for each pixel of a batch: with its readings, and its part of the pool."""
        return bytes_of(self.pixel_arrays) + self.frames * self.item_bytes + 4 * self.bins


def bytes_of(arrays: Arrays) -> int:
    """Return the memory that arrays take."""
    return sum(prod(shape) * np.dtype(dtype).itemsize for shape, dtype in arrays.values())


@dataclass(frozen=True)
class Plan:
    """How a decode is cut up.

    Attributes
    ----------
    pixels : int
        In a batch.
    streams : int
        Batches in progress at once.
    blocks, wide_blocks : int
        In a launch, and in one with memory for footprints over all bins.
    columns : int
        Unknowns of a footprint for which the former have memory.
    threads : int
        In a block.
    """

    pixels: int
    streams: int
    blocks: int
    wide_blocks: int
    columns: int
    threads: int = THREADS


def memory_bytes(plan: Plan, shape: Shape) -> int:
    """Return the memory that a decode takes on the card."""
    block = bytes_of(shape.block_arrays) + bytes_of(shape.solve_arrays(plan.columns))
    scratch = plan.blocks * block
    wide = plan.wide_blocks * bytes_of(shape.solve_arrays(shape.bins + 1))
    return plan.streams * (plan.pixels * shape.pixel_bytes + scratch + wide)


def plan_batches(shape: Shape, pixels: int, free_bytes: int, processors: int) -> Plan:
    """Choose the largest batches that the card holds; a full card gets smaller ones.

    Parameters
    ----------
    shape : Shape
    pixels : int
        To decode.
    free_bytes : int
        Free memory of the card.
    processors : int
        Its multiprocessors.

    Raises
    ------
    BackendUnavailableError
        There is not enough memory for the smallest batch.
    """
    most = min(pixels, MOST_PIXELS)
    columns = min(COLUMNS, shape.bins + 1)
    streams = STREAMS if pixels > MOST_PIXELS else 1
    blocks, wide = BLOCKS_PER_PROCESSOR * processors, WIDE_BLOCKS
    while True:
        plan = Plan(most, streams, min(blocks, most), min(wide, most), columns)
        needed = memory_bytes(plan, shape)
        if needed <= USED_PART * free_bytes:
            return plan
        if most <= min(pixels, LEAST_PIXELS):
            raise BackendUnavailableError(
                f"the GPU has {free_bytes / 1e6:.0f} MB free, and the smallest batch of "
                f"{most} pixels takes {needed / USED_PART / 1e6:.0f} MB",
                "backend 'cuda'",
                "free the card, or use --backend cpu",
            )
        most = max(most // 2, min(pixels, LEAST_PIXELS))
        blocks, wide, streams = max(blocks // 2, 1), max(wide // 2, 1), STREAMS
