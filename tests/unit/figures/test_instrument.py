"""The figure of an instrument shows what was learnt, with errors and units."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError
from lauedepth.figures.instrument import plot_instrument
from lauedepth.figures.style import save_figure
from lauedepth.io.instrument import read_learnt
from lauedepth.io.layout import INSTRUMENT

POSITION = np.sin(np.linspace(0, 6, 50))


def learnt(**changed: Floats) -> dict[str, Floats]:
    values = {
        "edges_um": np.linspace(0, 2880, 40),
        "edge_offset_um": np.where(np.arange(40) % 2, 0.2, -0.2),
        "edge_error_um": np.where(np.arange(40) < 30, 0.02, 0.3),
        "widening_um": np.array(0.5),
        "thickness_factor": np.array(1.1),
        "position_um": POSITION,
        "position_error_um": np.full(50, 0.1),
        "log_beam": np.log(np.full(50, 0.5)),
        "log_beam_error": np.full(50, 0.01),
        "misfit_before": np.array(2.0),
        "misfit_after": np.array(1.0),
        "misfits_before": np.linspace(1.5, 2.5, 30),
        "misfits_after": np.linspace(0.8, 1.2, 30),
        "gain_sigma": np.array(7.0),
        "accepted": np.array(1.0),
    }
    return values | changed


def test_every_panel_shows_its_numbers_and_units(tmp_path: Path) -> None:
    figure = plot_instrument(learnt(), "point.h5")
    edges, misfits, motion, beam = figure.axes
    assert "+0.50 µm wider, 1.10 times" in edges.get_title()
    seen, unseen = (
        np.asarray(line.get_ydata()) for line in edges.lines if np.size(line.get_xdata()) > 2
    )
    assert seen.size == 30 and unseen.size == 10
    assert "7.0 standard errors" in misfits.get_title()
    assert np.asarray(motion.lines[0].get_ydata()) == pytest.approx(POSITION)
    assert np.asarray(beam.lines[0].get_ydata()) == pytest.approx(0.5)
    assert all("µm" in axis.get_ylabel() for axis in (edges, motion))
    save_figure(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_an_instrument_that_is_not_used_and_has_no_residuals(tmp_path: Path) -> None:
    none = np.zeros(0)
    figure = plot_instrument(
        learnt(accepted=np.array(0.0), misfits_before=none, misfits_after=none)
    )
    assert figure.get_suptitle() == "(not accepted: decoded as designed)"
    save_figure(figure, tmp_path / "figure.svg")


def test_results_without_an_instrument_say_what_to_do(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "r.h5", "w") as file:
        file["entry1/data/data"] = 1
    with pytest.raises(InputError, match="holds no instrument") as refused:
        read_learnt(tmp_path / "r.h5")
    assert "learn: auto" in str(refused.value)


def test_what_an_earlier_program_did_not_write_is_empty(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "r.h5", "w") as file:
        file[f"{INSTRUMENT}/position_um"] = POSITION
        file[f"{INSTRUMENT}/departed"] = b"position"
    values = read_learnt(tmp_path / "r.h5")
    assert values["position_um"] == pytest.approx(POSITION)
    assert values["misfits_after"].size == 0 and "departed" not in values
