"""Figures of results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.figures.maps import MAPS, draw_histogram, draw_map, draw_status
from lauedepth.figures.style import BLUE, GREY, new_figure
from lauedepth.figures.view import Area, View
from lauedepth.io import ResultFile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


Kind = Literal[
    "overview",
    "sum",
    "profile",
    "slices",
    "status",
    "histogram",
    "depth-map",
    "error",
    "width",
    "energy",
    "residual",
]

_Sums = tuple[Floats, Floats]
"""Over depth and over the image, as `ResultFile.sums` returns them."""

INTENSITY_MAP: Final = "magma"
MAX_CELLS: Final = 700
"""Maximum number of cells along a side of an image; each shows the maximum of its pixels."""
SLICES: Final = 6
COLOURED: Final[tuple[Kind, ...]] = ("sum", "slices", *MAPS)
"""Kinds with one scale of colours."""


def plot_result(
    result: ResultFile,
    kind: Kind = "overview",
    depths_um: Sequence[float] = (),
    view: View | None = None,
) -> Figure:
    """Plot a result.

    Parameters
    ----------
    result : ResultFile
    kind : str
        "sum" is the intensity summed over depth, "profile" the intensity as a function of depth,
        "slices" are images at some depths, "histogram" counts the depths found. "depth-map",
        "error", "width", "energy" and "residual" colour each decoded pixel, "status" each that
        was looked at. "overview" shows the sum, the depth map and the profile.
    depths_um : sequence of float
        For slices; by default quantiles of the pixels' depths.
    view : View, optional
        Which part of the image, and in which colours. Profile and histogram are of the pixels
        in that part.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        The result has no such depth, no such part, or no such values.
    ConfigurationError
        Colours or depths are chosen for a kind that has none.
    """
    view = view or View()
    _refuse_unused(kind, depths_um, view)
    if kind == "slices":
        return _slices(result, depths_um, view)
    figure = new_figure(13.0, 4.3) if kind == "overview" else new_figure(6.4, 5.0)
    kinds: tuple[Kind, ...] = ("sum", "depth-map", "profile") if kind == "overview" else (kind,)
    axes = figure.subplots(1, len(kinds), squeeze=False)[0]
    summed = "sum" in kinds or "profile" in kinds
    area = view.area(result)
    sums = result.sums(area.rows, area.columns) if summed else (np.empty((0, 0)), np.empty(0))
    for one, axis in zip(kinds, axes, strict=True):
        _draw(figure, axis, result, one, sums, view)
    figure.suptitle(_shortened(result.path.name), fontsize="medium", color=GREY)
    return figure


def _refuse_unused(kind: Kind, depths_um: Sequence[float], view: View) -> None:
    """Refuse what would be ignored."""
    if depths_um and kind != "slices":
        raise ConfigurationError(f"the kind {kind} takes no depth", remedy="choose the kind slices")
    chosen = (view.low, view.high, view.colour_map) != (None, None, None)
    if chosen and kind not in COLOURED:
        raise ConfigurationError(
            f"the kind {kind} takes no limits and no colour map",
            remedy=f"choose one of {', '.join(COLOURED)}",
        )


def _draw(
    figure: Figure, axis: Axes, result: ResultFile, kind: Kind, sums: _Sums, view: View
) -> None:
    image, profile = sums
    if kind in MAPS:
        draw_map(figure, axis, result, kind, view)
    elif kind == "status":
        draw_status(axis, result, view)
    elif kind == "histogram":
        draw_histogram(axis, result, view)
    elif kind == "sum":
        title = "Intensity summed over depth"
        shown = add_image_axes(axis, image, view.log_norm(image), title, view, view.area(result))
        figure.colorbar(shown, ax=axis, label="intensity (counts per frame)", shrink=0.85)
    else:
        _draw_profile(axis, result.depth_um, profile)


def _slices(result: ResultFile, depths_um: Sequence[float], view: View) -> Figure:
    area = view.area(result)
    indices = _indices(result, depths_um)
    columns = min(3, len(indices))
    rows = -(-len(indices) // columns)
    figure = new_figure(4.2 * columns + 0.8, 3.9 * rows)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    images = [result.read(slice(index, index + 1), area.rows, area.columns)[0] for index in indices]
    norm = view.log_norm(np.concatenate([image.ravel() for image in images]))
    shown: Any = None
    for axis, index, image in zip(axes, indices, images, strict=False):
        title = f"depth {result.depth_um[index]:g} µm"
        shown = add_image_axes(axis, np.asarray(image, np.float64), norm, title, view, area)
    for axis in axes[len(indices) :]:
        axis.set_visible(False)
    figure.colorbar(shown, ax=list(axes), label="intensity (counts per frame)", shrink=0.8)
    figure.suptitle(_shortened(result.path.name), fontsize="medium", color=GREY)
    return figure


def _indices(result: ResultFile, wanted_um: Sequence[float]) -> list[int]:
    """Return the indices of the requested depths, or of quantiles of the pixels' depths."""
    found = result.pixels["depth"][np.isfinite(result.pixels["depth"])]
    shares = (np.arange(SLICES) + 0.5) / SLICES
    wanted = wanted_um or (np.quantile(found, shares) if found.size else [result.depth_um[0]])
    depths = result.depth_um
    reach = float(depths[1] - depths[0]) if depths.size > 1 else 0.5
    for depth in wanted:
        if not depths[0] - reach <= depth <= depths[-1] + reach:
            raise InputError(
                f"has no depth {depth:g} µm",
                str(result.path),
                f"its depths are {depths[0]:g}...{depths[-1]:g} µm",
            )
    return sorted({int(np.argmin(np.abs(depths - depth))) for depth in wanted})


def add_image_axes(axis: Axes, image: Floats, norm: Any, title: str, view: View, area: Area) -> Any:
    """Show part of an image with its axes; return what is shown, for a bar of colours."""
    axis.set_title(title)
    axis.set_facecolor("black")
    axis.set_xlabel("column (pixel)")
    axis.set_ylabel("row (pixel)")
    axis.label_outer()
    return axis.imshow(
        np.ma.masked_less_equal(pooled(image), 0),
        norm=norm,
        cmap=_intensity_map(view),
        extent=area.extent,
        interpolation="nearest",
    )


def _intensity_map(view: View) -> Any:
    """Return the colour map; our own without its darkest part, which would hide faint spots."""
    from matplotlib.colors import ListedColormap  # noqa: PLC0415  (slow to import)

    colours = view.colours(INTENSITY_MAP)
    return colours if view.colour_map else ListedColormap(colours(np.linspace(0.3, 1.0, 256)))


def pooled(image: Floats) -> Floats:
    """Return the maximum of each cell, so that small spots stay visible."""
    size = -(-max(image.shape) // MAX_CELLS)
    if size == 1:
        return image
    rows, columns = (-(-length // size) for length in image.shape)
    padded = np.zeros((rows * size, columns * size))
    padded[: image.shape[0], : image.shape[1]] = image
    return np.asarray(padded.reshape(rows, size, columns, size).max(axis=(1, 3)))


def _draw_profile(axis: Axes, depth_um: Floats, profile: Floats) -> None:
    axis.fill_between(depth_um, profile, step="mid", color=BLUE, alpha=0.25, lw=0)
    axis.step(depth_um, profile, where="mid", color=BLUE, lw=1.2)
    axis.set_title("Depth profile")
    axis.set_xlabel("depth along the beam (µm)")
    axis.set_ylabel("intensity of all pixels (counts per frame)")
    axis.set_xlim(depth_um[0], depth_um[-1] if depth_um.size > 1 else depth_um[0] + 1)
    axis.set_ylim(bottom=0)
    axis.ticklabel_format(axis="y", style="sci", scilimits=(0, 4), useMathText=True)
    axis.spines[["top", "right"]].set_visible(False)


def _shortened(name: str, limit: int = 80) -> str:
    return name if len(name) <= limit else f"{name[: limit // 2]}…{name[-limit // 2 :]}"
