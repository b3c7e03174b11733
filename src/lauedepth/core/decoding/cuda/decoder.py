"""The decoder on an NVIDIA GPU, with numba-cuda (extra `[cuda]`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lauedepth.core.decoding.answers import Answers, Traces
from lauedepth.core.decoding.cuda import _driver
from lauedepth.core.decoding.decoder import Decoder, DeviceMemory
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.errors import BackendUnavailableError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap

if TYPE_CHECKING:
    from lauedepth.core.decoding.cuda._batches import Card


class CudaDecoder(Decoder):
    """Decodes on the current GPU, in batches that its free memory holds.

    Its memory there, streams and buffers stay for the next call, and go with the decoder.
    Traces that are a transposed view of frames (`counts.T` in C order) are copied as frames
    and transposed on the device.
    """

    name = "cuda"
    method = "footprint"
    batch_pixels = 131_072  # a batch on each of two streams
    prefers_frames = True

    def __init__(self) -> None:
        self._card: Card | None = None

    def solve(
        self, experiment: Experiment, rays: RayMap, traces: Traces, options: DecodeOptions
    ) -> Answers:
        """Solve traces; see `Decoder.solve`."""
        if self._card is None:
            reason = self.why_unavailable()
            if reason is not None:
                raise BackendUnavailableError(
                    f"backend 'cuda' cannot run: {reason}", "--backend", "use another, or 'auto'"
                )
            self._card = _new_card()
        return self._card.decode(experiment, rays, traces, options)

    def why_unavailable(self) -> str | None:
        """Return why no GPU can be used here, or None where one can."""
        return _driver.why_unavailable()

    def is_installed(self) -> bool:
        """Return whether the packages of the extra `[cuda]` are there."""
        return _driver.is_installed()

    def is_compiled(self) -> bool:
        """Return whether all kernels are ready, or in Numba's cache on disk.

        The cache distinguishes kinds of cards only when it is read: on a second kind, kernels
        are compiled again though this returns True.
        """
        from lauedepth.core.decoding.cuda._kernels import are_compiled  # noqa: PLC0415  numba-cuda may not be installed

        return are_compiled()

    def device_memory(self, experiment: Experiment, options: DecodeOptions) -> DeviceMemory:
        """Return how much of the GPU's memory a call takes, and how much is free."""
        return _new_card().memory(experiment, options, self.batch_pixels)


def _new_card() -> Card:
    from lauedepth.core.decoding.cuda._batches import Card  # noqa: PLC0415  numba-cuda may not be installed

    return Card()
