"""Each kernel by itself gives back what was simulated (`kernel_cases.py`)."""

from __future__ import annotations

from typing import Any

import pytest

from lauedepth.core.decoding.compiled.types import AMBIGUOUS, DARK, NO_MATCH, PENDING

Results = dict[str, dict[str, Any]]


@pytest.mark.parametrize("kernel", ["transpose", "clean"])
def test_traces_are_made_of_readings(kernels: Results, kernel: str) -> None:
    assert kernels[kernel] == {"wrong": 0}


def test_search_finds_what_the_reference_does(kernels: Results) -> None:
    found = kernels["search"]
    assert found["hits"] == found["places"] == 3
    assert found["position_um"] < 1e-6
    assert found["extent"] < 1e-9
    assert found["score"] < 1e-4


def test_fit_candidates_finds_the_box_that_was_simulated(kernels: Results) -> None:
    found = kernels["fit_candidates"]
    assert found["centre_um"] == pytest.approx(40.0, abs=1e-3)
    assert found["width_um"] == pytest.approx(6.0, abs=1e-3)
    assert found["intensity"] == pytest.approx(600.0, rel=1e-4)
    assert not found["rivalled"]


def test_add_second_box_finds_both_that_were_simulated(kernels: Results) -> None:
    found = kernels["add_second_box"]
    assert found["boxes"] == [2, 1]
    assert found["centres_um"] == pytest.approx([20.0, 75.0], abs=1e-2)
    assert found["gain"] > 1000


def test_refit_transparent_finds_the_absorption_of_the_energy_simulated(kernels: Results) -> None:
    found = kernels["refit_transparent"]
    assert found["absorption"] == pytest.approx(found["wanted"], rel=1e-3)
    assert found["centre_um"] == pytest.approx(40.0, abs=1e-2)


def test_judge_fits_leaves_pending_what_may_be_solved(kernels: Results) -> None:
    statuses = kernels["judge_fits"]["statuses"]
    assert statuses == [PENDING, NO_MATCH, AMBIGUOUS, PENDING, DARK]
