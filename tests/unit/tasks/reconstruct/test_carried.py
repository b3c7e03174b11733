"""What points told of the aperture, carried in a file: what is added, pinned and left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from lauedepth.calibration.learning import InstrumentFit
from lauedepth.core.instrument.known import KnownAperture
from lauedepth.io.instrument import read_instrument, write_instrument
from lauedepth.tasks.reconstruct.carried import MOST_POINTS, Carried, begin_with, hand_on
from lauedepth.tasks.reconstruct.checkpoint import Checkpoint


def _told(name: str, weight: float = 1.0, design: str = "of gold") -> KnownAperture:
    return KnownAperture(design, False, (name,), weight * np.eye(4), weight * np.arange(4.0))


def _fit(told: KnownAperture, **changed: Any) -> InstrumentFit:
    """As much of what a point told as carrying it reads."""
    values = {"accepted": True, "contradicted": False, "edges_seen": 0.9, "shown": {}}
    return cast("InstrumentFit", SimpleNamespace(told=told, aperture=told, **(values | changed)))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    (tmp_path / "blocks").mkdir()
    return Checkpoint(tmp_path / "blocks")


def test_what_points_tell_adds_up_and_nothing_is_counted_twice(tmp_path: Path) -> None:
    file = tmp_path / "new" / "i.h5"
    for name in ("one", "two", "one"):
        assert hand_on(file, Carried(), _fit(_told(name))) == ()
    known = read_instrument(file)
    assert known.points == ("one", "two")
    np.testing.assert_array_equal(known.matrix, 2 * np.eye(4))
    np.testing.assert_array_equal(known.target, 2 * np.arange(4.0))


def test_after_enough_points_all_begin_with_the_same(tmp_path: Path) -> None:
    file = tmp_path / "i.h5"
    names = tuple(str(number) for number in range(MOST_POINTS))
    write_instrument(file, replace(_told("many"), points=names), {})
    before = file.read_bytes()
    assert hand_on(file, Carried(), _fit(_told("more"))) == ()
    assert file.read_bytes() == before


def test_a_run_goes_on_with_what_it_began_with(tmp_path: Path, checkpoint: Checkpoint) -> None:
    file = tmp_path / "i.h5"
    hand_on(file, Carried(), _fit(_told("one")))
    assert (begun := begin_with(file, checkpoint, "of gold").known) and begun.points == ("one",)
    hand_on(file, Carried(), _fit(_told("two")))
    assert (resumed := begin_with(file, checkpoint, "of gold").known)
    assert resumed.points == ("one",)
    checkpoint.clear()
    assert (anew := begin_with(file, checkpoint, "of gold").known) and len(anew.points) == 2


def test_a_run_that_began_with_nothing_goes_on_with_nothing(
    tmp_path: Path, checkpoint: Checkpoint
) -> None:
    file = tmp_path / "i.h5"
    assert begin_with(file, checkpoint, "of gold") == Carried()
    (checkpoint.folder / "block_000000.npz").touch()
    hand_on(file, Carried(), _fit(_told("one")))
    assert begin_with(file, checkpoint, "of gold") == Carried()


def test_a_weak_point_begins_nothing_and_is_added_to_what_others_told(tmp_path: Path) -> None:
    file, weak = tmp_path / "i.h5", {"accepted": False, "edges_seen": 0.1}
    hand_on(file, Carried(), _fit(_told("weak"), **weak))
    assert not file.exists()
    hand_on(file, Carried(), _fit(_told("strong")))
    hand_on(file, Carried(), _fit(_told("weak"), **weak))
    assert read_instrument(file).points == ("strong", "weak")


def test_another_aperture_begins_anew(tmp_path: Path, checkpoint: Checkpoint) -> None:
    file = tmp_path / "i.h5"
    hand_on(file, Carried(), _fit(_told("old")))
    hand_on(file, Carried(), _fit(_told("exchanged"), contradicted=True))
    assert read_instrument(file).points == ("exchanged",)
    begun = begin_with(file, checkpoint, "of tungsten")
    assert begun.known is None and [one.code for one in begun.notices] == ["instrument-begins-anew"]
    hand_on(file, begun, _fit(_told("new", design="of tungsten")))
    assert read_instrument(file).design == "of tungsten"


def test_files_of_other_kinds_are_told_and_left_alone(
    tmp_path: Path, checkpoint: Checkpoint
) -> None:
    point, folder = tmp_path / "point.h5", tmp_path / "folder"
    point.write_bytes(b"the only copy of a point")
    folder.mkdir()
    for file in (point, folder):
        checkpoint.clear()
        begun = begin_with(file, checkpoint, "of gold")
        assert begun.known is None
        assert [one.code for one in begun.notices] == ["instrument-not-carried"]
        assert hand_on(file, begun, _fit(_told("one"))) == ()
    assert point.read_bytes() == b"the only copy of a point"


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    notices = hand_on(tmp_path / "file" / "i.h5", Carried(), _fit(_told("one")))
    assert [one.code for one in notices] == ["instrument-not-carried"]
