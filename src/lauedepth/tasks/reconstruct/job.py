"""What is to be reconstructed, and what one process did of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Self

import numpy as np

from lauedepth.config import ExperimentConfig
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.tasks.reconstruct.selection import Mask, Pixels, with_threshold


@dataclass(frozen=True)
class Job:
    """What is to be reconstructed, and how.

    Attributes
    ----------
    point : Path
    config : ExperimentConfig
        With the threshold that holds.
    output : Path
    mask : (ny, nx) bool array or None
        Of the whole detector, instead of the threshold: what was given, or the experiment's.
    resume : bool
    memory_bytes : int
        Of each process.
    carry : Path or None
        What points tell of the aperture, from one to the next; None where nothing is learnt.
    """

    point: Path
    config: ExperimentConfig
    output: Path
    mask: Mask | None
    resume: bool
    memory_bytes: int
    carry: Path | None = None

    @classmethod
    def of(
        cls,
        point: Path | str,
        config: ExperimentConfig,
        output: Path | str,
        *,
        pixels: Pixels | None,
        resume: bool,
        memory_bytes: int,
        carry: Path | None = None,
    ) -> Self:
        """Return the job that was asked for; see `reconstruct_point`."""
        config = with_threshold(config, pixels)
        mask = pixels if isinstance(pixels, np.ndarray) else config.selection.mask_pixels()
        if config.instrument.learn == "off":
            carry = None
        return cls(Path(point), config, Path(output), mask, resume, memory_bytes, carry)

    @cached_property
    def experiment(self) -> Experiment:
        """The experiment as the core knows it."""
        return self.config.to_core()

    @cached_property
    def options(self) -> DecodeOptions:
        """How to decode."""
        return self.config.decode_options()


@dataclass
class WorkDone:
    """What one process did.

    Attributes
    ----------
    pixels, blocks : int
    seconds : dict of str to float
        By step: prepare, select, compile, read, cut (traces out of what was read), decode, keep
        (finished blocks), write; reading continues while decoding. Ranks add start (of the process,
        until they have met), gather (until all have ended) and cpu: processor time of the process
        while it decodes, which is less than decode where other programs use the cores.
    """

    pixels: int = 0
    blocks: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add to the seconds of a step; one thread alone may time a step."""
        begin = perf_counter()
        try:
            yield
        finally:
            self.add(step, perf_counter() - begin)

    def add(self, step: str, seconds: float) -> None:
        """Add seconds to a step."""
        self.seconds[step] = self.seconds.get(step, 0.0) + seconds
