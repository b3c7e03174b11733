"""Figures of calibrations: rays before and after, residuals over the detector, pulls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from lauedepth.calibration import CalibrationReport, ScanPixels
from lauedepth.core.arrays import Floats
from lauedepth.figures.style import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


PULL_RANGE: Final = 5.0
MARGIN_UM: Final = 1.0


def plot_calibration(report: CalibrationReport) -> Figure:
    """Draw a report.

    Above: where each pixel's light comes from with the pose at the start and as fitted, one
    line per pixel, sorted along the code, and the distribution of the pulls. Below: residual
    depths over the detector, before and after.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  (slow to import)
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415

    spaced = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    figure = Figure(figsize=(15.0, 8.6), layout=spaced)
    axes = figure.subplots(2, 3)
    depth = report.sample_depth_um
    _draw_rays(axes[0, 0], report, lambda scan: scan.depth_before_um, ORANGE, "Before")
    _draw_rays(axes[0, 1], report, lambda scan: scan.depth_after_um, BLUE, "After")
    _draw_pulls(axes[0, 2], report)
    _draw_detector(figure, axes[1, 0], report, lambda s: s.depth_before_um - depth, "Before")
    _draw_detector(figure, axes[1, 1], report, lambda s: s.depth_after_um - depth, "After")
    _draw_profile(axes[1, 2], report)
    return figure


def _draw_rays(
    axis: Axes,
    report: CalibrationReport,
    depth_of: Callable[[ScanPixels], Floats],
    colour: str,
    title: str,
) -> None:
    """Draw each pixel's stretch of depth as a line."""
    place = _joined(report, lambda scan: scan.position_um)
    order = np.argsort(place)
    depth = _joined(report, depth_of)[order]
    half = _joined(report, lambda scan: scan.width_um)[order] / 2
    number = np.arange(depth.size)
    axis.hlines(number, depth - half, depth + half, color=colour, lw=1.6, alpha=0.4)
    axis.plot(depth, number, ".", color=colour, ms=3.5)
    axis.axvline(report.sample_depth_um, color=GREY, lw=0.8, ls="--")
    ends = np.concatenate([depth - half, depth + half, [report.sample_depth_um]])
    margin = 0.05 * float(np.ptp(ends)) + MARGIN_UM
    axis.set_xlim(float(ends.min()) - margin, float(ends.max()) + margin)
    axis.set_title(f"{title}: where the light comes from")
    axis.set_xlabel("depth along the beam (µm)")
    axis.set_ylabel("pixel, in order along the code")
    axis.spines[["top", "right"]].set_visible(False)


def _draw_pulls(axis: Axes, report: CalibrationReport) -> None:
    pulls = np.concatenate([scan.pulls[scan.used].ravel() for scan in report.scans])
    edges = np.linspace(-PULL_RANGE, PULL_RANGE, 41)
    axis.hist(np.clip(pulls, -PULL_RANGE, PULL_RANGE), edges.tolist(), color=BLUE, alpha=0.6)
    x = np.linspace(-PULL_RANGE, PULL_RANGE, 201)
    bell = pulls.size * (edges[1] - edges[0]) * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    axis.plot(x, bell, color=GREY, lw=1.2, label="counting statistics")
    axis.set_title(f"Pulls: standard deviation {pulls.std():.2f}")
    axis.set_xlabel("(measured - fitted) / error")
    axis.set_ylabel("number")
    axis.set_ylim(top=1.2 * axis.get_ylim()[1])  # room for the legend
    axis.legend(frameon=False, loc="upper right")
    axis.spines[["top", "right"]].set_visible(False)


def _draw_detector(
    figure: Figure,
    axis: Axes,
    report: CalibrationReport,
    residual_of: Callable[[ScanPixels], Floats],
    title: str,
) -> None:
    columns, rows = report.experiment.detector.shape
    residual = _joined(report, residual_of)
    reach = max(float(np.percentile(np.abs(residual), 98)), 1e-6)
    shown = axis.scatter(
        _joined(report, lambda scan: scan.column),
        _joined(report, lambda scan: scan.row),
        c=residual,
        cmap="RdBu_r",
        vmin=-reach,
        vmax=reach,
        s=28,
        edgecolor=GREY,
        lw=0.4,
    )
    axis.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), aspect="equal")
    axis.set_title(f"{title}: over the detector")
    axis.set_xlabel("column (pixel)")
    axis.set_ylabel("row (pixel)")
    figure.colorbar(shown, ax=axis, label="depth − sample depth (µm)")


def _draw_profile(axis: Axes, report: CalibrationReport) -> None:
    """Draw the boxes of all pixels added up, as fitted."""
    depth = _joined(report, lambda scan: scan.depth_after_um)
    width = np.maximum(_joined(report, lambda scan: scan.width_um), 0.05)
    middle = report.sample_depth_um
    reach = float(np.percentile(np.abs(depth - middle) + width / 2, 98)) * 1.5 + 0.5
    grid = np.linspace(middle - reach, middle + reach, 801)
    inside = np.abs(grid[:, None] - depth) < width / 2
    axis.fill_between(grid, (inside / width).mean(axis=1), color=BLUE, alpha=0.3, lw=0)
    axis.axvline(middle, color=GREY, lw=0.8, ls="--")
    axis.set_title("After: all pixels added up")
    axis.set_xlabel("depth along the beam (µm)")
    axis.set_ylabel("intensity (per µm)")
    axis.set_ylim(bottom=0)
    axis.spines[["top", "right"]].set_visible(False)


def _joined(report: CalibrationReport, values_of: Callable[[ScanPixels], Floats]) -> Floats:
    return np.concatenate([values_of(scan)[scan.used] for scan in report.scans])
