"""Whole batches give the reference's answers, on Numba's simulator; cards that fail."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lauedepth.core.decoding.answers import Traces
from lauedepth.core.decoding.pixels import DecodeOptions, PixelStatus
from lauedepth.core.errors import BackendUnavailableError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap

DECODED, DARK, INVALID = PixelStatus.DECODED, PixelStatus.DARK, PixelStatus.INVALID
Results = dict[str, dict[str, Any]]
Script = Callable[..., dict[str, Any]]


WANTED = {
    "partial_batch_of_frames": ([DECODED, DARK, DECODED], [1, 0, 1]),
    "one_pixel_with_energy": ([DECODED], [1]),
    "two_depths": ([DECODED], [2]),
    "instrument_as_it_was": ([DECODED, DECODED], [1, 2]),
    "close_depths_in_either_order": ([DECODED, DECODED], [2, 2]),
    "no_room_for_the_columns": ([DECODED], [1]),
    "lost_frames_and_no_light": ([DECODED, DARK, INVALID, DARK], [1, 0, 0, 0]),
    "beside_the_code": ([PixelStatus.OUTSIDE], [0]),
    "whole_warp_of_a_short_trace": ([DECODED], [1]),
}


@pytest.fixture(scope="module")
def simulated(run_script: Script) -> Results:
    return run_script("simulator_cases.py", NUMBA_ENABLE_CUDASIM="1")


def assert_agreement(result: dict[str, Any]) -> None:
    assert result["status"] == result["reference_status"]
    assert result["same_known"]
    assert result["depth_um"] < 0.01
    assert result["depth_error_um"] < 0.01
    assert result["width_um"] < 0.05
    assert result["absorption"] < 0.02
    assert result["bins_apart"] <= 1
    assert result["footprint"] < 0.05


@pytest.mark.parametrize("case", WANTED)
def test_kernels_agree_with_the_reference(simulated: Results, case: str) -> None:
    statuses, depths = WANTED[case]
    assert simulated[case]["status"] == statuses
    assert simulated[case]["depths"] == depths
    assert_agreement(simulated[case])


def test_streams_stay_from_call_to_call(simulated: Results) -> None:
    told = simulated["streams_stay_from_call_to_call"]
    assert told["same_streams"] == [True, True, True]
    assert [one["status"] for one in told["results"]] == [[DECODED] * 2, [DECODED], [DECODED] * 2]
    for one in told["results"]:
        assert_agreement(one)


def test_kernels_agree_on_reference_traces(
    reference_set: Callable[[str], tuple[Any, Any]], tmp_path: Path, run_script: Script
) -> None:
    """One trace of each kind, whole, with the energy search; the last batch holds one."""
    experiment, traces = reference_set("twin")
    kinds = ["clean", "faint", "absorbing", "overlap", "dark"]
    chosen = [int(np.flatnonzero(traces.kind == kind)[0]) for kind in kinds]
    given = tmp_path / "traces.pickle"
    given.write_bytes(
        pickle.dumps((experiment, traces.row[chosen], traces.column[chosen], traces.counts[chosen]))
    )
    result = run_script("simulator_cases.py", given, NUMBA_ENABLE_CUDASIM="1")
    assert result["status"] == [DECODED, DECODED, DECODED, DECODED, DARK]
    assert_agreement(result)


@pytest.mark.skipif(
    "LAUEDEPTH_LONG_TESTS" not in os.environ, reason="compiles for minutes: LAUEDEPTH_LONG_TESTS=1"
)
@pytest.mark.parametrize("name", ["norcada", "twin"])
def test_compiled_kernels_agree_on_all_reference_traces(
    name: str,
    reference_set: Callable[[str], tuple[Any, Any]],
    tmp_path: Path,
    run_script: Script,
) -> None:
    experiment, traces = reference_set(name)
    given = tmp_path / "traces.pickle"
    given.write_bytes(pickle.dumps((experiment, traces.row, traces.column, traces.counts)))
    result = run_script("one_thread.py", given, NUMBA_OPT="1", NUMBA_ENABLE_CUDASIM="0")
    assert len(result["status"]) == 200
    assert_agreement(result)


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


def test_traces_of_frames_are_told_from_traces() -> None:
    from lauedepth.core.decoding.cuda._batches import are_frames

    frames = np.zeros((5, 40), np.uint16)
    assert are_frames(frames.T)
    assert are_frames(frames[:, 3:9].T)
    assert not are_frames(np.ascontiguousarray(frames.T))
    assert not are_frames(frames.T[::2])
    assert not are_frames(np.zeros((1, 5), np.uint16))
