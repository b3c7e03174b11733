"""The instrument learnt from a point on disk, before it is decoded with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from lauedepth.config import ExperimentConfig
from lauedepth.core.notices import Level
from lauedepth.core.progress import no_progress
from lauedepth.io import read_result
from lauedepth.io.layout import INSTRUMENT
from lauedepth.simulation import Flaws
from lauedepth.tasks.reconstruct.point import reconstruct_point

from .conftest import experiment, simulated, write

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import SmallPoint

DEPARTED = Flaws(edges_um=0.3, jitter_um=0.3, motor_drift_um=1.0, top_up=0.2)


def asked(config: ExperimentConfig, learn: object) -> ExperimentConfig:
    document = config.model_dump(mode="json") | {"instrument": {"learn": learn}}
    return ExperimentConfig.model_validate(document)


def test_a_departing_instrument_is_learnt_used_and_kept(tmp_path: Path) -> None:
    write(tmp_path / "point.h5", simulated(DEPARTED, energy_kev=14.0, intensity=4000.0))
    output = {}
    for learn in ("off", "auto"):
        output[learn] = tmp_path / f"{learn}.h5"
        summary = reconstruct_point(
            tmp_path / "point.h5",
            asked(experiment(), learn),
            output[learn],
            backend="cpu",
            progress=no_progress,
        )
    assert "instrument-learnt" in [one.code for one in summary.notices]
    before, after = (read_result(output[learn]).pixels for learn in ("off", "auto"))
    assert np.nanmedian(after["residual"]) < 1.1 < np.nanmedian(before["residual"])
    assert np.isfinite(after["depth"]).sum() < np.isfinite(before["depth"]).sum()
    assert read_result(output["off"]).instrument() is None
    learnt = read_result(output["auto"]).instrument()
    assert learnt is not None and learnt["edges_um"].shape == learnt["edge_error_um"].shape
    with h5py.File(output["off"]) as file:
        assert INSTRUMENT not in file
    with h5py.File(output["auto"]) as file:
        kept: dict[str, Any] = {name: one[()] for name, one in file[INSTRUMENT].items()}
    assert kept["accepted"] == 1 and kept["gain_sigma"] > 3
    before, after = kept["held_out_before"], kept["held_out_after"]
    assert before.shape == after.shape == (kept["pixels_held_out"],)
    assert np.median(after) < 1.1 < np.median(before)
    assert kept["position_um"].shape == kept["position_error_um"].shape == (261,)
    truth = np.log(simulated(DEPARTED).timeline.current)
    assert np.corrcoef(kept["log_beam"], truth)[0, 1] > 0.98
    assert b"position" in kept["departed"] and b"beam" in kept["departed"]


def test_a_perfect_instrument_gives_the_same_depths(
    point_through_bars: SmallPoint, tmp_path: Path
) -> None:
    found = []
    for learn in ("off", "auto"):
        config = asked(point_through_bars.config, learn)
        output = tmp_path / f"{learn}.h5"
        summary = reconstruct_point(point_through_bars.path, config, output, backend="cpu")
        found.append(read_result(output).pixels["depth"])
    np.testing.assert_array_equal(found[0], found[1])
    codes = {one.code: one.level for one in summary.notices}
    assert codes["instrument"] == Level.NOTE


def test_a_point_with_few_pixels_is_decoded_as_designed(
    small_point: SmallPoint, tmp_path: Path
) -> None:
    few = np.zeros((2048, 2048), np.bool_)
    few[900:912, 1000:1010] = True
    output = tmp_path / "few.h5"
    summary = reconstruct_point(
        small_point.path, asked(small_point.config, "auto"), output, backend="cpu", pixels=few
    )
    assert "instrument-not-learnt" in [one.code for one in summary.notices]
    with h5py.File(output) as file:
        assert INSTRUMENT not in file
