"""A point is opened with the frames and the detector of its experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lauedepth.core.errors import InputError
from lauedepth.tasks.reconstruct import open_for

if TYPE_CHECKING:
    from .conftest import SmallPoint


def test_the_experiment_s_frames_are_the_point_s(small_point: SmallPoint) -> None:
    config = small_point.config
    with open_for(config, small_point.path) as point:
        assert point.frames == config.to_core().frames
        assert point.region.start == (1000, 900)
        assert point.read_rows(3, 4).nbytes == point.row_bytes


def test_a_point_with_too_few_frames_is_refused(small_point: SmallPoint) -> None:
    config = small_point.config
    data = config.data.model_copy(update={"stop_frame": 9999})
    with pytest.raises(InputError, match="the experiment needs 9999"):
        open_for(config.model_copy(update={"data": data}), small_point.path)
