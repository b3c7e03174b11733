"""Decoders by name and method."""

from __future__ import annotations

import pytest

from lauedepth.core.decoding.pixels import Method
from lauedepth.core.decoding.registry import DECODERS, choose_decoder
from lauedepth.core.errors import BackendUnavailableError


def test_decoders_by_name() -> None:
    assert choose_decoder().decoder.name in {"cuda", "cpu"}
    assert choose_decoder("reference").decoder.name == "reference"
    assert choose_decoder("reference").passed_over == ()
    with pytest.raises(BackendUnavailableError, match=r"no backend 'gpu'.*choose from"):
        choose_decoder("gpu")


def test_a_method_with_one_decoder_takes_it_whatever_is_named() -> None:
    for backend in ("auto", "cpu", "reference"):
        assert choose_decoder(backend, "published").decoder.name == "published"
    for method in ("footprint", "published"):
        with pytest.raises(BackendUnavailableError, match="choose from cuda, cpu, reference"):
            choose_decoder("published", method)  # a method, and no backend


@pytest.mark.parametrize("name", ["cpu", "reference", "published"])
def test_decoders_are_what_the_registry_says(name: str) -> None:
    method: Method = DECODERS[name].method
    decoder = choose_decoder("auto" if method == "published" else name, method).decoder
    assert (decoder.name, decoder.method) == (name, method)
    assert decoder.is_installed()
    assert decoder.why_unavailable() is None
