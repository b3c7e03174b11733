"""A film through the depths of a result."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError
from lauedepth.figures.results import add_image_axes, pooled
from lauedepth.figures.style import DPI, GREY, new_figure
from lauedepth.figures.view import View
from lauedepth.io import ResultFile, publish

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

FRAME_MS: Final = 125
"""How long each depth is shown."""


def save_animation(
    result: ResultFile, path: Path | str, view: View | None = None, dpi: int = DPI
) -> int:
    """Write a GIF that shows the image of one depth after the other, in one scale of colours.

    It begins at the first depth with light and ends at the last.

    Parameters
    ----------
    result : ResultFile
    path : Path or str
    view : View, optional
        Which part of the images, and in which colours.
    dpi : int
        Dots per inch of the 6.4 x 5 inches.

    Returns
    -------
    int
        Number of depths shown.

    Raises
    ------
    InputError
        No image holds any light, or the result has no such part.
    OutputError
        Cannot be written.
    """
    view = view or View()
    area = view.area(result)
    _, profile = result.sums(area.rows, area.columns)
    lit = np.flatnonzero(profile > 0)
    if not lit.size:
        raise InputError("has no light in its images", str(result.path), "choose another part")
    depths = slice(int(lit[0]), int(lit[-1]) + 1)
    frames = _frames(result, depths, view, dpi)
    with publish(path) as partial:
        next(frames).save(
            partial, format="GIF", save_all=True, append_images=frames, duration=FRAME_MS, loop=0
        )
    return depths.stop - depths.start


def _frames(result: ResultFile, depths: slice, view: View, dpi: int) -> Iterator[Image]:
    """Draw each depth; only the image and the title change from one to the next."""
    area = view.area(result)
    figure = new_figure(6.4, 5.0)
    axis = figure.subplots()
    norm = view.log_norm(_lit_values(result, depths, view))
    first = np.zeros((area.n_rows, area.n_columns))
    shown = add_image_axes(axis, first, norm, "depth", view, area)
    figure.colorbar(shown, ax=axis, label="intensity (counts per frame)", shrink=0.85)
    figure.suptitle(result.path.name, fontsize="medium", color=GREY)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # so that nothing moves from frame to frame
    depth = result.depth_um[depths]
    for place, image in zip(depth, result.images(depths, area.rows, area.columns), strict=True):
        shown.set_data(np.ma.masked_less_equal(pooled(np.asarray(image, np.float64)), 0))
        axis.set_title(f"depth {place:g} µm")
        yield _picture(figure, dpi)


def _picture(figure: Figure, dpi: int) -> Image:
    from PIL import Image as Pillow  # noqa: PLC0415  (slow to import)

    content = BytesIO()
    figure.savefig(content, format="png", dpi=dpi, pil_kwargs={"compress_level": 0})
    return Pillow.open(content).convert("RGB")


def _lit_values(result: ResultFile, depths: slice, view: View) -> Floats:
    area = view.area(result)
    values = [image[image > 0] for image in result.images(depths, area.rows, area.columns)]
    return np.concatenate(values)
