"""The background of a point on disk, and the intensities that come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.config import ExperimentConfig
from lauedepth.core.decoding.pixels import PixelFlag
from lauedepth.io import read_result
from lauedepth.tasks.reconstruct.point import reconstruct_point

from .conftest import experiment, simulated, write

if TYPE_CHECKING:
    from pathlib import Path

BACKGROUND = 5.0


def _asked(**decode: object) -> ExperimentConfig:
    document = experiment().model_dump(mode="json")
    document["decode"] |= decode
    document["instrument"] |= {"learn": "off"}
    return ExperimentConfig.model_validate(document)


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A point of 20 keV."""
    path = tmp_path_factory.mktemp("hard") / "point.h5"
    write(path, simulated(energy_kev=20.0, intensity=4000.0))
    return path


def _shares(output: Path) -> npt.NDArray[np.float64]:
    """Return intensities relative to the simulator's truth, pixel by pixel."""
    pixels = read_result(output).pixels
    found = np.isfinite(pixels["intensity"])
    truth = simulated(energy_kev=20.0, intensity=4000.0).truth
    place = truth["row"].astype(np.int64) * 10_000 + truth["column"]
    intensity = dict(zip(place.tolist(), truth["intensity"].tolist(), strict=True))
    where = pixels["row"][found].astype(np.int64) * 10_000 + pixels["column"][found]
    wanted = np.array([intensity.get(one, np.nan) for one in where.tolist()])
    return np.asarray(pixels["intensity"][found] / wanted)


@pytest.mark.parametrize("pixels", [None, "mask"])
def test_unlit_neighbours_give_hard_x_rays_their_intensity(
    hard: Path, tmp_path: Path, pixels: str | None
) -> None:
    chosen = None
    if pixels == "mask":
        chosen = np.zeros((2048, 2048), np.bool_)
        chosen[900:1100, 1000:1048] = True
    summary = reconstruct_point(
        hard, _asked(energy={}), tmp_path / "r.h5", backend="cpu", pixels=chosen
    )
    assert "background-unknown" not in [one.code for one in summary.notices]
    shares = _shares(tmp_path / "r.h5")
    assert np.nanmean(np.abs(shares - 1.0) < 0.1) >= 0.8
    table = read_result(tmp_path / "r.h5").pixels
    lit = np.isfinite(table["intensity"])
    assert np.abs(table["background"][lit] - BACKGROUND).max() < 0.5
    assert table["background_error"][lit].max() < 0.5
    assert np.mean(np.abs(table["energy"][lit] / 20.0 - 1.0) < 0.05) >= 0.6


def test_a_stated_background_is_taken(hard: Path, tmp_path: Path) -> None:
    config = _asked(background_counts=BACKGROUND)
    reconstruct_point(hard, config, tmp_path / "r.h5", backend="cpu")
    table = read_result(tmp_path / "r.h5").pixels
    lit = np.isfinite(table["intensity"])
    assert np.all(table["background"][lit] == BACKGROUND)
    assert not table["background_error"][lit].any()


def test_where_everything_is_lit_the_result_says_so(hard: Path, tmp_path: Path) -> None:
    config = _asked(energy={})
    summary = reconstruct_point(hard, config, tmp_path / "r.h5", backend="cpu", pixels=0.0)
    assert "background-unknown" in [one.code for one in summary.notices]
    table = read_result(tmp_path / "r.h5").pixels
    lit = np.isfinite(table["intensity"])
    assert (table["flags"][lit] & PixelFlag.BACKGROUND_UNCERTAIN).all()
    assert np.isnan(table["energy"]).all()
