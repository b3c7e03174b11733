"""The decoder on an NVIDIA GPU, with numba-cuda (extra `[cuda]`)."""

from __future__ import annotations

from lauedepth.core.answers import Answers, Traces
from lauedepth.core.errors import BackendUnavailableError
from lauedepth.core.experiment import Experiment
from lauedepth.core.pixels import DecodeOptions
from lauedepth.core.raymap import RayMap

from ._driver import why_unavailable

__all__ = ["decode_cuda", "why_unavailable"]


def decode_cuda(
    experiment: Experiment, rays: RayMap, traces: Traces, options: DecodeOptions
) -> Answers:
    """Decode traces on the current GPU, in batches that its free memory holds.

    Traces that are a transposed view of frames (`counts.T` in C order) are copied as frames
    and turned on the device.

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
    reason = why_unavailable()
    if reason is not None:
        raise BackendUnavailableError(
            f"backend 'cuda' cannot run: {reason}", "--backend", "use another, or 'auto'"
        )
    from ._host import decode_on_card  # noqa: PLC0415  numba-cuda may not be installed

    return decode_on_card(experiment, rays, traces, options)
