"""Points stand where the sample stood, with the light of each depth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.unit.figures.test_results import small_result

from lauedepth.figures.points import STAGE, plot_points
from lauedepth.figures.view import Area, View
from lauedepth.io import ResultFile

X, Y = STAGE["sample X"], STAGE["sample Y"]


def at(**stage: Any) -> ResultFile:
    """Return a result with light at 3 and 7 µm whose sample stood somewhere."""
    return replace(small_result(), metadata=stage)


def columns(results: list[ResultFile], view: View | None = None) -> tuple[str, list[Any]]:
    """Return the label and, of each column, its left and right end and its light by depth."""
    figure = plot_points(results, view)
    axis = figure.axes[0]
    found = []
    for mesh in axis.collections:
        shown: Any = mesh
        corners = shown.get_coordinates()
        light = np.ma.filled(shown.get_array(), 0).ravel()
        found.append((corners[0, 0, 0], corners[0, 1, 0], light))
    figure.canvas.draw()
    return axis.get_xlabel(), found


@pytest.mark.parametrize("units", ["micron", np.array([b"micron"]), b"micron"])
def test_points_stand_where_the_stage_moved_farthest(units: Any) -> None:
    stage = [(30.0, 5.0), (10.0, 5.1), (20.0, 5.2)]
    results = [at(**{X: np.array([x]), f"{X}@units": units, Y: y}) for x, y in stage]
    label, found = columns(results)
    assert label == "sample X (µm)"
    assert [one[:2] for one in found] == [(25, 35), (5, 15), (15, 25)]
    for *_, light in found:
        assert light.tolist() == [0, 0, 0, 150, 0, 0, 0, 10, 0, 0]


@pytest.mark.parametrize(
    "stage",
    [
        [{}, {}],
        [{X: 1.0, Y: 2.0}, {X: 1.0, Y: 2.0}],
        [{X: 1.0}, {}],
        [{X: np.nan}, {X: 3.0}],
        [{X: b"left"}, {X: b"right"}],
        [{X: np.zeros(0)}, {X: 1.0}],
    ],
)
def test_without_places_of_their_own_they_stand_side_by_side(stage: list[dict[str, Any]]) -> None:
    label, found = columns([at(**one) for one in stage])
    assert label == "point"
    assert [one[:2] for one in found] == [(0.5, 1.5), (1.5, 2.5)]


def test_a_gap_stays_empty_and_a_single_point_is_drawn() -> None:
    _, found = columns([at(**{X: x}) for x in (0.0, 1.0, 2.0, 100.0)])
    assert found[-1][:2] == (99.5, 100.5)
    assert columns([at()])[1][0][:2] == (0.5, 1.5)


def test_a_part_of_the_images_and_other_depths() -> None:
    part = View(Area(1, 4, 5, 9))
    _, found = columns([small_result(), small_result(lit=False)], part)
    assert found[0][2].max() == 150
    assert found[0][2][7] == 0
    assert not found[1][2].any()
    fewer = replace(small_result(lit=False), shape=(4, 12, 9), depth_um=np.arange(4.0))
    assert [one[2].size for one in columns([small_result(), fewer])[1]] == [10, 4]
