"""The backends by name, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    """

    name: str
    decode: DecodeFunction


BACKENDS = {
    "reference": ("lauedepth.core.backends.reference", "decode_reference"),
    "cpu": ("lauedepth.core.backends.cpu", "decode_cpu"),
}
"""Module and function of each backend."""

PREFERENCE = ("cpu", "reference")
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
    reasons = []
    for candidate in PREFERENCE:
        try:
            return _load(candidate)
        except BackendUnavailableError as error:
            reasons.append(str(error))
    raise BackendUnavailableError("no backend works here", "", "; ".join(reasons))


def _load(name: str) -> Backend:
    if name not in BACKENDS:
        raise BackendUnavailableError(
            f"there is no backend '{name}'", "--backend", f"choose from {', '.join(BACKENDS)}"
        )
    module, function = BACKENDS[name]
    try:
        return Backend(name, getattr(import_module(module), function))
    except ImportError as error:
        raise BackendUnavailableError(
            f"backend '{name}' cannot run: {error}", "--backend", "use another, or 'auto'"
        ) from error
