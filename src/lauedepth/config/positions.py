"""Positions of the aperture that were measured: whether they can be those of a scan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lauedepth.config import limits


def positions_problem(
    positions_um: Sequence[float] | np.typing.NDArray[np.float64],
    used: Sequence[int] | np.typing.NDArray[np.int64],
    step_um: float,
) -> str | None:
    """Return why positions do not go with the step, by which decoders search; None if they do.

    Parameters
    ----------
    positions_um : (n_frames,) array
        Of all frames of the file.
    used : (n_used,) array
        Numbers of those that are used.
    step_um : float
    """
    if len(used) < 2:
        return None
    number = np.asarray(used)
    places = np.asarray(positions_um, np.float64)[number]
    even = np.polyfit(number, places, 1)
    low, high = limits.POSITION_ADVANCE
    if not low <= even[0] / step_um <= high:
        return (
            f"advance by {even[0]:.3g} µm from frame to frame, motion.step_um says {step_um:g} µm: "
            f"{_likely_cause(even[0] / step_um)}"
        )
    if np.abs(places - np.polyval(even, number)).max() > limits.POSITION_DEPARTURE_UM:
        return (
            f"depart from even steps by more than {limits.POSITION_DEPARTURE_UM:g} µm: give one "
            "position, in micrometres, for each frame in the order of the frames"
        )
    return None


def _likely_cause(ratio: float) -> str:
    """Return what is wrong with positions that advance by this many steps a frame."""
    low, high = limits.POSITION_ADVANCE
    sense = ", and count against the scan" if ratio < 0 else ""
    for factor, unit in ((1e-3, "mm"), (1e-6, "m"), (1e3, "nm")):
        if low <= abs(ratio) / factor <= high:
            return f"they are in {unit}, it seems{sense}: give both in micrometres"
    if low <= -ratio <= high:
        return "they count against the scan: give both with the same sign"
    if abs(ratio) < 1e-9:
        return "they stay where they are: is it the right dataset?"
    return "give both in micrometres and with the same sign"
