"""A figure of one pixel: trace, fit, residuals and footprint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lauedepth.core.decoding.inspected import InspectedPixel
from lauedepth.figures.style import BLUE, GREY, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_pixel(pixel: InspectedPixel) -> Figure:
    """Plot one pixel: its trace with the fit, the residuals and the footprint."""
    figure = new_figure(10.0, 6.4)
    grid = figure.add_gridspec(3, 1, height_ratios=(3, 1, 2.4))
    trace, residuals = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    residuals.sharex(trace)
    counts = np.where(pixel.usable, pixel.counts, np.nan)
    trace.plot(pixel.frames, counts, ".", ms=3, color=GREY, label="measured")
    trace.set_ylabel("counts per frame")
    title = f"Pixel at row {pixel.row}, column {pixel.column}: {pixel.verdict()}"
    trace.set_title(title, loc="left")
    if pixel.fit is not None:
        trace.plot(pixel.frames, pixel.fit, "-", lw=1.4, color=ORANGE, label="fit")
        noise = np.sqrt(np.maximum(pixel.fit, 1.0))
        residuals.plot(pixel.frames, (counts - pixel.fit) / noise, ".", ms=2.5, color=GREY)
        residuals.axhspan(-1, 1, color=ORANGE, alpha=0.15, lw=0)
    trace.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False, ncols=2)
    trace.tick_params(labelbottom=False)
    residuals.set_ylabel("residual / σ")
    residuals.set_xlabel("frame")
    _draw_footprint(figure.add_subplot(grid[2]), pixel)
    return figure


def _draw_footprint(axis: Axes, pixel: InspectedPixel) -> None:
    axis.set_xlabel("depth along the beam (µm)")
    axis.set_ylabel("intensity (counts per frame)")
    axis.spines[["top", "right"]].set_visible(False)
    for number, found in enumerate(pixel.found):
        colour = (BLUE, ORANGE)[number % 2]
        axis.fill_between(
            found.depths_um, found.footprint, step="mid", color=colour, alpha=0.25, lw=0
        )
        axis.step(found.depths_um, found.footprint, where="mid", color=colour, lw=1.2)
        axis.axvline(found.depth_um, color=colour, lw=1.0, ls="--", label=found.depth_text())
    if not pixel.found:
        axis.text(0.5, 0.5, "no depth", transform=axis.transAxes, ha="center", color=GREY)
        axis.set_xlim(pixel.depth_range_um)
        return
    low = min(float(found.depths_um[0]) for found in pixel.found)
    high = max(float(found.depths_um[-1]) for found in pixel.found)
    axis.set_xlim(low - 10, high + 10)
    axis.set_ylim(bottom=0)
    axis.legend(loc="upper right", frameon=False)
