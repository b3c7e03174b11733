"""Maps of what was found in each pixel, and how depths are distributed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from lauedepth.core.decoding.pixels import PixelStatus
from lauedepth.core.errors import InputError
from lauedepth.figures.style import BLUE, ORANGE
from lauedepth.figures.view import Area, View
from lauedepth.io import ResultFile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MapKind = Literal["depth-map", "error", "width", "energy", "residual"]

DEPTH_MAP: Final = "viridis"
STATUS_MAP: Final = "tab10"


WHOLE: Final = View()


@dataclass(frozen=True)
class _Map:
    """A column of the table of pixels, and what a reader should see beside its map."""

    column: str
    title: str
    label: str
    remedy: str = "choose another kind"


MAPS: Final[dict[MapKind, _Map]] = {
    "depth-map": _Map("depth", "Depth of each pixel", "depth (µm)"),
    "error": _Map("depth_error", "Error of each depth", "standard error of the depth (µm)"),
    "width": _Map("width", "Width of each footprint", "full width of the footprint (µm)"),
    "energy": _Map(
        "energy", "Energy of each pixel", "photon energy (keV)", "reconstruct with --energy"
    ),
    "residual": _Map("residual", "Misfit of each pixel", "chi-square per degree of freedom"),
}


def draw_map(
    figure: Figure, axis: Axes, result: ResultFile, kind: MapKind, view: View = WHOLE
) -> None:
    """Colour each decoded pixel by a value, with bright pixels larger and on top.

    Where only some pixels have the value, the title says how many.

    Raises
    ------
    InputError
        Pixels were decoded, and none has the value.
    """
    what, area = MAPS[kind], view.area(result)
    pixels = area.of(result.pixels)
    decoded = pixels[np.isfinite(pixels["depth"])]
    pixels = decoded[np.isfinite(decoded[what.column])]
    if decoded.size and not pixels.size:
        raise InputError(f"has no {what.column.replace('_', ' ')}", str(result.path), what.remedy)
    pixels = pixels[np.argsort(pixels["intensity"])]
    ends = np.percentile(pixels[what.column], (1, 99)) if pixels.size else (0.0, 1.0)
    low, high = view.limits(float(ends[0]), float(ends[1]))
    bright = pixels["intensity"] / max(float(pixels["intensity"].max(initial=0.0)), 1e-300)
    some = f" ({pixels.size} of {decoded.size})" if pixels.size < decoded.size else ""
    shown = axis.scatter(
        pixels["column"],
        pixels["row"],
        c=pixels[what.column],
        s=np.maximum(_cell(axis, area), 1.0 + 6.0 * np.sqrt(np.maximum(bright, 0.0))),
        marker="s",
        lw=0,
        cmap=view.colours(DEPTH_MAP),
        vmin=low,
        vmax=high,
        rasterized=True,
    )
    _frame(axis, area, what.title + some)
    figure.colorbar(shown, ax=axis, label=what.label, shrink=0.85, extend="both")


def draw_status(axis: Axes, result: ResultFile, view: View = WHOLE) -> None:
    """Colour each pixel that was looked at by the outcome, and count them."""
    from matplotlib import colormaps  # noqa: PLC0415  (slow to import)

    colours: Any = colormaps[STATUS_MAP]
    area = view.area(result)
    first = first_of_each(area.of(result.pixels))
    for status in PixelStatus:
        pixels = first[first["status"] == status]
        if pixels.size:
            axis.scatter(
                pixels["column"],
                pixels["row"],
                color=colours(int(status)),
                s=max(_cell(axis, area), 2.0),
                marker="s",
                lw=0,
                label=f"{status.name.lower().replace('_', ' ')}: {pixels.size}",
                rasterized=True,
            )
    _frame(axis, area, f"Outcome of each pixel ({first.size} looked at)")
    if first.size:
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, markerscale=4.0)


def draw_histogram(axis: Axes, result: ResultFile, view: View = WHOLE) -> None:
    """Count the depths found, at each depth of the result."""
    depth = view.area(result).of(result.pixels)["depth"]
    depth = depth[np.isfinite(depth)]
    grid = result.depth_um
    step = float(grid[1] - grid[0]) if grid.size > 1 else 1.0
    edges = np.append(grid - step / 2, grid[-1] + step / 2)
    count, _ = np.histogram(np.clip(depth, edges[0], edges[-1]), edges)
    axis.stairs(count, edges, fill=True, color=BLUE, alpha=0.6)
    axis.set_title(f"Depths found: {depth.size}")
    axis.set_xlabel("depth along the beam (µm)")
    axis.set_ylabel(f"number in each {step:g} µm")
    axis.set_xlim(float(edges[0]), float(edges[-1]))
    if depth.size:
        middle = float(np.median(depth))
        axis.axvline(middle, color=ORANGE, lw=1.0, ls="--", label=f"median {middle:.1f} µm")
        axis.legend(frameon=False)
    axis.spines[["top", "right"]].set_visible(False)


def first_of_each(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return one row of each pixel: a second depth is not looked at twice."""
    places = np.stack([pixels["row"], pixels["column"]], axis=1)
    return pixels[np.unique(places, axis=0, return_index=True)[1]]


def _cell(axis: Axes, area: Area) -> float:
    """Return the area of a pixel on paper, about, in square points.

    The layout is made when the figure is drawn, and gives an axis a little more than its place.
    """
    figure = axis.get_figure(root=True)
    assert figure is not None  # an axis is made in a figure
    place = axis.get_position(original=True)
    width, height = figure.get_size_inches()
    pitch = min(place.width * width / area.n_columns, place.height * height / area.n_rows)
    return float((72 * 1.08 * pitch) ** 2)


def _frame(axis: Axes, area: Area, title: str) -> None:
    left, right, bottom, top = area.extent
    axis.set_title(title)
    axis.set_xlabel("column (pixel)")
    axis.set_ylabel("row (pixel)")
    axis.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
