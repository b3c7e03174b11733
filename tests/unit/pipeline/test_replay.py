"""The detector that is not there writes what was recorded, slowly and in time."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import h5py
import pytest

from lauedepth.pipeline.errors import InputError, OutputError
from lauedepth.pipeline.replay import Rate, replay
from lauedepth.pipeline.sources import Layout


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
    live = tmp_path / "live"
    sizes: set[int] = set()
    player = threading.Thread(target=replay, args=(scan, live, Rate(1.0)), kwargs={"limit": 1})
    player.start()
    while player.is_alive():
        sizes.update(path.stat().st_size for path in live.glob("p_0.h5"))
        time.sleep(0.01)
    player.join()
    assert len(sizes) > 5
    assert max(sizes) == 100_000


@pytest.mark.parametrize("rate", [Rate(0.2), Rate(None, speed=10.0)], ids=["given", "recorded"])
def test_points_come_in_time(scan: Path, tmp_path: Path, rate: Rate) -> None:
    begin = time.monotonic()
    came: list[float] = []
    replay(scan, tmp_path / "live", rate, tell=lambda _: came.append(time.monotonic() - begin))
    expected = [0.16 + 0.2 * number for number in range(4)]
    assert came == pytest.approx(expected, abs=0.12)


def test_frames_of_folders(tmp_path: Path) -> None:
    for point in ("p1", "p2"):
        for frame in range(3):
            path = tmp_path / "scan" / point / f"im_{frame}.h5"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"frame")
    live = tmp_path / "live"
    assert replay(tmp_path / "scan", live, Rate(0.0), layout=Layout.FOLDER) == 2
    assert len(list(live.rglob("*.h5"))) == 6


def test_stopping(scan: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    begin = time.monotonic()
    assert replay(scan, tmp_path / "live", Rate(60.0), stop=stop) == 0
    assert time.monotonic() - begin < 5


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
