"""The decoders by name, and the choice among them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Final, NamedTuple

from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.pixels import Method
from lauedepth.core.errors import BackendUnavailableError

_ROOM: Final = "lauedepth.core.decoding"


class _Home(NamedTuple):
    """Where a decoder is found: what it implements is known before it is imported."""

    method: Method
    module: str
    decoder: str


DECODERS: Final = {
    "cuda": _Home("footprint", "cuda.decoder", "CudaDecoder"),
    "cpu": _Home("footprint", "cpu.decoder", "CpuDecoder"),
    "reference": _Home("footprint", "reference.decoder", "ReferenceDecoder"),
    "published": _Home("published", "published.decoder", "PublishedDecoder"),
}
"""The decoders of each method, in the order in which "auto" tries them."""


@dataclass(frozen=True)
class PassedOver:
    """A decoder that cannot run here.

    Attributes
    ----------
    name, reason : str
    installed : bool
        Whether the Python packages that it needs are there: if so, somebody expects it to run.
    """

    name: str
    reason: str
    installed: bool


@dataclass(frozen=True)
class Choice:
    """The decoder chosen.

    Attributes
    ----------
    decoder : Decoder
    passed_over : tuple of PassedOver
        The decoders that "auto" would have preferred, and why they cannot run here.
    """

    decoder: Decoder
    passed_over: tuple[PassedOver, ...] = ()


def choose_decoder(backend: str = "auto", method: Method = "footprint") -> Choice:
    """Return a method's decoder by name, or for "auto" the best that works here.

    Parameters
    ----------
    backend : str
        "auto" or the name of a decoder of the footprint method. A method with one decoder
        only takes that whatever is named.
    method : {"footprint", "published"}

    Raises
    ------
    BackendUnavailableError
        The name is unknown, or that decoder cannot run here.
    """
    names = [name for name, home in DECODERS.items() if home.method == method]
    if backend != "auto":
        _check_name(backend)
        return Choice(_load(backend if backend in names else names[0]))
    passed: list[PassedOver] = []
    for name in names:
        decoder, reason = _look_at(name)
        if decoder is not None and reason is None:
            return Choice(decoder, tuple(passed))
        installed = decoder is None or decoder.is_installed()
        passed.append(PassedOver(name, str(reason), installed))
    reasons = "; ".join(f"{one.name}: {one.reason}" for one in passed)
    raise BackendUnavailableError("no backend works here", "", reasons)


def _check_name(backend: str) -> None:
    """Refuse what is no name of a decoder among which users choose."""
    choices = [name for name, home in DECODERS.items() if home.method == "footprint"]
    if backend not in choices:
        raise BackendUnavailableError(
            f"there is no backend '{backend}'", "--backend", f"choose from {', '.join(choices)}"
        )


def _load(name: str) -> Decoder:
    decoder, reason = _look_at(name)
    if decoder is None or reason is not None:
        raise BackendUnavailableError(
            f"backend '{name}' cannot run: {reason}", "--backend", "use another, or 'auto'"
        )
    return decoder


def _look_at(name: str) -> tuple[Decoder | None, str | None]:
    """Return a decoder, and why it cannot run here."""
    home = DECODERS[name]
    try:
        module = import_module(f"{_ROOM}.{home.module}")
    except ImportError as error:
        return None, str(error)
    decoder: Decoder = getattr(module, home.decoder)()
    return decoder, decoder.why_unavailable()
