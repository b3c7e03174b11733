"""The decoder on an NVIDIA GPU, with numba-cuda (extra `[cuda]`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lauedepth.core.decoding.answers import Answers, Traces
from lauedepth.core.decoding.cuda._driver import is_installed, why_unavailable
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.decoding.registry import DeviceMemory
from lauedepth.core.errors import BackendUnavailableError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap

if TYPE_CHECKING:
    from lauedepth.core.decoding.cuda._batches import Card

__all__ = [
    "AS_FRAMES",
    "BATCH_PIXELS",
    "Decoder",
    "decode_cuda",
    "device_memory",
    "is_compiled",
    "is_installed",
    "new_decoder",
    "why_unavailable",
]

BATCH_PIXELS: Final = 131_072
"""Pixels of a call: a batch on each of two streams."""

AS_FRAMES: Final = True
"""Frames are turned on the device."""


class Decoder:
    """Decodes on the current GPU; its memory there, streams and buffers stay for the next call.

    Of one thread at a time. What it holds goes with it.
    """

    def __init__(self) -> None:
        self._card: Card | None = None

    def __call__(
        self, experiment: Experiment, rays: RayMap, traces: Traces, options: DecodeOptions
    ) -> Answers:
        """Decode traces; see `decode_cuda`."""
        if self._card is None:
            reason = why_unavailable()
            if reason is not None:
                raise BackendUnavailableError(
                    f"backend 'cuda' cannot run: {reason}", "--backend", "use another, or 'auto'"
                )
            from lauedepth.core.decoding.cuda._batches import Card  # noqa: PLC0415  numba-cuda may not be installed

            self._card = Card()
        return self._card.decode(experiment, rays, traces, options)


def new_decoder() -> Decoder:
    """Return a decoder that holds nothing yet."""
    return Decoder()


def decode_cuda(
    experiment: Experiment, rays: RayMap, traces: Traces, options: DecodeOptions
) -> Answers:
    """Decode traces on the current GPU, in batches that its free memory holds.

    Traces that are a transposed view of frames (`counts.T` in C order) are copied as frames
    and turned on the device. For call after call use one `Decoder`.

    Parameters
    ----------
    experiment : Experiment
    rays : RayMap
        Of the pixels of the traces.
    traces : Traces
    options : DecodeOptions

    Raises
    ------
    BackendUnavailableError
        There is no GPU that can be used, its memory is full, or it fails.
    """
    return Decoder()(experiment, rays, traces, options)


def is_compiled() -> bool:
    """Tell whether all kernels are ready, or in Numba's cache on disk.

    The cache tells kinds of cards apart only when it is read: on a second kind, kernels are
    compiled again though this says True.
    """
    from lauedepth.core.decoding.cuda._kernels import are_compiled  # noqa: PLC0415  numba-cuda may not be installed

    return are_compiled()


def device_memory(experiment: Experiment, options: DecodeOptions) -> DeviceMemory:
    """Tell how much of the GPU's memory a call of BATCH_PIXELS takes, and how much is free.

    Raises
    ------
    BackendUnavailableError
        There is too little for the smallest batch, or the GPU fails.
    """
    from lauedepth.core.decoding.cuda._batches import Card  # noqa: PLC0415  numba-cuda may not be installed

    return Card().memory(experiment, options, BATCH_PIXELS)
