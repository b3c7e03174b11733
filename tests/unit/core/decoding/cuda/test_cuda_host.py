"""What the `cuda` backend does without its kernels: drivers, memory, the choice of backend."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.cli.commands.reconstruct import _runner
from lauedepth.cli.decoders import tell_decoder
from lauedepth.cli.ranks import SilentReporter
from lauedepth.cli.reporting import Reporter
from lauedepth.config import load_experiment
from lauedepth.core.decoding.answers import Traces
from lauedepth.core.decoding.cuda import _driver
from lauedepth.core.decoding.cuda._memory import (
    LEAST_PIXELS,
    MOST_PIXELS,
    USED_PART,
    Shape,
    memory_bytes,
    plan_batches,
)
from lauedepth.core.decoding.cuda.decoder import CudaDecoder
from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.decoder import DeviceMemory
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.decoding.registry import Choice, choose_decoder
from lauedepth.core.errors import BackendUnavailableError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap

SHAPE = Shape(frames=541, item_bytes=2, knots=258, candidates=180, points=750, bins=400)
H100_PROCESSORS = 132
EXAMPLE = Path(__file__).parents[5] / "examples" / "experiment.yml"


class Driver:
    """What the driver answers, in its place."""

    def __init__(self, init: int = 0, version: int = 13000) -> None:
        self.init, self.version = init, version

    def cuInit(self, flags: int) -> int:  # noqa: N802 the driver's own name
        return self.init

    def cuDriverGetVersion(self, version: Any) -> int:  # noqa: N802
        version._obj.value = self.version
        return 0


@pytest.fixture
def no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)
    monkeypatch.setattr(ctypes, "CDLL", missing)


@pytest.fixture
def with_driver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def put(toolkit: int | None = 13, installed: bool = True, **answers: int) -> None:
        monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)
        monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(**answers))
        monkeypatch.setattr(_driver, "find_spec", lambda name: object() if installed else None)
        monkeypatch.setattr(_driver, "_toolkit_major", lambda: toolkit)

    return put


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
    tell_decoder(told(shown), choose_decoder(), config)
    event, values = shown[-1]
    assert (event, values["backend"]) == ("passed_over", "cuda")
    assert "no NVIDIA driver" in values["reason"]


def test_check_shows_the_memory_of_the_card() -> None:
    shown: list[tuple[str, dict[str, Any]]] = []
    memory = DeviceMemory(2 * 2**30, 70 * 2**30, MOST_PIXELS, 2)

    class Card(CudaDecoder):
        def device_memory(self, experiment: Experiment, options: DecodeOptions) -> DeviceMemory:
            return memory

    tell_decoder(told(shown), Choice(Card()), load_experiment(EXAMPLE))
    assert shown == [("device", vars(memory))]


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


def failing(module: str) -> Callable[[], None]:
    kind = type("CudaAPIError", (Exception,), {"__module__": module})

    def fail() -> None:
        raise kind("[719] Call to cuCtxSynchronize\nresults in CUDA_ERROR_LAUNCH_FAILED")

    return fail


@pytest.mark.parametrize("module", ["numba.cuda.cudadrv.driver", "cuda.core._utils.cuda_utils"])
def test_a_card_that_fails_is_told_in_one_line(
    twin: Experiment, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    from numba import cuda

    from lauedepth.core.decoding.cuda._batches import Card

    traces = Traces(np.zeros((1, 261), np.uint16), np.ones(261, bool))
    rays = RayMap.of(twin, [9.0], [9.0])
    monkeypatch.setattr(cuda, "get_current_device", failing(module))
    with pytest.raises(
        BackendUnavailableError, match=r"the GPU failed: \[719\].*--backend cpu"
    ) as told:
        Card().decode(twin, rays, traces, DecodeOptions())
    assert "\n" not in str(told.value)
    monkeypatch.setattr(cuda, "get_current_device", failing("lauedepth.core"))
    with pytest.raises(Exception, match="719") as own:
        Card().decode(twin, rays, traces, DecodeOptions())
    assert not isinstance(own.value, BackendUnavailableError)


def test_a_full_card_is_told_with_numbers() -> None:
    with pytest.raises(
        BackendUnavailableError, match=r"10 MB free, and .* 256 pixels takes \d+ MB"
    ):
        plan_batches(SHAPE, 1_000_000, 10_000_000, H100_PROCESSORS)


def test_a_large_card_gets_the_largest_batches() -> None:
    plan = plan_batches(SHAPE, 1_000_000, 80 * 10**9, H100_PROCESSORS)
    assert (plan.pixels, plan.streams) == (MOST_PIXELS, 2)
    assert plan_batches(SHAPE, 300, 80 * 10**9, H100_PROCESSORS).pixels == 300


def test_kernels_count_as_compiled_when_all_are_in_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from lauedepth.core.decoding.cuda import _kernels

    names = ("transpose", "clean", "search", "place", "second", "clear", "solve")
    for name in names:
        kernel = SimpleNamespace(
            signatures=(),
            stats=SimpleNamespace(cache_path=str(tmp_path)),
            py_func=getattr(_kernels, name).py_func,
        )
        monkeypatch.setattr(_kernels, name, kernel)
    for name in names:
        assert not CudaDecoder().is_compiled()
        (tmp_path / f"_kernels.{name}-95.py311.nbi").touch()
    assert CudaDecoder().is_compiled()


def test_lanes_hold_shorter_searches_of_the_same_frames() -> None:
    roomy = SHAPE.with_margin()
    assert roomy.holds(SHAPE)
    assert not SHAPE.holds(roomy)
    assert SHAPE.or_larger(roomy) == roomy
    assert not roomy.holds(replace(SHAPE, frames=540))
    assert not roomy.holds(replace(SHAPE, item_bytes=4))


def test_traces_of_frames_are_told_from_traces() -> None:
    from lauedepth.core.decoding.cuda._batches import are_frames

    frames = np.zeros((5, 40), np.uint16)
    assert are_frames(frames.T)
    assert are_frames(frames[:, 3:9].T)
    assert not are_frames(np.ascontiguousarray(frames.T))
    assert not are_frames(frames.T[::2])
    assert not are_frames(np.zeros((1, 5), np.uint16))


def test_check_is_told_what_the_card_must_hold(
    twin: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lauedepth.core.decoding.cuda import _batches

    monkeypatch.setattr(_batches.Card, "room", lambda card: (10**10, H100_PROCESSORS))
    told = CudaDecoder().device_memory(twin, DecodeOptions())
    assert (told.free_bytes, told.batch_pixels, told.streams) == (10**10, MOST_PIXELS, 2)
    per_pixel = told.needed_bytes / (2 * MOST_PIXELS)
    assert 261 * 6 + 400 * 4 < per_pixel < 30_000
    monkeypatch.setattr(_batches.Card, "room", lambda card: (10**7, H100_PROCESSORS))
    with pytest.raises(BackendUnavailableError, match="10 MB free"):
        CudaDecoder().device_memory(twin, DecodeOptions())


@given(
    free=st.integers(10**8, 10**11),
    pixels=st.integers(1, 5_000_000),
    frames=st.integers(32, 2000),
    bins=st.integers(1, 2000),
)
def test_memory_is_bounded(free: int, pixels: int, frames: int, bins: int) -> None:
    shape = replace(SHAPE, frames=frames, points=frames + 210, bins=bins)
    try:
        plan = plan_batches(shape, pixels, free, H100_PROCESSORS)
    except BackendUnavailableError:
        return
    assert memory_bytes(plan, shape) <= USED_PART * free
    assert min(pixels, LEAST_PIXELS) <= plan.pixels <= min(pixels, MOST_PIXELS)
    assert 1 <= plan.wide_blocks <= plan.blocks <= plan.pixels
