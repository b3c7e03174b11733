"""Beam and positions that a point's file holds for each frame."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from pydantic import ValidationError

from lauedepth.config import ExperimentConfig
from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Region
from lauedepth.io import open_point, read_result, write_series
from lauedepth.simulation import Flaws
from lauedepth.tasks.reconstruct.point import reconstruct_point
from lauedepth.tasks.reconstruct.range_cut import fit_to_point

from .conftest import experiment, simulated, write

CHANGING = Flaws(beam_steps=((100, 0.5), (130, 1.0)), drift=-0.1, top_up=0.05)
MONITOR = "entry1/monitor/I0"


def _asking(**data: object) -> ExperimentConfig:
    document = experiment().model_dump(mode="json")
    document["data"] |= data
    document["instrument"] = {"learn": "off"}
    return ExperimentConfig.model_validate(document)


def _write(path: Path, flaws: Flaws, **values: Floats) -> Floats:
    """Write a point with datasets of its frames; return how bright the beam was."""
    point = simulated(flaws)
    write(path, point, metadata={f"entry1/{name}": value for name, value in values.items()})
    return point.timeline.current


def _decoded(config: ExperimentConfig, point: Path, output: Path) -> tuple[Floats, list[str]]:
    summary = reconstruct_point(point, config, output, backend="cpu")
    residual = read_result(output).pixels["residual"]
    return residual[np.isfinite(residual)], [one.code for one in summary.notices]


def test_a_monitor_takes_the_beam_out(tmp_path: Path) -> None:
    current = simulated(CHANGING).timeline.current
    noisy = 7e4 * current * np.random.default_rng(0).normal(1.0, 0.002, current.size)
    _write(tmp_path / "point.h5", CHANGING, **{"monitor/I0": noisy})
    found, codes = _decoded(_asking(), tmp_path / "point.h5", tmp_path / "with.h5")
    even, none = _decoded(_asking(monitor=False), tmp_path / "point.h5", tmp_path / "without.h5")
    assert np.median(found) < 1.1
    assert np.median(even) > 1.5
    assert "monitor-used" in codes and "monitor-used" not in none
    with h5py.File(tmp_path / "with.h5") as file:
        assert b"monitor-used" in file["entry1/reconstruction/notices"][()]


def test_the_beam_is_that_of_the_monitor_in_each_layout(tmp_path: Path) -> None:
    values = np.linspace(50.0, 40.0, 261)
    _write(tmp_path / "point.h5", Flaws(), other=values.reshape(-1, 1))
    beam = fit_to_point(_asking(monitor="entry1/other"), tmp_path / "point.h5").beam_intensity
    assert beam == pytest.approx(values / np.median(values))
    frames = np.zeros((6, 4, 4), np.uint16) + 3
    write_series(
        tmp_path / "series",
        "run",
        list(frames),
        6,
        region=Region((4, 4)),
        detector=experiment().to_core().detector,
        sample_xyz=(0.0, 0.0, 0.0),
    )
    for number, file in enumerate(sorted((tmp_path / "series").iterdir())):
        with h5py.File(file, "r+") as one:
            one["entry1/monitor/I0"] = 10.0 + number
    with open_point(tmp_path / "series") as point:
        assert point.values(MONITOR).tolist() == [10, 11, 12, 13, 14, 15]


def test_frames_without_beam_are_left_out_and_named(tmp_path: Path) -> None:
    values = np.full(261, 1e-9)
    values[[7, 8, 200]] = [0.0, np.nan, 1e-12]
    _write(tmp_path / "point.h5", Flaws(), **{"monitor/I0": values})
    config = fit_to_point(_asking(), tmp_path / "point.h5")
    assert config.data.ignored_frames == (7, 8, 200)
    (said,) = [one for one in config.notices if one.code == "no-beam"]
    assert "7...8, 200" in said.what


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.ones(260), "260 values for 261 images"),
        (np.zeros(261), "no beam"),
        (np.where(np.arange(261) % 3 == 0, 0.0, 1.0), "no beam in 33%"),
        (np.array(5.0), "1 values for 261 images"),
        (np.ones((261, 2)), "522 values"),
        (np.array([b"x"] * 261), "no list of numbers"),
        (None, "there is no dataset"),
    ],
)
def test_a_monitor_that_cannot_be_used_is_warned_of(
    tmp_path: Path, values: Floats | None, reason: str
) -> None:
    _write(tmp_path / "point.h5", Flaws(), **({} if values is None else {"beam": values}))
    config = fit_to_point(_asking(monitor="entry1/beam"), tmp_path / "point.h5")
    (said,) = [one for one in config.notices if one.code == "monitor-not-used"]
    assert reason in said.what and config.beam_intensity is None


def test_no_monitor_is_no_news(tmp_path: Path) -> None:
    _write(tmp_path / "point.h5", Flaws())
    assert fit_to_point(_asking(), tmp_path / "point.h5") == _asking()


def test_columns_of_a_log_beside_the_point_are_taken(tmp_path: Path) -> None:
    _write(tmp_path / "point.h5", Flaws())
    beam, place = np.linspace(50.0, 40.0, 261), np.arange(261.0)
    lines = [f"{k:.0f}, {a:.9g}, {b:.9g}" for k, a, b in zip(place, beam, place / 1e3, strict=True)]
    text = "\n".join(["# scan 7", "# frame, I0, encoder mm", *lines])
    (tmp_path / "point.log").write_text(text)
    keys = {"monitor": "log:I0", "positions": "log:encoder mm", "position_scale_um": 1000}
    asked = _asking(frame_log="{point}.log", **keys)
    found = fit_to_point(asked, tmp_path / "point.h5")
    assert found.beam_intensity == pytest.approx(beam / np.median(beam))
    assert found.motion.positions_um == pytest.approx(place, abs=1e-6)
    with pytest.raises(ValidationError, match="no frame_log"):
        _asking(positions="log:encoder")


def test_positions_take_the_motion_out(tmp_path: Path) -> None:
    drifting = Flaws(motor_drift_um=4.0, jitter_um=0.5)
    place = simulated(drifting).timeline.position * experiment().motion.step_um
    # An encoder that counts backwards, in mm, from somewhere.
    _write(tmp_path / "point.h5", drifting, encoder=17.0 - 1e-3 * place)
    asked = _asking(positions="entry1/encoder", position_scale_um=-1000.0)
    found, codes = _decoded(asked, tmp_path / "point.h5", tmp_path / "with.h5")
    even, _ = _decoded(_asking(), tmp_path / "point.h5", tmp_path / "without.h5")
    assert np.median(found) < 1.1
    assert np.median(even) > 1.5
    assert "positions-used" in codes
    kept = read_result(tmp_path / "with.h5").provenance
    assert kept is not None
    read = ExperimentConfig.model_validate_json(kept.configuration)
    assert read.data.positions is None
    assert np.ptp(np.asarray(read.motion.positions_um) - place) < 1e-6


@pytest.mark.parametrize(
    ("encoder", "scale", "reason"),
    [
        (np.arange(261.0), 1000.0, "advance by 1e+03 µm"),
        (np.arange(261.0) / 1000, 1.0, "they are in mm, it seems"),
        (np.arange(261.0) / -1000, 1.0, "in mm, it seems, and count against the scan"),
        (np.ones(261), 1.0, "they stay where they are"),
        (np.arange(261.0), -1.0, "with the same sign"),
        (np.r_[np.arange(261.0), 1.0, 0.0], 1.0, "263 values for 261 images"),
        (np.where(np.arange(261) < 100, np.nan, 1.0), 1.0, "known in only 62%"),
        (np.ones(3), 1.0, "3 values for 261 images"),
        (None, 1.0, "there is no dataset"),
    ],
)
def test_positions_that_cannot_be_are_refused(
    tmp_path: Path, encoder: Floats | None, scale: float, reason: str
) -> None:
    _write(tmp_path / "point.h5", Flaws(), **({} if encoder is None else {"encoder": encoder}))
    asked = _asking(positions="entry1/encoder", position_scale_um=scale)
    with pytest.raises(InputError) as caught:
        fit_to_point(asked, tmp_path / "point.h5")
    assert reason in str(caught.value)


def test_what_is_known_is_said_once() -> None:
    document = experiment().model_dump(mode="json")
    document["beam_intensity"] = [1.0] * 261
    document["data"]["monitor"] = MONITOR
    with pytest.raises(ValidationError, match="both given"):
        ExperimentConfig.model_validate(document)


def test_an_array_stored_at_its_full_length_is_taken_to_the_last_frame(tmp_path: Path) -> None:
    values = np.linspace(50.0, 40.0, 261)
    stored = np.zeros(1000)
    stored[:261] = values
    _write(tmp_path / "point.h5", Flaws(), **{"monitor/I0": stored})
    beam = fit_to_point(_asking(), tmp_path / "point.h5").beam_intensity
    assert beam == pytest.approx(values / np.median(values))


def test_an_offset_of_the_monitor_is_taken_off(tmp_path: Path) -> None:
    values = np.linspace(50.0, 40.0, 261)
    _write(tmp_path / "point.h5", Flaws(), **{"monitor/I0": values + 30.0})
    beam = fit_to_point(_asking(monitor_offset=30.0), tmp_path / "point.h5").beam_intensity
    assert beam == pytest.approx(values / np.median(values))


@pytest.mark.parametrize(("scatter", "warned"), [(0.01, False), (0.04, True)])
def test_a_monitor_that_scatters_is_warned_of(tmp_path: Path, scatter: float, warned: bool) -> None:
    values = np.random.default_rng(1).normal(1.0, scatter, 261)
    values *= simulated(CHANGING).timeline.current
    _write(tmp_path / "point.h5", CHANGING, **{"monitor/I0": values})
    config = fit_to_point(_asking(), tmp_path / "point.h5")
    assert ("monitor-noisy" in [one.code for one in config.notices]) == warned


def test_positions_that_are_odd_in_some_frames_are_named(tmp_path: Path) -> None:
    place = np.arange(261.0)
    stored = place.copy()
    stored[[0, 100, 260]] = np.nan
    stored[[30, 40]] = stored[[40, 30]]
    _write(tmp_path / "point.h5", Flaws(), encoder=stored)
    config = fit_to_point(_asking(positions="entry1/encoder"), tmp_path / "point.h5")
    said = {one.code: one.what for one in config.notices}
    assert "frames 0, 100, 260" in said["positions-missing"]
    assert "frames 31, 40" in said["positions-turn-back"]
    found = np.asarray(config.motion.positions_um)
    assert np.delete(found - place, [30, 40]) == pytest.approx(0.0, abs=1e-2)
