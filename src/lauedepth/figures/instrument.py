"""The instrument as it was learnt from a point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError
from lauedepth.figures.style import BLUE, GREY, ORANGE, new_figure
from lauedepth.io import ResultFile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEEN_UM: Final = 0.15
"""Edges that are known better than this are drawn as seen."""
HELD_OUT: Final = "held_out_before"
"""Results of earlier versions do not have it."""
BINS: Final = 30


def plot_instrument(result: ResultFile) -> Figure:
    """Plot the instrument that a result was decoded with, or would not be.

    The bars' edges along the code, the aperture's position and the beam at each frame, each
    with standard errors; how well pixels fit that were held out, before and after; and what is
    not known of the instrument as an error of depths.

    Parameters
    ----------
    result : ResultFile

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        No instrument was learnt.
    """
    learnt = result.instrument()
    if learnt is None:
        raise InputError(
            "no instrument was learnt",
            str(result.path),
            "reconstruct with instrument: {learn: auto}",
        )
    figure = new_figure(13.5, 7.0)
    panels = figure.subplot_mosaic(
        [["edges", "edges", "position"], ["errors", HELD_OUT, "beam"]]
        if HELD_OUT in learnt
        else [["edges", "position"], ["errors", "beam"]]
    )
    position, beam = panels["position"], panels["beam"]
    _draw_edges(panels["edges"], learnt)
    if HELD_OUT in learnt:
        _draw_held_out(panels[HELD_OUT], learnt)
    _draw_frames(
        position,
        learnt["position_um"],
        learnt["position_error_um"],
        "Aperture from its place",
        "along the scan (µm)",
    )
    share = 100.0 * np.expm1(learnt["log_beam"])
    _draw_frames(
        beam, share, 100.0 * learnt["log_beam_error"], "Incident beam", "from its mean (%)"
    )
    _draw_depth_errors(panels["errors"], learnt)
    figure.suptitle(f"{result.path.name}: {_told(learnt)}", fontsize="medium", color=GREY)
    return figure


def _told(learnt: Mapping[str, Floats]) -> str:
    used = "decoded with it" if learnt["accepted"] else "decoded as designed"
    return (
        f"{int(learnt['pixels_used'])} pixels, chi-square per degree of freedom of "
        f"{int(learnt['pixels_held_out'])} others {float(learnt['misfit_before']):.2f} → "
        f"{float(learnt['misfit_after']):.2f}, {used}"
    )


def _draw_edges(axis: Axes, learnt: Mapping[str, Floats]) -> None:
    place, offset, error = learnt["edges_um"], learnt["edge_offset_um"], learnt["edge_error_um"]
    seen = error < SEEN_UM
    begins = np.arange(place.size) % 2 == 0
    groups = (
        (~seen, GREY, "not seen"),
        (seen & begins, BLUE, "where bars begin"),
        (seen & ~begins, ORANGE, "where bars end"),
    )
    for which, colour, label in groups:
        if which.any():
            axis.errorbar(
                place[which],
                offset[which],
                error[which],
                fmt="o" if label != "not seen" else "none",
                ms=3,
                lw=0.8,
                color=colour,
                label=label,
                alpha=0.4 if label == "not seen" else 1.0,
            )
    widening = round(float(learnt["widening_um"]), 2) + 0.0  # + 0.0: never "-0.00"
    its_error = float(learnt["widening_error_um"])
    thickness, error_of_it = float(learnt["thickness_factor"]), float(learnt["thickness_error"])
    axis.set_title(
        f"Edges from the design; bars wider by {widening:+.2f} ± {its_error:.2f} µm, "
        f"{thickness:.3f} ± {error_of_it:.3f} times as thick"
    )
    axis.set_xlabel("place along the code (µm)")
    axis.set_ylabel("edge from its place (µm)")
    axis.axhline(0.0, color=GREY, lw=0.6)
    axis.legend(fontsize="small")


def _draw_frames(axis: Axes, values: Floats, errors: Floats, title: str, label: str) -> None:
    frame = np.arange(values.size)
    axis.fill_between(frame, values - errors, values + errors, color=BLUE, alpha=0.3, lw=0)
    axis.plot(frame, values, color=BLUE, lw=0.8)
    axis.axhline(0.0, color=GREY, lw=0.6)
    axis.set_title(title)
    axis.set_xlabel("frame used")
    axis.set_ylabel(label)


def _draw_held_out(axis: Axes, learnt: Mapping[str, Floats]) -> None:
    """Count pixels by how well they fit; the worst stand in the last bin."""
    before, after = learnt[HELD_OUT], learnt["held_out_after"]
    both = np.concatenate([before, after])
    low, high = (float(end) for end in np.percentile(both, (0, 98))) if both.size else (0.0, 1.0)
    edges = np.linspace(low, max(high, low + 0.1), BINS + 1)
    for values, colour, label in ((before, ORANGE, "as designed"), (after, BLUE, "as learnt")):
        count, _ = np.histogram(np.minimum(values, edges[-1]), edges)
        axis.stairs(count, edges, color=colour, lw=1.4, label=label)
        axis.stairs(count, edges, color=colour, fill=True, alpha=0.25)
    axis.axvline(1.0, color=GREY, lw=0.6)
    axis.set_title(f"{before.size} pixels held out")
    axis.set_xlabel("chi-square per degree of freedom (the worst in the last bin)")
    axis.set_ylabel("pixels")
    axis.legend(fontsize="small")


def _draw_depth_errors(axis: Axes, learnt: Mapping[str, Floats]) -> None:
    place, error = learnt["code_um"], learnt["depth_error_um"]
    axis.plot(place, error, color=BLUE, marker="o", ms=3)
    axis.set_ylim(bottom=0.0)
    axis.set_title("Error from what is not known of it")
    axis.set_xlabel("place along the code (µm)")
    axis.set_ylabel("error of depths (µm)")
