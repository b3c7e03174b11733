"""Frames of a scan, simple enough that every number in them is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.core.instrument.aperture import prefer_same_code

FRAMES = 261
Images = npt.NDArray[Any]


@pytest.fixture(scope="session")
def scan() -> Callable[..., Images]:
    """Make frames from (spots, background) and, by name, rows, columns and smear_um."""
    return simulated


def shadow(start_um: npt.NDArray[np.float64], smear_um: float) -> npt.NDArray[np.float64]:
    """Return how open the code is (places, frames) along 1 µm steps, smeared by thick bars."""
    bits = np.repeat(prefer_same_code(), [15 if bit == 0 else 7 for bit in prefer_same_code()])
    running = np.concatenate([[0], np.cumsum(1.0 - bits)])
    place = start_um[:, None] + np.arange(FRAMES)
    edges = np.arange(running.size)
    low, high = (np.interp(place + side * smear_um / 2, edges, running) for side in (-1, 1))
    return np.asarray((high - low) / smear_um, np.float64)


def simulated(
    spots: int, background: float, *, rows: int = 64, columns: int = 96, smear_um: float = 4.0
) -> Images:
    """Return frames (261, rows, columns) of a detector that counts photons behind an aperture."""
    rng = np.random.default_rng(spots)
    mean = np.full((FRAMES, rows, columns), background)
    row, column = rng.integers(2, rows - 2, spots), rng.integers(2, columns - 2, spots)
    # Over so few pixels the aperture's shadow hardly moves.
    open_part = shadow(900.0 + 0.6 * row + 0.3 * column, smear_um)
    for i in range(spots):
        mean[:, row[i] - 1 : row[i] + 2, column[i] - 1 : column[i] + 2] += (
            300.0 * open_part[i][:, None, None]
        )
    return rng.poisson(mean).astype(np.uint16)
