"""Figures of an instrument that was learnt: bars, motion, beam, and what they explain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.figures.style import BLUE, GREY, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNSEEN: Final = 0.15
"""An edge with a larger error than this, in µm, was not seen: half of what edges may depart."""

MOST_SHOWN: Final = 98
"""Percentile of the pixels' misfits at which their histogram ends; its last bin has the others."""


def plot_instrument(learnt: Mapping[str, Floats], title: str = "") -> Figure:
    """Draw an instrument as learnt from a point.

    Above: how far each edge lies from its design, and how well pixels that were held out fit
    before and after. Below: the aperture's position and the beam over the frames. Bars and
    bands are standard errors.

    Parameters
    ----------
    learnt : mapping of str to array
        As `read_learnt` gives it.
    title : str

    Returns
    -------
    Figure
    """
    figure = new_figure(12.0, 7.4)
    axes = figure.subplots(2, 2)
    _draw_edges(axes[0, 0], learnt)
    _draw_misfits(axes[0, 1], learnt)
    frames = "frame used, in order"
    position, error = learnt["position_um"], learnt["position_error_um"]
    _draw_band(axes[1, 0], position, position - error, position + error)
    axes[1, 0].set(
        title="Motion: where the aperture was", xlabel=frames, ylabel="from its place (µm)"
    )
    beam, error = learnt["log_beam"], learnt["log_beam_error"]
    _draw_band(axes[1, 1], np.exp(beam), np.exp(beam - error), np.exp(beam + error))
    axes[1, 1].set(title="Incident beam", xlabel=frames, ylabel="relative intensity")
    for axis in axes.ravel():
        axis.spines[["top", "right"]].set_visible(False)
    used = "decoded with it" if learnt["accepted"] else "not accepted: decoded as designed"
    figure.suptitle(f"{title}  ({used})".strip(), fontsize="medium", color=GREY)
    return figure


def _draw_edges(axis: Axes, learnt: Mapping[str, Floats]) -> None:
    place, offset, error = (
        learnt[name] for name in ("edges_um", "edge_offset_um", "edge_error_um")
    )
    seen = error < UNSEEN
    for some, colour, label in ((seen, BLUE, "seen"), (~seen, GREY, "not seen")):
        if some.any():
            x, y, bar = place[some] / 1e3, offset[some], error[some]
            axis.errorbar(x, y, bar, fmt=".", ms=4, lw=0.8, color=colour, label=label)
    axis.axhline(0.0, color=GREY, lw=0.8, ls="--")
    widening, thickness = float(learnt["widening_um"]), float(learnt["thickness_factor"])
    axis.set(
        title=f"Edges of the bars: {widening:+.2f} µm wider, {thickness:.2f} times as thick",
        xlabel="along the code (mm)",
        ylabel="from the design (µm)",
    )
    axis.set_ylim(top=axis.get_ylim()[1] + 0.2 * float(np.ptp(axis.get_ylim())))
    axis.legend(frameon=False, loc="upper right", ncols=2)


def _draw_band(axis: Axes, value: Floats, low: Floats, high: Floats) -> None:
    frame = np.arange(value.size)
    axis.fill_between(frame, low, high, color=BLUE, alpha=0.25, lw=0)
    axis.plot(frame, value, color=BLUE, lw=1.0)


def _draw_misfits(axis: Axes, learnt: Mapping[str, Floats]) -> None:
    before, after = learnt["misfits_before"], learnt["misfits_after"]
    both = np.concatenate([before, after])
    if both.size:
        last = max(float(np.percentile(both, MOST_SHOWN)), 1.5)
        bins = np.linspace(float(both.min()), last, 41).tolist()
        for values, colour, label, name in (
            (before, ORANGE, "before", "misfit_before"),
            (after, BLUE, "after", "misfit_after"),
        ):
            told = f"{label}: {float(learnt[name]):.2f} together"
            axis.hist(np.minimum(values, last), bins, color=colour, alpha=0.55, label=told)
        axis.legend(frameon=False, loc="upper right")
    axis.axvline(1.0, color=GREY, lw=0.8, ls="--")
    axis.set(
        title=f"Pixels held out: {float(learnt['gain_sigma']):.1f} standard errors gained",
        xlabel="χ² per degree of freedom",
        ylabel="pixels",
    )
