"""The `cuda` backend's kernels give the reference's answers, on Numba's CUDA simulator."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lauedepth.core.decoding.pixels import PixelStatus

CASES = Path(__file__).with_name("simulator_cases.py")
ONE_THREAD = CASES.with_name("one_thread.py")
SECONDS = 900
Results = dict[str, dict[str, Any]]
DECODED, DARK, INVALID = PixelStatus.DECODED, PixelStatus.DARK, PixelStatus.INVALID


def simulate(*arguments: Path) -> dict[str, Any]:
    return results_of(CASES, *arguments, NUMBA_ENABLE_CUDASIM="1")


def results_of(script: Path, *arguments: Path, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results: dict[str, Any] = json.loads(done.stdout)
    return results


@pytest.fixture(scope="module")
def simulated() -> Results:
    return simulate()


WANTED = {
    "partial_batch_of_frames": ([DECODED, DARK, DECODED], [1, 0, 1]),
    "one_pixel_with_energy": ([DECODED], [1]),
    "two_depths": ([DECODED], [2]),
    "close_depths_in_either_order": ([DECODED, DECODED], [2, 2]),
    "no_room_for_the_columns": ([DECODED], [1]),
    "lost_frames_and_no_light": ([DECODED, DARK, INVALID, DARK], [1, 0, 0, 0]),
    "beside_the_code": ([PixelStatus.OUTSIDE], [0]),
    "whole_warp_of_a_short_trace": ([DECODED], [1]),
}


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


def test_the_search_finds_what_the_reference_does(simulated: Results) -> None:
    found = simulated["places_that_the_search_finds"]
    assert found["hits"] == found["places"] == 3
    assert found["position_um"] < 1e-6
    assert found["extent"] < 1e-9
    assert found["score"] < 1e-4


def test_kernels_agree_on_reference_traces(
    reference_set: Callable[[str], tuple[Any, Any]], tmp_path: Path
) -> None:
    """One trace of each kind, whole, with the energy search; the last batch holds one."""
    experiment, traces = reference_set("twin")
    kinds = ["clean", "faint", "absorbing", "overlap", "dark"]
    chosen = [int(np.flatnonzero(traces.kind == kind)[0]) for kind in kinds]
    given = tmp_path / "traces.pickle"
    given.write_bytes(
        pickle.dumps((experiment, traces.row[chosen], traces.column[chosen], traces.counts[chosen]))
    )
    result = simulate(given)
    assert result["status"] == [DECODED, DECODED, DECODED, DECODED, DARK]
    assert_agreement(result)


@pytest.mark.skipif(
    "LAUEDEPTH_LONG_TESTS" not in os.environ, reason="compiles for minutes: LAUEDEPTH_LONG_TESTS=1"
)
@pytest.mark.parametrize("name", ["norcada", "twin"])
def test_compiled_kernels_agree_on_all_reference_traces(
    name: str, reference_set: Callable[[str], tuple[Any, Any]], tmp_path: Path
) -> None:
    experiment, traces = reference_set(name)
    given = tmp_path / "traces.pickle"
    given.write_bytes(pickle.dumps((experiment, traces.row, traces.column, traces.counts)))
    result = results_of(ONE_THREAD, given, NUMBA_OPT="1", NUMBA_ENABLE_CUDASIM="0")
    assert len(result["status"]) == 200
    assert_agreement(result)


def run_benchmark(*words: str, simulated: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[5]
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", *words],
        cwd=root,
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": simulated, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_the_papers_kernels_agree_with_numpy() -> None:
    """A batch of one, one of three, signals of many lengths."""
    done = run_benchmark("--check", simulated="1")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "baseline's kernels are right" in done.stdout


def test_the_benchmark_without_a_card_says_so() -> None:
    done = run_benchmark(simulated="0")
    assert done.returncode == 3
    assert done.stderr.startswith("nothing was measured: ")
    assert done.stdout == ""
