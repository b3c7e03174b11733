"""What a decoder is: the interface that all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from lauedepth.core.decoding.answers import Answers, Traces
from lauedepth.core.decoding.pixels import DecodeOptions, Method
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap


@dataclass(frozen=True)
class DeviceMemory:
    """What a decode takes of a device's own memory.

    Attributes
    ----------
    needed_bytes, free_bytes : int
    batch_pixels, streams : int
        Pixels in a batch, and batches in progress at once.
    """

    needed_bytes: int
    free_bytes: int
    batch_pixels: int
    streams: int


class Decoder(Protocol):
    """Turns measured traces into footprints over depth.

    A decoder is one class in a file of its own and one line in `registry.DECODERS`. Creating
    one is cheap and always possible; whether it can run here is asked of `why_unavailable`.
    A decoder may keep memory from call to call, and is called by one thread at a time.

    Classes derive from this one for the answers of a decoder without a device and without
    anything to compile; only `name`, `method` and `solve` have no default.

    Attributes
    ----------
    name : str
        As results record it; for the footprint method also what users choose it by.
    method : {"footprint", "published"}
        The method that it implements.
    batch_pixels : int or None
        Number of pixels that it prefers in a call; None where that does not matter.
    prefers_frames : bool
        Whether it prefers traces as a transposed view of frames, (n_frames, n_pixels) in
        memory. It accepts either.
    is_slow : bool
        Whether a pixel takes of the order of 0.1 s, so that work is shared out in small pieces.
    """

    name: ClassVar[str]
    method: ClassVar[Method]
    batch_pixels: ClassVar[int | None] = None
    prefers_frames: ClassVar[bool] = False
    is_slow: ClassVar[bool] = False

    def solve(
        self, experiment: Experiment, rays: RayMap, traces: Traces, options: DecodeOptions
    ) -> Answers:
        """Solve traces; `answers.collect` then makes a table of what is returned.

        Parameters
        ----------
        experiment : Experiment
        rays : RayMap
            Of the pixels of the traces.
        traces : Traces
        options : DecodeOptions
            Their `method` is the decoder's own.

        Raises
        ------
        BackendUnavailableError
            The decoder cannot run here, or its device fails.
        """
        ...

    def why_unavailable(self) -> str | None:
        """Return why the decoder cannot run here, or None where it can."""
        return None

    def is_installed(self) -> bool:
        """Return whether the Python packages are there that it needs.

        Where they are and it cannot run, it is reported to users.
        """
        return True

    def is_compiled(self) -> bool:
        """Return whether it is ready to run; otherwise its first call compiles it."""
        return True

    def device_memory(self, experiment: Experiment, options: DecodeOptions) -> DeviceMemory | None:
        """Return what a call with `batch_pixels` pixels takes of a device; None without one.

        Raises
        ------
        BackendUnavailableError
            There is too little for the smallest batch, or the device fails.
        """
        return None
