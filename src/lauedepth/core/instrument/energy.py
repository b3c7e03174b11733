"""How strongly the bars absorb at an energy, from the X-ray tables of xraydb."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Aperture

ENERGY_STEP_KEV: Final = 0.02
"""Spacing of the energies searched; between them the absorption is taken as straight."""

WORST_ABSORPTION_ERROR: Final = 0.2
"""An absorption known worse than this (relative) gives no energy."""

LEAST_SLACK: Final = 0.02
"""Tables and thickness are no better known than this (relative)."""


def attenuation_per_um(aperture: Aperture, energy_kev: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return mu(E) rho of the bars in 1/µm (Elam tables, total cross-section).

    Parameters
    ----------
    aperture : Aperture
        Its material and density.
    energy_kev : array_like
        Photon energies.
    """
    import xraydb  # noqa: PLC0415  the tables take 0.3 s to load

    energy_ev = np.asarray(energy_kev, np.float64) * 1e3
    mass_per_area = xraydb.mu_elam(aperture.material, np.atleast_1d(energy_ev))
    per_cm = np.asarray(mass_per_area, np.float64) * aperture.density_g_cm3
    return (per_cm * 1e-4).reshape(np.shape(energy_kev))


def find_energies(
    aperture: Aperture,
    absorption: Floats,
    absorption_error: Floats,
    secant: Floats,
    start_kev: float,
    stop_kev: float,
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the energies at which bars absorb as much as they were found to.

    The absorption of a material falls with energy and leaps up at its edges, so that one
    absorption may belong to several energies. The highest is returned: above the edges there
    is most of the range, and most of a white beam's penetrating light.

    Parameters
    ----------
    aperture : Aperture
    absorption, absorption_error : (n,) arrays
        x = mu x path through a whole bar, and its relative standard error.
    secant : (n,) array
        Path per unit of thickness.
    start_kev, stop_kev : float
        Range of the search.

    Returns
    -------
    energy_kev : (n,) array
        NaN where the absorption is unknown, uncertain or outside the range.
    ambiguous : (n,) bool array
        Where other energies fit as well.
    """
    grid = np.arange(start_kev, stop_kev + ENERGY_STEP_KEV / 2, ENERGY_STEP_KEV)
    table = attenuation_per_um(aperture, grid)
    certain = np.flatnonzero(np.nan_to_num(absorption_error, nan=np.inf) < WORST_ABSORPTION_ERROR)
    wanted = absorption[certain] / (aperture.thickness_um * secant[certain])
    slack = 1.0 + np.clip(2.0 * absorption_error[certain], LEAST_SLACK, None)
    below = table[None, :] <= wanted[:, None]
    crosses = below[:, 1:] & ~below[:, :-1]
    energy = np.full(absorption.size, np.nan)
    ambiguous = np.zeros(absorption.size, bool)
    last = crosses.shape[1] - 1 - np.argmax(crosses[:, ::-1], axis=1)
    has = crosses.any(axis=1)
    high, low = table[last], table[last + 1]
    part = np.clip((high - wanted) / np.maximum(high - low, 1e-12), 0.0, 1.0)
    energy[certain] = np.where(has, grid[last] + part * ENERGY_STEP_KEV, np.nan)
    near = (table[None, :] <= (wanted * slack)[:, None]) & (
        table[None, :] >= (wanted / slack)[:, None]
    )
    runs = (near[:, 1:] & ~near[:, :-1]).sum(axis=1) + near[:, 0]
    ambiguous[certain] = has & (runs > 1)
    return energy, ambiguous
