"""Pixels are chosen bright, unsaturated, seeing the code, and spread."""

from __future__ import annotations

import numpy as np

from lauedepth.calibration.pixel_choice import (
    CELLS,
    MINIMUM_CONTRAST,
    coded_contrast,
    spot_pixels,
    spread_choice,
)


def test_each_cell_gives_its_best_before_any_gives_two() -> None:
    rng = np.random.default_rng(0)
    row, column = rng.integers(0, 512, (2, 4000))
    worth = rng.random(4000)
    chosen = spread_choice(row, column, worth, CELLS**2, (512, 512))
    cell = row // 32 * CELLS + column // 32
    assert np.unique(cell[chosen]).size == np.unique(cell).size
    for index in chosen[:20]:
        assert worth[index] == worth[cell == cell[index]].max()


def test_fewer_than_asked_for_are_all_chosen() -> None:
    chosen = spread_choice([5, 6, 7], [1, 1, 1], np.array([1.0, 3.0, 2.0]), 50, (64, 64))
    assert chosen.tolist() == [1, 2, 0]


def test_spots_stand_out_of_an_uneven_background() -> None:
    rng = np.random.default_rng(1)
    image = 100 + 300 * np.linspace(0, 1, 640)[:, None] + rng.normal(0, 1, (640, 640))
    image[100, 200] += 300
    image[600, 630] += 300
    bright = spot_pixels(image, 20.0)
    assert bright[100, 200]
    assert bright[600, 630]
    assert bright.sum() < 20
    assert not spot_pixels(image, 1e4).any()


def test_contrast_sees_code_not_noise_nor_saturation() -> None:
    rng = np.random.default_rng(2)
    level = np.repeat([20.0, 400.0], 130)
    counts = rng.poisson(np.stack([level, np.full(260, 210.0), level, level])).astype(np.uint16)
    counts[2, 5] = 65535
    usable = np.ones(260, bool)
    contrast = coded_contrast(counts, usable)
    assert contrast[0] > MINIMUM_CONTRAST
    assert contrast[1] < MINIMUM_CONTRAST
    assert contrast[2] == 0
    usable[5] = False
    assert coded_contrast(counts, usable)[2] > MINIMUM_CONTRAST
