"""Maps show each pixel's value in its place, and say what they leave out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from tests.unit.figures.made_up_pixels import SPOTS, made_up_pixels

from lauedepth.core.decoding.pixels import PixelStatus
from lauedepth.core.errors import InputError
from lauedepth.figures.maps import MAPS, MapKind, draw_histogram, draw_map, draw_status
from lauedepth.io import ResultFile
from lauedepth.io.reading import Provenance


def result_of(pixels: npt.NDArray[Any], depths: int = 10) -> ResultFile:
    provenance = Provenance("lauedepth", "0", "cpu", "{}", {})
    return ResultFile(
        Path("small.h5"), (depths, 12, 9), np.arange(float(depths)), pixels, provenance, {}
    )


@pytest.mark.parametrize("kind", MAPS)
def test_each_pixel_has_its_value_and_place(kind: MapKind) -> None:
    pixels = made_up_pixels(SPOTS)
    values = np.array([30.0, 10.0, 20.0])
    pixels[MAPS[kind].column] = values
    figure = Figure()
    axis = figure.subplots()
    draw_map(figure, axis, result_of(pixels), kind)
    (shown,) = axis.collections
    found = {
        (int(row), int(column)): value
        for (column, row), value in zip(
            np.asarray(shown.get_offsets()), np.asarray(shown.get_array()), strict=True
        )
        if np.isfinite(value)
    }
    assert found == {(2, 5): 30.0, (2, 6): 10.0, (8, 1): 20.0}
    assert axis.get_ylim() == (11.5, -0.5)  # row 0 is at the top
    assert axis.get_title() == MAPS[kind].title


def test_pixels_without_the_value_are_counted() -> None:
    pixels = made_up_pixels(SPOTS)
    pixels["depth_error"][:2] = np.nan, np.inf
    figure = Figure()
    axis = figure.subplots()
    draw_map(figure, axis, result_of(pixels), "error")
    assert axis.get_title() == "Error of each depth (1 of 3)"


def test_a_result_without_energies_says_how_to_get_them() -> None:
    pixels = made_up_pixels(SPOTS)
    pixels["energy"] = np.nan
    figure = Figure()
    with pytest.raises(InputError, match=r"has no energy; reconstruct with --energy"):
        draw_map(figure, figure.subplots(), result_of(pixels), "energy")


def test_statuses_are_counted_once_for_each_pixel() -> None:
    pixels = made_up_pixels([*SPOTS, SPOTS[0], (4, 4, np.nan, 0.0), (4, 5, np.nan, 0.0)])
    pixels["status"][4:] = PixelStatus.NO_MATCH
    axis = Figure().subplots()
    draw_status(axis, result_of(pixels))
    labels = axis.get_legend_handles_labels()[1]
    assert labels == ["decoded: 3", "no match: 2"]
    assert [np.shape(one.get_offsets())[0] for one in axis.collections] == [3, 2]
    assert all(isinstance(one, PathCollection) for one in axis.collections)


@pytest.mark.parametrize("depths", [10, 1])
def test_the_histogram_counts_every_depth(depths: int) -> None:
    axis = Figure().subplots()
    draw_histogram(axis, result_of(made_up_pixels(SPOTS), depths))
    (drawn,) = axis.patches
    assert isinstance(drawn, StepPatch)
    counts, edges, _ = drawn.get_data()
    assert counts.sum() == 3
    if depths == 10:
        assert (counts[3], counts[7]) == (2, 1)
        assert (edges[3], edges[4]) == (2.5, 3.5)
    assert axis.get_legend_handles_labels()[1] == ["median 3.0 µm"]
