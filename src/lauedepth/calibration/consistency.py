"""Which traces belong together: matches on the code that one aperture and one depth explain.

All rays come from one point and meet a plane, and the detector is a plane too. So the
position on the code is a projective function of the pixel, whatever the poses:

    u = (q . h) / (n . h),    h = (column, row, 1).

It has five degrees of freedom, is fixed by five pixels, and linear to solve for. Wrong
matches and light from elsewhere do not follow it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from lauedepth.core.arrays import Flags, Floats

TRIALS: Final = 600
"""Random sets of five pixels; even of 30 % wrong pixels a hundred sets are right."""
TOLERANCE_UM: Final = 3.0
ROUNDS: Final = 5
SAMPLE: Final = 5
MINIMUM_PIXELS: Final = 8
"""Minimum number of consistent pixels of a scan: three more than any five would be."""


def consistent(row: Floats, column: Floats, position_um: Floats, found: Flags) -> Flags:
    """Return the largest set of pixels found whose positions belong to one projection.

    Parameters
    ----------
    row, column : (n,) arrays
    position_um : (n,) array
        On the code.
    found : (n,) bool array
        Those that have a position.

    Returns
    -------
    (n,) bool array
        All False where no `MINIMUM_PIXELS` go together.
    """
    nothing = np.zeros(found.size, bool)
    pixels = np.flatnonzero(found)
    if pixels.size < MINIMUM_PIXELS:
        return nothing
    points = np.stack(
        [_standard(column[pixels]), _standard(row[pixels]), np.ones(pixels.size)], axis=1
    )
    spread_um = max(float(np.std(position_um[pixels])), 1.0)
    u = (position_um[pixels] - position_um[pixels].mean()) / spread_um
    tolerance = TOLERANCE_UM / spread_um
    equations = np.concatenate([u[:, None] * points, -points], axis=1)
    rng = np.random.default_rng(0)
    sets = np.argsort(rng.random((TRIALS, pixels.size)), axis=1)[:, :SAMPLE]
    maps = np.linalg.svd(equations[sets])[2][:, -1]
    good = _near(maps, points, u, tolerance)
    inside = good[np.argmax(good.sum(axis=1))]
    for _ in range(ROUNDS):
        if inside.sum() < MINIMUM_PIXELS:
            return nothing
        refined = np.linalg.svd(equations[inside])[2][-1:]
        again = _near(refined, points, u, tolerance)[0]
        if np.array_equal(again, inside):
            break
        inside = again
    if inside.sum() < MINIMUM_PIXELS:
        return nothing
    whole = nothing.copy()
    whole[pixels[inside]] = True
    return whole


def _standard(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / max(float(np.std(values)), 1e-9))


def _near(maps: Floats, points: Floats, u: Floats, tolerance: float) -> Flags:
    """Return which positions each map (n_maps, 6) explains: (n_maps, n) bool."""
    upper, lower = maps[:, 3:] @ points.T, maps[:, :3] @ points.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.abs(upper / lower - u) < tolerance)
