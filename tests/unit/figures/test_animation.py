"""The film shows every depth between the first and the last with light."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.unit.io.made_up_results import WHOLE, write_some

from lauedepth.core.errors import InputError
from lauedepth.figures.animation import FRAME_MS, save_animation
from lauedepth.figures.view import Area, View
from lauedepth.io import read_result


def test_each_depth_with_light_is_a_frame(tmp_path: Path) -> None:
    images, _ = write_some(tmp_path / "r.h5", WHOLE)
    part = Area(0, 40, 10, 60)
    lit = np.flatnonzero(images[:, part.rows, part.columns].any(axis=(1, 2)))
    result = read_result(tmp_path / "r.h5")
    shown = save_animation(result, tmp_path / "film.gif", View(part), dpi=30)
    assert shown == lit[-1] - lit[0] + 1
    with Image.open(tmp_path / "film.gif") as film:
        assert film.size == (192, 150)
        frames = getattr(film, "n_frames", 1)
        length = 0
        for number in range(frames):
            film.seek(number)
            length += film.info["duration"]
    assert frames > 1
    assert length == pytest.approx(shown * FRAME_MS, rel=0.05)  # GIF counts hundredths


def test_without_light_there_is_nothing_to_show(tmp_path: Path) -> None:
    images, _ = write_some(tmp_path / "r.h5", WHOLE)
    row, column = np.argwhere(~images.any(axis=0))[0]
    view = View(Area(row, row + 1, column, column + 1))
    with pytest.raises(InputError, match="has no light in its images"):
        save_animation(read_result(tmp_path / "r.h5"), tmp_path / "film.gif", view)
    assert not (tmp_path / "film.gif").exists()
