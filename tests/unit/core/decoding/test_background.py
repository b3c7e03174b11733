"""Background between spots, and what it tells of light that passes the bars."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.core.decoding.background import TILE, Background, BackgroundMap
from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.pixels import DecodedPixels, DecodeOptions, EnergySearch, PixelFlag
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.simulation import Footprints, expected_traces

FRAMES = 261
LEVEL = 20.0
PIXELS = 60


def _image(
    shape: tuple[int, int], slope: float, seed: int = 1
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the mean image of spots on a sloping background, the background, what is lit."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[: shape[0], : shape[1]]
    background = LEVEL + slope * column / 100.0
    light = background.copy()
    for _ in range(shape[0] * shape[1] // 4_000 + 1):
        centre, strength = rng.uniform(0, shape, 2), 10 ** rng.uniform(0.5, 3.5)
        distance = (row - centre[0]) ** 2 + (column - centre[1]) ** 2
        light += strength * np.exp(-distance / 2 / rng.uniform(1.5, 3.0) ** 2)
    mean = rng.poisson(light * FRAMES) / FRAMES
    return mean, background, mean > background.max() + 4.0


@pytest.mark.parametrize(
    ("shape", "slope"), [((300, 500), 0.0), ((300, 500), 1.0), ((48, 70), 0.0)]
)
def test_the_background_is_measured_between_spots(shape: tuple[int, int], slope: float) -> None:
    mean, background, lit = _image(shape, slope)
    found = BackgroundMap.of(mean, lit).at(*np.nonzero(lit))
    off = found.level - background[lit]
    assert np.abs(off).max() < 0.5
    assert np.sqrt(np.mean((off / found.error) ** 2)) < 1.3
    assert found.error.max() < 0.5


def test_dead_hot_and_bad_pixels_do_not_count() -> None:
    rng = np.random.default_rng(3)
    mean = rng.poisson(np.full((64, 64), LEVEL * FRAMES)) / FRAMES
    mean[rng.random(mean.shape) < 0.03] = 0.0
    mean[rng.random(mean.shape) < 0.03] = 5000.0
    mean[rng.random(mean.shape) < 0.03] = np.nan
    found = BackgroundMap.of(mean, np.zeros(mean.shape, np.bool_)).at(np.array([30]), np.array([5]))
    assert found.level == pytest.approx(LEVEL, abs=0.1)


def test_where_all_is_lit_neighbours_tell_or_nobody() -> None:
    rng = np.random.default_rng(4)
    mean = rng.poisson(np.full((4 * TILE, 12 * TILE), LEVEL * FRAMES)) / FRAMES
    lit = np.zeros(mean.shape, np.bool_)
    lit[:, : 8 * TILE] = True
    measured = BackgroundMap.of(mean, lit)
    row = np.full(3, 2 * TILE)
    found = measured.at(row, np.array([1, 7, 11]) * TILE)
    assert np.isnan(found.level).tolist() == [True, False, False]
    assert found.level[1:] == pytest.approx(LEVEL, abs=0.2)
    assert found.error[1] > found.error[2]
    none = BackgroundMap.of(mean, np.ones(mean.shape, np.bool_)).at(row, row)
    assert np.isnan(none.level).all() and np.isnan(none.error).all()


def _decoded(
    twin: Experiment, energy_kev: npt.NDArray[np.float64], background: Background | None
) -> DecodedPixels:
    """Bright pixels through absorbing bars, as the simulator has them."""
    rng = np.random.default_rng(5)
    row, column = rng.uniform(300, 1700, (2, PIXELS))
    light = Footprints(
        rng.uniform(10, 90, PIXELS), rng.uniform(2, 8, PIXELS), np.full(PIXELS, 400.0), energy_kev
    )
    counts = rng.poisson(expected_traces(twin, row, column, light, background=LEVEL))
    options = DecodeOptions(energy=EnergySearch())
    return decode(
        twin, row, column, counts.astype(np.uint16), backend="cpu", options=options,
        background=background,
    )  # fmt: skip


def test_hard_x_rays_have_their_intensity_and_energy_on_a_known_background(
    twin: Experiment,
) -> None:
    energy = np.linspace(14.0, 28.0, PIXELS)
    known = Background(np.full(PIXELS, LEVEL), np.full(PIXELS, 0.1))
    found = _decoded(twin, energy, known)
    first = found.flags & PixelFlag.SECOND_DEPTH == 0
    of_footprint = np.add.reduceat(found.footprint, found.footprint_offset[:-1])
    np.testing.assert_allclose(of_footprint, found.intensity, rtol=1e-5)
    whole = np.bincount(found.trace, found.intensity)
    assert np.mean(np.abs(whole / 400.0 - 1.0) < 0.1) >= 0.95
    np.testing.assert_allclose(found.background, LEVEL)
    assert np.mean(np.abs(found.energy_kev[first] / energy - 1.0) < 0.05) >= 0.8
    assert not (found.flags & PixelFlag.BACKGROUND_UNCERTAIN).any()


@pytest.mark.parametrize("error", [None, 60.0])
def test_what_is_not_determined_says_so(twin: Experiment, error: float | None) -> None:
    """Nothing known, or worse than a tenth of the light: a flag, and hardly an energy."""
    known = None if error is None else Background(np.full(PIXELS, LEVEL), np.full(PIXELS, error))
    found = _decoded(twin, np.linspace(14.0, 28.0, PIXELS), known)
    lit = np.isfinite(found.depth_um)
    assert (found.flags[lit] & PixelFlag.BACKGROUND_UNCERTAIN).all()
    assert np.isfinite(found.energy_kev).mean() < 0.1
    assert np.isnan(found.background_error).all() == (error is None)


def test_a_background_that_traces_contradict_takes_nothing_away(twin: Experiment) -> None:
    energy = np.full(PIXELS, 8.0)
    plain = _decoded(twin, energy, None)
    high = _decoded(twin, energy, Background.of(LEVEL + 100.0, PIXELS))
    np.testing.assert_array_equal(plain.intensity, high.intensity)
    np.testing.assert_array_equal(plain.background, high.background)
    assert np.isnan(high.background_error).all()
    lit = np.isfinite(high.depth_um)
    assert (high.flags[lit] & PixelFlag.BACKGROUND_UNCERTAIN).all()
