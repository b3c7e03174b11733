"""A result or a checkpoint belongs to one run: one input, one experiment, one choice of pixels."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from lauedepth.tasks.reconstruct import open_for
from lauedepth.tasks.reconstruct.identity import input_files, is_finished, run_identity

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import SmallPoint


def test_what_differs_between_two_runs_is_named(small_point: SmallPoint) -> None:
    config = small_point.config
    selection = config.selection.model_copy(update={"min_mean_counts": 99.0})
    other = config.model_copy(update={"selection": selection})
    with open_for(config, small_point.path) as point:
        run = run_identity(point, config, "cpu")
        assert run.differences(run_identity(point, config, "cpu")) == []
        assert run.differences(run_identity(point, other, "cpu")) == ["configuration"]
        assert run.differences(run_identity(point, config, "cuda")) == ["backend"]
        mask = np.ones((2048, 2048), np.bool_)
        assert run.differences(run_identity(point, config, "cpu", mask)) == ["mask"]


def test_an_input_that_was_written_anew_is_another(small_point: SmallPoint) -> None:
    config, stat = small_point.config, small_point.path.stat()
    with open_for(config, small_point.path) as point:
        before = run_identity(point, config, "cpu")
        os.utime(small_point.path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000_000))
        after = run_identity(point, config, "cpu")
        os.utime(small_point.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert before.differences(after) == ["input"]


def test_the_files_of_a_series_are_those_of_its_name(tmp_path: Path) -> None:
    for name in ("a_1.h5", "a_2.h5", "b_1.h5", "notes"):
        (tmp_path / name).touch()
    assert [path.name for path in input_files(tmp_path / "a")] == ["a_1.h5", "a_2.h5"]
    assert len(input_files(tmp_path)) == 3
    assert input_files(tmp_path / "b_1.h5") == [tmp_path / "b_1.h5"]


def test_what_is_no_whole_result_is_not_finished(small_point: SmallPoint, tmp_path: Path) -> None:
    with open_for(small_point.config, small_point.path) as point:
        identity = run_identity(point, small_point.config, "cpu")
    (tmp_path / "damaged.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    for name in ("none.h5", "damaged.h5"):
        assert not is_finished(tmp_path / name, identity)
    assert not is_finished(small_point.path, identity)
