"""Figures show what is in a result, with labels and units."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
from tests.unit.figures.made_up_pixels import SPOTS, made_up_pixels

from lauedepth.core.errors import InputError
from lauedepth.figures.results import MAX_CELLS, Kind, _pooled, plot_result
from lauedepth.figures.style import save_figure
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

    def sums(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        images = self.read().astype(np.float64)
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


def test_a_single_bright_pixel_survives_the_shrinking() -> None:
    image = np.zeros((1500, 900))
    image[1499, 899] = 7.0
    shrunk = _pooled(image)
    assert max(shrunk.shape) <= MAX_CELLS
    assert shrunk.max() == 7.0
    assert np.count_nonzero(shrunk) == 1


@pytest.mark.parametrize("dpi", [30, 100])
def test_the_resolution_is_as_asked_for(tmp_path: Path, dpi: int) -> None:
    path = tmp_path / "figure.png"
    save_figure(plot_result(small_result(), "sum"), path, dpi)
    width, height = struct.unpack(">II", path.read_bytes()[16:24])  # of the PNG's header
    assert (width, height) == (6.4 * dpi, 5 * dpi)
