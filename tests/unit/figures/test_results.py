"""Figures show what is in a result, with labels and units."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
from tests.unit.figures.made_up_pixels import SPOTS, made_up_pixels

from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.figures.results import COLOURED, MAX_CELLS, Kind, plot_result, pooled
from lauedepth.figures.style import save_figure
from lauedepth.figures.view import Area, View
from lauedepth.io import ResultFile
from lauedepth.io.reading import Provenance


class SmallResult(ResultFile):
    """A result in memory: one spot at 3 µm and one at 7 µm."""

    def read(
        self, depths: slice = slice(None), rows: slice = slice(None), columns: slice = slice(None)
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        images = np.zeros(self.shape, np.float32)
        for one in self.pixels:
            images[int(one["depth"]), one["row"], one["column"]] = one["intensity"]
        return images[depths, rows, columns]

    def sums(
        self, rows: slice = slice(None), columns: slice = slice(None)
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        images = self.read(rows=rows, columns=columns).astype(np.float64)
        return images.sum(axis=0), images.sum(axis=(1, 2))


def small_result(lit: bool = True) -> SmallResult:
    rows = SPOTS if lit else []
    return SmallResult(
        path=Path("small.h5"),
        shape=(10, 12, 9),
        depth_um=np.arange(10.0),
        pixels=made_up_pixels(rows),
        provenance=Provenance("lauedepth", "0", "cpu", "{}", {}),
        metadata={},
    )


@pytest.mark.parametrize("lit", [True, False])
@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_figure_is_labelled_and_can_be_saved(kind: Kind, lit: bool, tmp_path: Path) -> None:
    figure = plot_result(small_result(lit), kind)
    panels = [axes for axes in figure.axes if axes.get_visible() and axes.get_title()]
    assert panels
    labels = " ".join(axes.get_xlabel() + axes.get_ylabel() for axes in figure.axes)
    units = {"energy": "keV", "residual": "per degree of freedom", "status": "pixel"}
    assert units[kind] in labels if kind in units else "µm" in labels or "counts" in labels
    save_figure(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_slices_show_the_depths_asked_for() -> None:
    figure = plot_result(small_result(), "slices", [3.2, 7.0])
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["depth 3 µm", "depth 7 µm"]


@pytest.mark.parametrize("depth", [-40.0, 1e9, float("nan")])
def test_a_depth_that_the_result_has_not_is_refused(depth: float) -> None:
    with pytest.raises(InputError, match=r"has no depth .* µm; its depths are 0\.\.\."):
        plot_result(small_result(), "slices", [3.0, depth])


def test_the_profile_is_the_sum_of_the_images() -> None:
    axes = plot_result(small_result(), "profile").axes[0]
    profile = np.asarray(axes.lines[0].get_ydata())
    np.testing.assert_allclose(profile, [0, 0, 0, 150, 0, 0, 0, 10, 0, 0])


@pytest.mark.parametrize("kind", [k for k in get_args(Kind) if k != "overview"])
def test_zooming_shows_the_pixels_of_a_part(kind: Kind) -> None:
    (axes, *_) = plot_result(small_result(), kind, view=View(Area(1, 4, 5, 9))).axes
    if kind in {"profile", "histogram"}:
        shown: Any = axes.lines[0] if kind == "profile" else axes.patches[0]
        drawn = shown.get_ydata() if kind == "profile" else shown.get_data()[0]
        expected = {"profile": 150, "histogram": 2}[kind]
        assert np.flatnonzero(drawn).tolist() == [3]
        assert np.max(drawn) == expected
        return
    assert axes.get_xlim() == (4.5, 8.5)
    assert axes.get_ylim() == (3.5, 0.5)
    if kind in {"sum", "slices"}:
        image: Any = axes.images[0].get_array()
        assert image.shape == (3, 4)
        assert image.filled(0)[1].tolist() == [100, 50, 0, 0]
    else:
        assert np.shape(axes.collections[0].get_offsets()) == (2, 2)


def test_a_part_that_the_image_has_not_is_refused() -> None:
    for area in (Area(0, 13, 0, 9), Area(3, 3, 0, 9), Area(5, 2, 0, 9)):
        with pytest.raises(InputError, match="its image has rows 0:12, columns 0:9"):
            plot_result(small_result(), "sum", view=View(area))


def test_limits_and_colours_are_as_chosen() -> None:
    view = View(low=2.0, high=4.0, colour_map="cividis")
    for kind in COLOURED:
        axes = plot_result(small_result(), kind, view=view).axes[0]
        shown: Any = axes.images[0] if axes.images else axes.collections[0]
        assert shown.get_clim() == (2.0, 4.0)
        assert shown.get_cmap().name == "cividis"


@pytest.mark.parametrize("kind", COLOURED)
@pytest.mark.parametrize("view", [View(low=1e6), View(high=1e-6)])
def test_a_limit_beyond_all_values_can_be_drawn(kind: Kind, view: View) -> None:
    axes = plot_result(small_result(), kind, view=view).axes[0]
    shown: Any = axes.images[0] if axes.images else axes.collections[0]
    low, high = shown.get_clim()
    assert low < high
    assert (low if view.low else high) == (view.low or view.high)


def test_what_would_be_ignored_or_cannot_be_is_refused() -> None:
    refused: list[tuple[Kind, list[float], View, str]] = [
        ("status", [], View(low=1.0), "takes no limits"),
        ("overview", [], View(colour_map="gray"), "takes no limits and no colour map"),
        ("sum", [3.0], View(), "takes no depth"),
        ("sum", [], View(low=0.0), "logarithmic"),
        ("error", [], View(colour_map="virids"), "for example, choose viridis"),
    ]
    for kind, depths, view, why in refused:
        with pytest.raises(ConfigurationError, match=why):
            plot_result(small_result(), kind, depths, view)
    with pytest.raises(ConfigurationError, match="is not below"):
        View(low=3.0, high=3.0)


def test_a_single_bright_pixel_survives_the_shrinking() -> None:
    image = np.zeros((1500, 900))
    image[1499, 899] = 7.0
    shrunk = pooled(image)
    assert max(shrunk.shape) <= MAX_CELLS
    assert shrunk.max() == 7.0
    assert np.count_nonzero(shrunk) == 1


@pytest.mark.parametrize("dpi", [30, 100])
def test_the_resolution_is_as_asked_for(tmp_path: Path, dpi: int) -> None:
    path = tmp_path / "figure.png"
    save_figure(plot_result(small_result(), "sum"), path, dpi)
    width, height = struct.unpack(">II", path.read_bytes()[16:24])  # of the PNG's header
    assert (width, height) == (6.4 * dpi, 5 * dpi)
