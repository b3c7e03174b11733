"""Scans in which the aperture moves on while frames are exposed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from lauedepth.config import ExperimentConfig
from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.geometry import aperture_centres, scan_direction
from lauedepth.simulation import Flaws, Footprints, flawed_traces
from lauedepth.tasks.reconstruct.fly_scan import smear_um
from lauedepth.tasks.reconstruct.range_cut import fit_to_point

from .conftest import experiment, simulated, write


def _flying(position_at: str, **data: object) -> ExperimentConfig:
    document = experiment().model_dump(mode="json")
    document["motion"] |= {"exposure_steps": 0.8, "position_at": position_at}
    document["data"] |= data
    return ExperimentConfig.model_validate(document)


@pytest.mark.parametrize(("position_at", "on"), [("start", 0.4), ("middle", 0.0), ("end", -0.4)])
def test_the_aperture_stands_where_it_is_at_the_middle_of_an_exposure(
    position_at: str, on: float
) -> None:
    stopping, flying = experiment().to_core(), _flying(position_at).to_core()
    frames = np.array([0.0, 17.0])
    moved = aperture_centres(flying, frames) - aperture_centres(stopping, frames)
    along = moved @ scan_direction(stopping.motion)
    assert along == pytest.approx(1e-3 * on * stopping.motion.step_um)
    assert ExperimentConfig.from_core(flying).to_core() == flying


@pytest.mark.parametrize(("position_at", "later"), [("start", 0.4), ("end", -0.4)])
def test_measured_positions_are_moved_on_to_the_middle(
    tmp_path: Path, position_at: str, later: float
) -> None:
    time = np.arange(261.0)

    def place(at: Floats) -> Floats:
        return np.asarray(at + 4.0 * np.sin(at / 15.0))

    point = simulated()
    write(tmp_path / "point.h5", point, metadata={"entry1/encoder": place(time)})
    asked = _flying(position_at, positions="entry1/encoder")
    found = fit_to_point(asked, tmp_path / "point.h5")
    assert "fly-scan" in [one.code for one in found.notices]
    off = np.asarray(found.motion.positions_um) - place(time + later)
    assert np.std(off[1:-1]) < 0.01
    unmoved = place(time) - place(time + later)
    assert np.std(unmoved) > 0.05


def test_what_is_smeared_looks_like_a_longer_footprint() -> None:
    """A thin source in a fly scan against a source as long as what is said, in one that stops."""
    core = experiment().to_core()
    columns, rows = core.detector.shape
    centre, place = np.array([rows / 2]), np.array([columns / 2])
    flying = replace(core, motion=replace(core.motion, exposure_steps=1.0))
    length = smear_um(flying)
    parts = 40
    depth = 50.0 + length * ((np.arange(parts) + 0.5) / parts - 0.5)

    def trace(depths: Floats, flaws: Flaws) -> Floats:
        count = depths.size
        light = Footprints(
            depths[None, :],
            np.full((1, count), 0.01),
            np.full((1, count), 1000.0 / count),
            np.full((1, count), 12.0),
        )
        expected, _, _ = flawed_traces(core, centre, place, light, flaws, background=0.0)
        return np.asarray(expected[0], np.float64)

    smeared = trace(np.array([50.0]), Flaws(smear=1.0))
    longer = trace(depth, Flaws())
    thin = trace(np.array([50.0]), Flaws())
    assert 0.1 < length < 10.0
    assert np.abs(smeared - longer).max() < 0.2 * np.abs(smeared - thin).max()


def test_a_part_of_the_exposure_needs_an_exposure() -> None:
    document = experiment().model_dump(mode="json")
    document["motion"]["position_at"] = "start"
    with pytest.raises(ValidationError, match="exposure_steps is 0"):
        ExperimentConfig.model_validate(document)
