"""What a run says of a point whose experiment is right, and of one that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lauedepth.config import ExperimentConfig
from lauedepth.core.notices import Level
from lauedepth.io import read_result
from lauedepth.tasks.reconstruct import reconstruct_point

if TYPE_CHECKING:
    from .conftest import SmallPoint


def changed(config: ExperimentConfig, section: str, **values: object) -> ExperimentConfig:
    part = getattr(config, section).model_copy(update=values)
    return config.model_copy(update={section: part})


def test_a_good_point_is_not_warned_of(small_point: SmallPoint, tmp_path: Path) -> None:
    summary = reconstruct_point(small_point.path, small_point.config, tmp_path / "r.h5")
    assert [one for one in summary.notices if one.level is Level.WARNING] == []


@pytest.mark.parametrize(
    ("section", "change", "codes"),
    [
        ("aperture", {"reversed": True}, ["few-pixels-decoded", "code-reversed"]),
        (
            "aperture",
            {"open_width_um": 7.5, "bar_width_um": 15.0},
            ["few-pixels-decoded", "widths-swapped"],
        ),
        ("motion", {"step_um": -1.0}, ["few-pixels-decoded", "step-reversed"]),
        ("selection", {"min_mean_counts": 0.0}, ["no-coded-light"]),
    ],
)
def test_a_mistake_is_named_in_summary_and_result(
    small_point: SmallPoint,
    tmp_path: Path,
    section: str,
    change: dict[str, object],
    codes: list[str],
) -> None:
    config = changed(small_point.config, section, **change)
    if codes == ["no-coded-light"]:  # only the unlit part of the image
        config = changed(config, "selection", rows_px=(1000, 1029))
    output = tmp_path / "r.h5"
    summary = reconstruct_point(small_point.path, config, output)
    found = [one.code for one in summary.notices if one.level is Level.WARNING]
    assert [code for code in codes if code in found] == codes
    assert read_result(output).notices == summary.notices


def test_pixels_saturated_in_part_are_warned_of(small_point: SmallPoint, tmp_path: Path) -> None:
    config = changed(small_point.config, "detector", saturation_counts=500.0)
    summary = reconstruct_point(small_point.path, config, tmp_path / "r.h5")
    assert "pixels-partly-measured" in [one.code for one in summary.notices]
