"""Intensity over the points of a scan and over depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.figures.results import INTENSITY_MAP
from lauedepth.figures.style import new_figure
from lauedepth.figures.view import View
from lauedepth.io import ResultFile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAGE: Final = {
    "sample X": "entry1/sample/sampleX",
    "sample Y": "entry1/sample/sampleY",
    "sample Z": "entry1/sample/sampleZ",
}
"""Where results keep where the sample stood."""


def plot_points(results: Sequence[ResultFile], view: View | None = None) -> Figure:
    """Draw how much light came from each depth at each point of a scan.

    Points stand where the sample's stage was, along the axis that it moved farthest on and on
    which no two points share a place. Where there is none, as in a raster, they stand side by side
    in the order given.

    Parameters
    ----------
    results : sequence of ResultFile
        At least one; their depths need not be the same.
    view : View, optional
        Which part of the images, and in which colours.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        A result has no such part.
    """
    view = view or View()
    label, places = _places(results)
    areas = [view.area(result) for result in results]
    profiles = [
        result.sums(area.rows, area.columns)[1] for result, area in zip(results, areas, strict=True)
    ]
    norm = view.log_norm(np.concatenate(profiles))
    figure = new_figure(9.0, 4.6)
    axis = figure.subplots()
    axis.set_facecolor("black")
    for result, profile, ends in zip(results, profiles, _columns(places), strict=True):
        shown = axis.pcolormesh(
            ends,
            _edges(result.depth_um),
            np.ma.masked_less_equal(profile, 0)[:, None],
            norm=norm,
            cmap=view.colours(INTENSITY_MAP),
        )
    axis.invert_yaxis()  # the surface is above
    axis.set_title(f"Intensity over depth at {len(results)} points")
    axis.set_xlabel(label)
    axis.set_ylabel("depth along the beam (µm)")
    figure.colorbar(shown, ax=axis, label="intensity of all pixels (counts per frame)")
    return figure


def _places(results: Sequence[ResultFile]) -> tuple[str, Floats]:
    """Return the label of the axis, and each point's place on it."""
    best, label, found = 0.0, "point", np.arange(1.0, len(results) + 1)
    for name, path in STAGE.items():
        values = np.array([_number(result, path) for result in results])
        span = float(np.ptp(values))
        if span > best and np.unique(values).size == values.size:
            best, label, found = span, f"{name}{_unit(results[0], path)}", values
    return label, found


def _number(result: ResultFile, path: str) -> float:
    value = np.asarray(result.metadata.get(path, np.nan)).ravel()
    return float(value[0]) if value.size and value.dtype.kind in "fiu" else np.nan


def _unit(result: ResultFile, path: str) -> str:
    (value, *_) = np.asarray(result.metadata.get(f"{path}@units", "")).ravel().tolist() or [""]
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return f" ({'µm' if text == 'micron' else text})" if text else ""


def _columns(places: Floats) -> list[tuple[float, float]]:
    """Return the ends of each point's column: up to half the usual distance, and no overlap."""
    gaps = np.diff(np.sort(places))
    half = float(np.median(gaps)) / 2 if gaps.size else 0.5
    ends = []
    for place in places:
        below, above = places[places < place], places[places > place]
        left = min(half, float(place - below.max()) / 2) if below.size else half
        right = min(half, float(above.min() - place) / 2) if above.size else half
        ends.append((float(place) - left, float(place) + right))
    return ends


def _edges(depth_um: Floats) -> Floats:
    step = float(depth_um[1] - depth_um[0]) if depth_um.size > 1 else 1.0
    return np.append(depth_um - step / 2, depth_um[-1] + step / 2)
