"""Ranges past a point's end, and the mask of an experiment, up to the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from lauedepth.config import ExperimentConfig
from lauedepth.config.pixel_mask import PixelMask
from lauedepth.core.decoding.pixels import PixelStatus
from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.core.notices import note
from lauedepth.io import read_result
from lauedepth.tasks.reconstruct import (
    fit_to_point,
    open_for,
    reconstruct_point,
    with_threshold,
)
from lauedepth.tasks.reconstruct.selection import select_pixels

if TYPE_CHECKING:
    from .conftest import SmallPoint


def changed(config: ExperimentConfig, section: str, **values: object) -> ExperimentConfig:
    part = getattr(config, section).model_copy(update=values)
    return config.model_copy(update={section: part})


def test_a_range_past_the_end_is_cut_with_a_warning(small_point: SmallPoint) -> None:
    config = changed(small_point.config, "data", stop_frame=300, may_end_early=True)
    fitted = fit_to_point(config, small_point.path)
    assert fitted.data.stop_frame == 261
    (told,) = fitted.notices
    assert told.code == "range-cut"
    assert "has 261 frames, so the range is cut at 261 instead of 300" in told.what
    with open_for(fitted, small_point.path) as point:
        assert len(point.frames) == 261


def test_a_range_within_the_point_stays(small_point: SmallPoint) -> None:
    config = changed(small_point.config, "data", may_end_early=True)
    fitted = fit_to_point(config, small_point.path)
    assert fitted == config
    assert fitted.notices == ()


def test_a_range_that_begins_past_the_end_is_refused(small_point: SmallPoint) -> None:
    config = changed(
        small_point.config, "data", first_frame=260, stop_frame=500, may_end_early=True
    )
    with pytest.raises(InputError, match="range begins at 260"):
        fit_to_point(config, small_point.path)


def test_frames_that_may_be_lost_are_refused(small_point: SmallPoint) -> None:
    config = changed(small_point.config, "data", stop_frame=300)
    for refusing in (fit_to_point, open_for):
        with pytest.raises(InputError, match="has 261 frames, the experiment needs 300"):
            refusing(config, small_point.path)


def masked(small: SmallPoint) -> ExperimentConfig:
    mask = np.zeros((2048, 2048), bool)
    mask[905:915, 1000:] = True
    return changed(small.config, "selection", mask=PixelMask.of(mask), min_mean_counts=1e9)


def test_the_mask_of_an_experiment_chooses_bright_or_not(small_point: SmallPoint) -> None:
    config = masked(small_point)
    with open_for(config, small_point.path) as point:
        chosen = select_pixels(point, config)
        assert chosen.sum() == 10 * 48
        assert chosen[5:15].all()
        by_number = select_pixels(point, with_threshold(config, 0.0))
        assert by_number.all()


def test_a_mask_that_was_not_found_chooses_nothing(small_point: SmallPoint) -> None:
    config = changed(small_point.config, "selection", mask="gone.npy")
    with (
        open_for(config, small_point.path) as point,
        pytest.raises(ConfigurationError, match=r"gone\.npy: the mask .* was not found"),
    ):
        select_pixels(point, config)


def test_both_reach_the_result(small_point: SmallPoint, tmp_path: Path) -> None:
    config = changed(masked(small_point), "data", stop_frame=300, may_end_early=True)
    config = changed(config, "instrument", learn="off")
    config = config.with_notices([note("keys-ignored", "one key is ignored", "a.yml")])
    summary = reconstruct_point(small_point.path, config, tmp_path / "result.h5", backend="cpu")
    assert summary.pixels == 10 * 48
    assert summary.statuses["decoded"] > 20
    assert [one.code for one in summary.notices] == ["keys-ignored", "range-cut"]
    assert read_result(summary.output).notices == summary.notices
    resumed = reconstruct_point(
        small_point.path, config, tmp_path / "result.h5", backend="cpu", resume=True
    )
    assert [one.code for one in resumed.notices] == [
        "keys-ignored",
        "range-cut",
        "finished-already",
    ]
    again = reconstruct_point(
        small_point.path, replace_frames(config), tmp_path / "plain.h5", backend="cpu"
    )
    assert again.statuses == summary.statuses


def replace_frames(config: ExperimentConfig) -> ExperimentConfig:
    frames = replace(config.to_core().frames, stop=261)
    return changed(config, "data", stop_frame=frames.stop, may_end_early=False)


def test_the_experiment_s_frames_are_the_point_s(small_point: SmallPoint) -> None:
    config = small_point.config
    with open_for(config, small_point.path) as point:
        assert point.frames == config.to_core().frames
        assert point.region.start == (1000, 900)
        assert point.read_rows(3, 4).nbytes == point.row_bytes


def test_a_point_with_too_few_frames_is_refused(small_point: SmallPoint) -> None:
    config = small_point.config
    data = config.data.model_copy(update={"stop_frame": 9999})
    with pytest.raises(InputError, match="the experiment needs 9999"):
        open_for(config.model_copy(update={"data": data}), small_point.path)


@pytest.mark.parametrize(("first", "stride"), [(0, 2), (7, 1), (5, 3)])
def test_frames_in_between_and_before_change_no_depth(
    small_point: SmallPoint, tmp_path: Path, first: int, stride: int
) -> None:
    """Frames before the scan and each one repeated: what is used is the plain scan."""
    path = tmp_path / "longer.h5"
    with h5py.File(small_point.path) as source, h5py.File(path, "w") as file:
        plain = source["entry1/data/data"][:]
        before = np.full((first, *plain.shape[1:]), 77, plain.dtype)
        file["entry1/data/data"] = np.concatenate([before, np.repeat(plain, stride, axis=0)])
        source.copy("entry1/detector", file["entry1"])
    motion = small_point.config.motion
    step_um = motion.step_um / stride
    config = changed(
        small_point.config,
        "data",
        first_frame=first,
        stop_frame=first + 261 * stride,
        stride=stride,
    )
    config = changed(
        config, "motion", step_um=step_um, shift_mm=motion.shift_mm - 1e-3 * first * step_um
    )
    depths = []
    for point, told in ((small_point.path, small_point.config), (path, config)):
        reconstruct_point(point, told, tmp_path / "result.h5", backend="cpu")
        pixels = read_result(tmp_path / "result.h5").pixels
        depths.append(np.sort(pixels["depth"][pixels["status"] == PixelStatus.DECODED]))
    np.testing.assert_allclose(depths[1], depths[0], atol=1e-3)
    assert depths[0].size > 60


def test_a_given_mask_takes_the_place_of_one_not_found(
    small_point: SmallPoint, tmp_path: Path
) -> None:
    config = changed(small_point.config, "selection", mask="gone.npy")
    mask = np.zeros((2048, 2048), bool)
    mask[905:907, 1000:1010] = True
    output = tmp_path / "result.h5"
    with pytest.raises(ConfigurationError, match="was not found"):
        reconstruct_point(small_point.path, config, output, backend="cpu")
    summary = reconstruct_point(small_point.path, config, output, pixels=mask, backend="cpu")
    assert summary.pixels == 20
    summary = reconstruct_point(small_point.path, config, output, pixels=1e6, backend="cpu")
    assert summary.pixels == 0
