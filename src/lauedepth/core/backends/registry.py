"""The backends by name, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module

from lauedepth.core.answers import Answers, Traces
from lauedepth.core.errors import BackendUnavailableError
from lauedepth.core.experiment import Experiment
from lauedepth.core.pixels import DecodeOptions
from lauedepth.core.raymap import RayMap

DecodeFunction = Callable[[Experiment, RayMap, Traces, DecodeOptions], Answers]


@dataclass(frozen=True)
class Backend:
    """A decoder that works on this machine.

    Attributes
    ----------
    name : str
    decode : callable
        (experiment, rays, traces, options) -> Answers
    passed_over : tuple of str
        Why the backends that "auto" would rather have taken cannot run here.
    """

    name: str
    decode: DecodeFunction
    passed_over: tuple[str, ...] = ()


BACKENDS = {
    "reference": ("lauedepth.core.backends.reference", "decode_reference"),
    "cpu": ("lauedepth.core.backends.cpu", "decode_cpu"),
    "cuda": ("lauedepth.core.backends.cuda", "decode_cuda"),
}
"""Module and function of each backend.

A module may have a function `why_unavailable`: why it cannot run here, None where it can.
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
    reasons: list[str] = []
    for candidate in PREFERENCE:
        try:
            return replace(_load(candidate), passed_over=tuple(reasons))
        except BackendUnavailableError as error:
            reasons.append(str(error))
    raise BackendUnavailableError("no backend works here", "", "; ".join(reasons))


def _load(name: str) -> Backend:
    if name not in BACKENDS:
        raise BackendUnavailableError(
            f"there is no backend '{name}'", "--backend", f"choose from {', '.join(BACKENDS)}"
        )
    path, function = BACKENDS[name]
    try:
        module = import_module(path)
    except ImportError as error:
        raise _unavailable(name, str(error)) from error
    reason = module.why_unavailable() if hasattr(module, "why_unavailable") else None
    if reason is not None:
        raise _unavailable(name, reason)
    return Backend(name, getattr(module, function))


def _unavailable(name: str, reason: str) -> BackendUnavailableError:
    return BackendUnavailableError(
        f"backend '{name}' cannot run: {reason}", "--backend", "use another, or 'auto'"
    )
