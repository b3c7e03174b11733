"""A replay writes what was recorded, piece by piece and on time, by a clock moved by hand."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from lauedepth.pipeline.errors import InputError, OutputError
from lauedepth.pipeline.replay import ComputerClock, Rate, replay
from lauedepth.pipeline.sources import PointKind


class HandClock:
    """A clock that moves only when waited on; each wait is an occasion to look."""

    def __init__(self, look: Callable[[], object] = lambda: None) -> None:
        self.seconds, self._look = 0.0, look

    def now(self) -> float:
        return self.seconds

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        self._look()
        self.seconds += max(0.0, seconds)
        return stop.is_set()


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    folder = tmp_path / "scan"
    folder.mkdir()
    for number in range(4):
        path = folder / f"p_{number}.h5"
        path.write_bytes(os.urandom(100_000))
        os.utime(path, (1000 + 2 * number, 1000 + 2 * number))
    return folder


def test_the_copy_is_exact(scan: Path, tmp_path: Path) -> None:
    assert replay(scan, tmp_path / "live", Rate(0.0), marker=".done") == 4
    for path in scan.iterdir():
        assert (tmp_path / "live" / path.name).read_bytes() == path.read_bytes()
        assert (tmp_path / "live" / (path.name + ".done")).exists()


def test_files_grow_under_their_final_name(scan: Path, tmp_path: Path) -> None:
    path, sizes = tmp_path / "live" / "p_0.h5", []
    clock = HandClock(lambda: sizes.append(path.stat().st_size))
    assert replay(scan, tmp_path / "live", Rate(1.0), limit=1, clock=clock) == 1
    assert sizes == [5_000 * piece for piece in (*range(1, 21), 20)]


@pytest.mark.parametrize("rate", [Rate(0.2), Rate(None, speed=10.0)], ids=["given", "recorded"])
def test_points_come_in_time(scan: Path, tmp_path: Path, rate: Rate) -> None:
    came: list[float] = []
    clock = HandClock()
    replay(scan, tmp_path / "live", rate, report=lambda _: came.append(clock.seconds), clock=clock)
    assert came == pytest.approx([0.16 + 0.2 * number for number in range(4)])


def test_points_after_a_late_one_catch_up(scan: Path, tmp_path: Path) -> None:
    came: list[float] = []
    clock = HandClock()

    def report(_: str) -> None:
        came.append(clock.seconds)
        clock.seconds += 0.15 if len(came) == 1 else 0.0

    replay(scan, tmp_path / "live", Rate(0.2), report=report, clock=clock)
    # Writing takes 0.16 of 0.2, so each later point catches up by 0.04.
    assert came == pytest.approx([0.16, 0.47, 0.63, 0.79])


def test_frames_of_folders(tmp_path: Path) -> None:
    for point in ("p1", "p2"):
        for frame in range(3):
            path = tmp_path / "scan" / point / f"im_{frame}.h5"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"frame")
    live = tmp_path / "live"
    assert replay(tmp_path / "scan", live, Rate(0.0), layout=PointKind.FOLDER) == 2
    assert len(list(live.rglob("*.h5"))) == 6


def test_stopping_ends_the_replay_after_the_piece_being_written(scan: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    clock = HandClock(stop.set)
    assert replay(scan, tmp_path / "live", Rate(60.0), stop=stop, clock=clock) == 0
    assert [path.stat().st_size for path in (tmp_path / "live").iterdir()] == [5_000]


def test_the_computers_clock_waits_no_longer_once_stopped() -> None:
    stop = threading.Event()
    stop.set()
    assert ComputerClock().wait(3600.0, stop)
    assert not ComputerClock().wait(-1.0, threading.Event())
    assert ComputerClock().now() <= ComputerClock().now()


def test_nothing_is_overwritten(scan: Path, tmp_path: Path) -> None:
    replay(scan, tmp_path / "live", Rate(0.0))
    with pytest.raises(OutputError, match="already there"):
        replay(scan, tmp_path / "live", Rate(0.0))


def test_nonsense_is_refused(scan: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="within the other"):
        replay(scan, scan / "live", Rate(0.0))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no points"):
        replay(tmp_path / "empty", tmp_path / "live", Rate(0.0))


def test_what_this_program_wrote_beside_the_points_stays_behind(scan: Path, tmp_path: Path) -> None:
    truth = scan / "truth" / "p_0.h5"
    truth.parent.mkdir()
    with h5py.File(truth, "w") as file:
        file["truth/depth_um"] = [1.0]
    assert replay(scan, tmp_path / "live", Rate(0.0)) == 4
    assert not (tmp_path / "live" / "truth").exists()
