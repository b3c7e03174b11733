"""The backends by name, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType

from lauedepth.core.decoding.answers import Answers, Traces
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.errors import BackendUnavailableError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap

DecodeFunction = Callable[[Experiment, RayMap, Traces, DecodeOptions], Answers]


@dataclass(frozen=True)
class PassedOver:
    """A backend that cannot run here.

    Attributes
    ----------
    name, reason : str
    installed : bool
        Whether what it needs of Python packages is there: if so, somebody expects it to run.
    """

    name: str
    reason: str
    installed: bool


@dataclass(frozen=True)
class DeviceMemory:
    """What a decode takes of a device's own memory.

    Attributes
    ----------
    needed_bytes, free_bytes : int
    batch_pixels, streams : int
        Pixels in a batch, and batches under way at once.
    """

    needed_bytes: int
    free_bytes: int
    batch_pixels: int
    streams: int


@dataclass(frozen=True)
class Backend:
    """A decoder that works on this machine.

    Attributes
    ----------
    name : str
    decode : callable
        (experiment, rays, traces, options) -> Answers
    passed_over : tuple of PassedOver
        The backends that "auto" would rather have taken, and why they cannot run here.
    batch_pixels : int or None
        How many pixels it likes in a call; None where that does not matter.
    as_frames : bool
        Whether it likes traces as a transposed view of frames, (n_frames, n_pixels) in memory.
    is_compiled : callable or None
        Tells whether it is compiled for this machine; None where there is nothing to compile.
    device_memory : callable or None
        (experiment, options) -> DeviceMemory of a call with `batch_pixels` pixels; None for a
        backend without a device.
    """

    name: str
    decode: DecodeFunction
    passed_over: tuple[PassedOver, ...] = ()
    batch_pixels: int | None = None
    as_frames: bool = False
    is_compiled: Callable[[], bool] | None = None
    device_memory: Callable[[Experiment, DecodeOptions], DeviceMemory] | None = None


BACKENDS = {
    "reference": ("lauedepth.core.decoding.reference.pixel", "decode_reference"),
    "cpu": ("lauedepth.core.decoding.cpu", "decode_cpu"),
    "cuda": ("lauedepth.core.decoding.cuda", "decode_cuda"),
}
"""Module and function of each backend.

A module may have the functions `why_unavailable` (why it cannot run here, None where it can),
`is_installed`, `new_decoder` (instead of the function named, for one that keeps something between
calls), `is_compiled` and `device_memory`, and the constants BATCH_PIXELS and AS_FRAMES.
"""

PREFERENCE = ("cuda", "cpu", "reference")
"""The order in which "auto" tries them."""


def choose_backend(name: str = "auto") -> Backend:
    """Return a backend by name, or the best that works here for "auto".

    Raises
    ------
    BackendUnavailableError
        The name is unknown, or that backend cannot run here.
    """
    if name != "auto":
        return _load(name)
    passed: list[PassedOver] = []
    for candidate in PREFERENCE:
        module, reason = _look_at(candidate)
        if reason is None:
            return replace(_load(candidate), passed_over=tuple(passed))
        passed.append(PassedOver(candidate, reason, _is_installed(module)))
    reasons = "; ".join(f"{one.name}: {one.reason}" for one in passed)
    raise BackendUnavailableError("no backend works here", "", reasons)


def _load(name: str) -> Backend:
    if name not in BACKENDS:
        raise BackendUnavailableError(
            f"there is no backend '{name}'", "--backend", f"choose from {', '.join(BACKENDS)}"
        )
    module, reason = _look_at(name)
    if module is None or reason is not None:
        raise BackendUnavailableError(
            f"backend '{name}' cannot run: {reason}", "--backend", "use another, or 'auto'"
        )
    new_decoder = getattr(module, "new_decoder", None)
    return Backend(
        name,
        new_decoder() if new_decoder else getattr(module, BACKENDS[name][1]),
        batch_pixels=getattr(module, "BATCH_PIXELS", None),
        as_frames=getattr(module, "AS_FRAMES", False),
        is_compiled=getattr(module, "is_compiled", None),
        device_memory=getattr(module, "device_memory", None),
    )


def _look_at(name: str) -> tuple[ModuleType | None, str | None]:
    """Return a backend's module, and why it cannot run here."""
    try:
        module = import_module(BACKENDS[name][0])
    except ImportError as error:
        return None, str(error)
    return module, module.why_unavailable() if hasattr(module, "why_unavailable") else None


def _is_installed(module: ModuleType | None) -> bool:
    asked = getattr(module, "is_installed", None)
    return asked is None or bool(asked())
