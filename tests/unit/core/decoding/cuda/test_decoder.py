"""The decoder `cuda` where there is a card, none, or a full one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lauedepth.cli.commands.reconstruct import _runner
from lauedepth.cli.decoders import report_decoder
from lauedepth.cli.ranks import SilentReporter
from lauedepth.cli.reporting import Reporter
from lauedepth.config import load_experiment
from lauedepth.core.decoding.answers import Traces
from lauedepth.core.decoding.cuda import _driver
from lauedepth.core.decoding.cuda._memory import (
    MOST_PIXELS,
)
from lauedepth.core.decoding.cuda.decoder import CudaDecoder
from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.decoder import DeviceMemory
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.decoding.registry import Choice, choose_decoder
from lauedepth.core.errors import BackendUnavailableError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap

H100_PROCESSORS = 132


EXAMPLE = Path(__file__).parents[5] / "examples" / "experiment.yml"


@pytest.mark.usefixtures("no_card")
def test_without_a_driver_the_error_says_so(twin: Experiment) -> None:
    with pytest.raises(BackendUnavailableError, match=r"'cuda' cannot run: no NVIDIA driver.*auto"):
        choose_decoder("cuda")
    traces = Traces(np.zeros((1, 261), np.uint16), np.ones(261, bool))
    with pytest.raises(BackendUnavailableError, match="no NVIDIA driver"):
        CudaDecoder().solve(twin, RayMap.of(twin, [9.0], [9.0]), traces, DecodeOptions())
    with pytest.raises(BackendUnavailableError, match="no NVIDIA driver"):
        decode(twin, np.zeros(1), np.zeros(1), traces.counts, backend="cuda")


@pytest.mark.usefixtures("no_card")
def test_auto_falls_back_and_says_why() -> None:
    chosen = choose_decoder()
    assert chosen.decoder.name == "cpu"
    assert len(chosen.passed_over) == 1
    assert chosen.passed_over[0].name == "cuda"
    assert "no NVIDIA driver" in chosen.passed_over[0].reason


def told(reporter_told: list[tuple[str, dict[str, Any]]]) -> Reporter:
    """Return a reporter that writes down what it is shown."""

    class Notes(SilentReporter):
        def show(self, event: str, values: Mapping[str, Any], text: object) -> None:
            reporter_told.append((event, dict(values)))

    return Notes()


@pytest.mark.usefixtures("no_card")
@pytest.mark.parametrize("installed", [False, True])
def test_only_who_installed_the_extra_is_told_by_reconstruct(
    monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    monkeypatch.setattr(_driver, "find_spec", lambda name: object() if installed else None)
    (passed,) = choose_decoder().passed_over
    assert passed.installed is installed
    shown: list[tuple[str, dict[str, Any]]] = []
    config = load_experiment(EXAMPLE)
    _runner(None, "auto", config, told(shown))
    assert [event for event, _ in shown] == ["passed_over"] * installed
    report_decoder(told(shown), choose_decoder(), config)
    event, values = shown[-1]
    assert (event, values["backend"]) == ("passed_over", "cuda")
    assert "no NVIDIA driver" in values["reason"]


def test_check_shows_the_memory_of_the_card() -> None:
    shown: list[tuple[str, dict[str, Any]]] = []
    memory = DeviceMemory(2 * 2**30, 70 * 2**30, MOST_PIXELS, 2)

    class Card(CudaDecoder):
        def device_memory(self, experiment: Experiment, options: DecodeOptions) -> DeviceMemory:
            return memory

    report_decoder(told(shown), Choice(Card()), load_experiment(EXAMPLE))
    assert shown == [("device", vars(memory))]


def test_kernels_count_as_compiled_when_all_are_in_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from lauedepth.core.decoding.cuda import _kernels

    names = (
        "transpose",
        "clean",
        "search",
        "fit_candidates",
        "add_second_box",
        "refit_transparent",
        "take_as_one",
        "judge_fits",
        "solve",
    )
    for name in names:
        kernel = SimpleNamespace(
            signatures=(),
            stats=SimpleNamespace(cache_path=str(tmp_path)),
            py_func=getattr(_kernels, name).py_func,
        )
        monkeypatch.setattr(_kernels, name, kernel)
    for name in names:
        assert not CudaDecoder().is_compiled()
        module = "_solve" if name == "solve" else "_kernels"
        (tmp_path / f"{module}.{name}-95.py311.nbi").touch()
    assert CudaDecoder().is_compiled()


def test_check_is_told_what_the_card_must_hold(
    twin: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lauedepth.core.decoding.cuda import _batches

    monkeypatch.setattr(_batches.Card, "resources", lambda card: (10**10, H100_PROCESSORS))
    told = CudaDecoder().device_memory(twin, DecodeOptions())
    assert (told.free_bytes, told.batch_pixels, told.streams) == (10**10, MOST_PIXELS, 2)
    per_pixel = told.needed_bytes / (2 * MOST_PIXELS)
    assert 261 * 6 + 400 * 4 < per_pixel < 30_000
    monkeypatch.setattr(_batches.Card, "resources", lambda card: (10**7, H100_PROCESSORS))
    with pytest.raises(BackendUnavailableError, match="10 MB free"):
        CudaDecoder().device_memory(twin, DecodeOptions())
