"""The ground truth of a simulated point: what a decoder should find."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.simulation.sources import LightSources

TRUTH: Final = np.dtype(
    [
        ("row", np.int32),
        ("column", np.int32),
        ("depth_um", np.float64),
        ("width_um", np.float64),
        ("intensity", np.float64),
        ("background", np.float64),
        ("energy_kev", np.float64),
        ("hkl", np.int32, (3,)),
        ("grain", np.int32),
        ("second_depth_um", np.float64),
        ("second_width_um", np.float64),
        ("second_intensity", np.float64),
        ("n_depths", np.int32),
    ]
)
"""One row per lit pixel of the image, row by row.

Light from one depth interval counts as one source, whatever its energies: depth is the centre
of the interval, intensity the sum over energies, energy and hkl those of the strongest. The
strongest interval comes first, the next in `second_*` (NaN and 0 where there is none);
`n_depths` counts them. The truth does not include detector blur or the beam size.
"""


def truth_table(
    sources: LightSources, background: float | npt.NDArray[np.float64]
) -> npt.NDArray[np.void]:
    """Return the ground truth of a point.

    Parameters
    ----------
    sources : LightSources
    background : float or (rows, columns) array
        Counts per frame and pixel.

    Returns
    -------
    (n_lit_pixels,) structured array of dtype `TRUTH`
    """
    order = np.lexsort(
        (-sources.intensity, sources.end_um, sources.begin_um, sources.column, sources.row)
    )
    ranked = sources.chosen(order)
    if not len(ranked):
        return np.zeros(0, TRUTH)
    leads = _starts(ranked.row, ranked.column, ranked.begin_um, ranked.end_um)
    intervals = ranked.chosen(leads)
    total = np.add.reduceat(ranked.intensity, leads)
    order = np.lexsort((-total, intervals.column, intervals.row))
    intervals, total = intervals.chosen(order), total[order]
    first = _starts(intervals.row, intervals.column)
    n_depths = np.diff(np.append(first, total.size))
    truth = np.zeros(first.size, TRUTH)
    truth["row"], truth["column"] = intervals.row[first], intervals.column[first]
    truth["background"] = (
        background[truth["row"], truth["column"]]
        if isinstance(background, np.ndarray)
        else background
    )
    depth, width = (
        (intervals.begin_um + intervals.end_um) / 2,
        intervals.end_um - intervals.begin_um,
    )
    truth["depth_um"], truth["width_um"], truth["intensity"] = (
        values[first] for values in (depth, width, total)
    )
    truth["energy_kev"], truth["hkl"] = intervals.energy_kev[first], intervals.hkl[first]
    truth["grain"], truth["n_depths"] = intervals.grain[first], n_depths
    truth["second_depth_um"] = truth["second_width_um"] = np.nan
    two = n_depths > 1
    for name, values in (("depth_um", depth), ("width_um", width), ("intensity", total)):
        truth["second_" + name][two] = values[first[two] + 1]
    return truth


def _starts(*keys: npt.NDArray[np.generic]) -> npt.NDArray[np.intp]:
    """Return where runs of equal keys start."""
    change = np.zeros(keys[0].size, bool)
    change[0] = True
    for key in keys:
        change[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(change)
