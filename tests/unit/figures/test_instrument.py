"""The figure of an instrument shows what was learnt, with its errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lauedepth.core.errors import InputError
from lauedepth.figures.instrument import plot_instrument
from lauedepth.figures.style import save_figure
from lauedepth.io.hdf5 import Array

from .test_results import SmallResult, small_result

EDGES, FRAMES = 128, 261


def _learnt() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    offset = rng.normal(0.0, 0.2, EDGES)
    return {
        "edges_um": np.sort(rng.uniform(0, 2900, EDGES)),
        "edge_offset_um": offset,
        "edge_error_um": np.where(np.arange(EDGES) < 20, 0.3, 0.03),
        "position_um": np.sin(np.arange(FRAMES) / 40.0),
        "position_error_um": np.full(FRAMES, 0.1),
        "log_beam": np.log1p(0.05 * np.cos(np.arange(FRAMES) / 20.0)),
        "log_beam_error": np.full(FRAMES, 0.003),
        "code_um": np.linspace(500, 2500, 12),
        "depth_error_um": np.linspace(0.01, 0.04, 12),
    } | {
        name: np.asarray(value)
        for name, value in {
            "widening_um": 0.48,
            "widening_error_um": 0.02,
            "thickness_factor": 1.09,
            "thickness_error": 0.01,
            "pixels_used": 533.0,
            "pixels_held_out": 267.0,
            "misfit_before": 1.42,
            "misfit_after": 1.03,
            "accepted": 1.0,
        }.items()
    }


class LearntResult(SmallResult):
    """A result with an instrument, in memory."""

    def instrument(self) -> dict[str, Array] | None:
        return _learnt()


def _result() -> LearntResult:
    return LearntResult(**vars(small_result()))


def test_edges_positions_beam_and_errors_are_drawn(tmp_path: Path) -> None:
    figure = plot_instrument(_result())
    labels = [axis.get_xlabel() for axis in figure.axes]
    assert sorted(labels) == ["frame used"] * 2 + ["place along the code (µm)"] * 2
    edges = figure.axes[0]
    containers: Any = edges.containers
    points = [one.lines[0] for one in containers]
    drawn = [len(one.get_xdata()) for one in points if one is not None]
    assert sum(drawn) + 20 == EDGES  # those not seen have no marker
    said = " ".join([figure.get_suptitle(), *(axis.get_title() for axis in figure.axes)])
    for part in ("1.42 → 1.03", "decoded with it", "+0.48 ± 0.02 µm", "1.090 ± 0.010"):
        assert part in said
    (beam,) = [axis for axis in figure.axes if "beam" in axis.get_title()]
    assert np.ptp(beam.lines[0].get_ydata()) == pytest.approx(10.0, rel=0.05)
    save_figure(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_pixels_held_out_are_counted_before_and_after(tmp_path: Path) -> None:
    before = np.array([*np.linspace(1.2, 1.6, 98), 40.0, 50.0])
    after = np.linspace(0.9, 1.1, 100)

    class Counted(SmallResult):
        def instrument(self) -> dict[str, Array] | None:
            return _learnt() | {"held_out_before": before, "held_out_after": after}

    figure = plot_instrument(Counted(**vars(small_result())))
    (axis,) = [one for one in figure.axes if one.get_title() == "100 pixels held out"]
    drawn: Any = axis.patches
    counts = {one.get_label(): one.get_data() for one in drawn}
    for label, low, high in (("as designed", 1.2, 1.61), ("as learnt", 0.9, 1.11)):
        values, edges, _ = counts[label]
        assert values.sum() == 100
        lit = np.flatnonzero(values)
        assert edges[lit[0] + 1] > low - 0.05
        assert label == "as designed" or edges[lit[-1]] < high
    save_figure(figure, tmp_path / "figure.png")


def test_a_result_without_one_says_how_to_learn_it() -> None:
    class Without(SmallResult):
        def instrument(self) -> dict[str, Array] | None:
            return None

    with pytest.raises(InputError, match="no instrument was learnt; reconstruct with"):
        plot_instrument(Without(**vars(small_result())))
