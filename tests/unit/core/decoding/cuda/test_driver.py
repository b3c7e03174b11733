"""What is asked of the driver, and what its answers mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lauedepth.core.decoding.cuda.decoder import CudaDecoder
from lauedepth.core.decoding.registry import choose_decoder
from lauedepth.core.errors import BackendUnavailableError


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"init": 100}, "finds no GPU"),
        ({"init": 803}, "kernel module"),
        ({"init": 7}, "CUDA error 7"),
        ({"installed": False}, r"install 'lauedepth\[cuda\]'"),
        ({"version": 12040}, r"supports CUDA 12\.4.*toolkit installed is 13.*numba-cuda\[cu12\]"),
    ],
)
def test_what_is_wrong_with_a_driver(
    with_driver: Callable[..., None], answers: dict[str, Any], reason: str
) -> None:
    with_driver(**answers)
    with pytest.raises(BackendUnavailableError, match=reason):
        choose_decoder("cuda")


@pytest.mark.parametrize("toolkit", [12, 13, None])
def test_a_good_driver_is_taken(with_driver: Callable[..., None], toolkit: int | None) -> None:
    with_driver(toolkit=toolkit)
    assert CudaDecoder().why_unavailable() is None
    assert choose_decoder().decoder.name == "cuda"
    assert choose_decoder().passed_over == ()


def test_the_simulator_is_not_taken_for_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
    assert choose_decoder().decoder.name == "cpu"
    with pytest.raises(BackendUnavailableError, match="simulator is for tests"):
        choose_decoder("cuda")
