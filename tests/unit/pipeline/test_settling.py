"""When a point counts as complete, and what happens when it changes."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from lauedepth.pipeline.catalog import (
    POINTS,
    Catalog,
    PointRow,
    PointState,
    Priority,
    SourceRow,
    catalog_url,
)
from lauedepth.pipeline.protocols import Sighting
from lauedepth.pipeline.settings import Settings
from lauedepth.pipeline.settling import Watcher
from lauedepth.pipeline.sources import FolderSource


class Bench:
    """A watched folder with a clock that only moves when told."""

    def __init__(self, tmp_path: Path, marker_needed: bool = False) -> None:
        self.folder = tmp_path / "live"
        self.folder.mkdir()
        self.catalog = Catalog(catalog_url(str(tmp_path / "catalog.sqlite")), create=True)
        self.now = self.cpu = self.cpu_of_a_look = 0.0
        live = int(Priority.LIVE)
        row = SourceRow(0, str(self.folder), "file", ".done", marker_needed, "d", 0, live, 0, False)
        self.catalog.add_source(row)
        self.watcher = self.open()

    def open(self) -> Watcher:
        (row,) = self.catalog.sources()
        settings = Settings(still_polls=2, unreadable_s=10.0)
        source = FolderSource(self.folder, dataset="d")
        return Watcher(self.catalog, row, source, settings, lambda: self.now, self.cpu_clock)

    def cpu_clock(self) -> float:
        """Return CPU seconds that pass as told: every file is looked at each time if none do."""
        self.cpu += self.cpu_of_a_look
        return self.cpu

    def write(self, name: str = "p.h5", value: int = 0) -> Path:
        path = self.folder / name
        with h5py.File(path, "w") as file:
            file["d"] = np.full((2, 3, 4), value, np.uint16)
        return path

    def poll(self, times: int = 1) -> list[str]:
        for _ in range(times):
            self.watcher.refresh()
            self.watcher.poll()
        return self.states()

    def states(self) -> list[str]:
        return [p.state.value for p in sorted(self.catalog.points(), key=lambda p: p.id)]

    def point(self, version: int = 1) -> PointRow:
        return self.catalog.points(POINTS.c.version == version)[0]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_complete_after_being_still(bench: Bench) -> None:
    bench.write()
    assert bench.poll() == ["arriving"]
    assert bench.poll() == ["arriving"]
    assert bench.poll() == ["waiting"]
    assert bench.point().frames == 2


def test_growth_starts_the_count_again(bench: Bench) -> None:
    path = bench.write()
    content = path.read_bytes()
    for share in (0.3, 0.6, 0.9):
        path.write_bytes(content[: int(len(content) * share)])
        assert bench.poll(2) == ["arriving"]
    path.write_bytes(content)
    assert bench.poll(2) == ["arriving"]
    assert bench.poll() == ["waiting"]


def test_a_glance_is_not_counted(bench: Bench) -> None:
    bench.write()
    bench.poll()
    for _ in range(5):
        bench.watcher.poll(glance=True)
    assert bench.states() == ["arriving"]
    assert bench.poll(2) == ["waiting"]


def test_a_marker_completes_at_once(bench: Bench) -> None:
    bench.write()
    (bench.folder / "p.h5.done").touch()
    assert bench.poll() == ["waiting"]


def test_a_file_written_between_the_look_and_the_check_is_not_taken(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bench.write()
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    bench.poll(3)
    real = FolderSource.scan

    def scan(source: FolderSource) -> list[Sighting]:
        seen = real(source)
        path.write_bytes(content)
        return seen

    with monkeypatch.context() as patch:
        patch.setattr(FolderSource, "scan", scan)
        assert bench.poll() == ["arriving"]
    assert bench.poll(2) == ["arriving"]
    assert bench.poll() == ["waiting"]


def test_only_the_marker_counts_if_asked(tmp_path: Path) -> None:
    bench = Bench(tmp_path, marker_needed=True)
    bench.write()
    assert bench.poll(10) == ["arriving"]
    (bench.folder / "p.h5.done").touch()
    assert bench.poll() == ["waiting"]


def test_a_slow_writer_is_waited_for_and_a_truncated_file_told(bench: Bench) -> None:
    path = bench.write()
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    assert bench.poll(4) == ["arriving"]
    bench.now += 9.0
    assert bench.poll(4) == ["arriving"]
    bench.now += 2.0
    assert bench.poll() == ["failed"]
    assert "truncated" in bench.point().failure
    path.write_bytes(content)  # the writer was slower than anyone thought
    assert bench.poll(3) == ["failed", "waiting"]


def test_a_changed_file_is_a_new_version(bench: Bench) -> None:
    bench.write()
    bench.poll(3)
    bench.catalog.dispatch(bench.point())
    bench.catalog.done(bench.point(), "f" * 64)
    bench.write(value=7)
    assert bench.poll() == ["done", "arriving"]
    assert bench.poll(2) == ["done", "waiting"]
    assert [bench.point(v).result for v in (1, 2)] == ["p.h5", "p.v2.h5"]


def test_a_waiting_point_that_changes_is_superseded(bench: Bench) -> None:
    bench.write()
    bench.poll(3)
    bench.write(value=7)
    assert bench.poll(4) == ["superseded", "waiting"]


def test_where_looking_is_dear_new_points_are_seen_and_every_file_rarely(bench: Bench) -> None:
    bench.cpu_of_a_look = 0.1
    bench.write("p.h5")
    assert bench.poll(3) == ["waiting"]
    (bench.folder / "below").mkdir()
    later = bench.write("below/q.h5")
    assert bench.poll() == ["waiting", "arriving"]
    with h5py.File(later, "a") as file:
        file["more"] = 1
    bench.write("p.h5", value=7)  # in place: its folder shows nothing
    assert bench.poll(2) == ["waiting", "arriving"]
    assert bench.poll() == ["waiting", "waiting"]
    bench.now += 39.0
    assert bench.poll() == ["waiting", "waiting"]
    bench.now += 2.0
    assert bench.poll() == ["superseded", "waiting", "arriving"]


def test_how_long_to_rest_depends_on_the_processor_time(bench: Bench) -> None:
    bench.cpu_of_a_look = 0.1
    assert bench.watcher.poll() == 0.0
    assert bench.watcher.poll() == pytest.approx(13.3)


def test_where_looking_is_dear_an_absent_point_is_still_waited_for(bench: Bench) -> None:
    bench.cpu_of_a_look = 0.1
    path = bench.write()
    bench.poll()
    path.rename(bench.folder.parent / "away")
    assert bench.poll(5) == ["arriving"]
    assert "waiting for p.h5 to come back" in bench.watcher.notice
    (bench.folder.parent / "away").rename(path)
    assert bench.poll(2) == ["arriving"]
    assert bench.poll() == ["waiting"]


def test_retry_of_what_can_never_be_a_point_tells_why_again(bench: Bench) -> None:
    os.mkfifo(bench.folder / "p.h5")
    assert bench.poll() == ["failed"]
    why = bench.point().failure
    assert "a pipe, a socket or a device" in why
    bench.catalog.retry(bench.point())
    assert bench.poll() == ["failed"]
    assert bench.point().failure == why


def test_what_is_there_first_is_backlog(bench: Bench) -> None:
    bench.write("old.h5")
    bench.poll()
    bench.write("new.h5")
    bench.poll(4)
    waiting = bench.catalog.next_waiting()
    assert waiting is not None
    assert waiting.key == "new.h5"


def test_a_second_start_goes_on(bench: Bench) -> None:
    bench.write("old.h5")
    bench.poll(3)
    bench.write("while nobody looked.h5")
    bench.watcher = bench.open()
    assert bench.poll(3) == ["waiting", "waiting"]
    waiting = bench.catalog.next_waiting()
    assert waiting is not None
    assert waiting.key == "while nobody looked.h5"


def test_clocks_that_jump_change_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bench.write()
    os.utime(path, (4e9, 4e9))  # the file server lives in the future
    bench.poll()
    monkeypatch.setattr("time.time", lambda: 1.0)  # and this machine in 1970
    assert bench.poll(2) == ["waiting"]
    os.utime(path, (1, 1))
    assert bench.poll() == ["superseded", "arriving"]


def test_a_file_that_is_absent_is_told_and_taken_when_it_is_back(bench: Bench) -> None:
    path = bench.write()
    bench.poll(2)
    away = path.rename(bench.folder / "away")
    assert bench.poll(5) == ["arriving"]
    assert bench.watcher.notice == "waiting for p.h5 to come back: it is not there"
    away.rename(path)  # with the same size and time
    assert bench.poll(2) == ["arriving"]
    assert not bench.watcher.notice
    assert bench.poll() == ["waiting"]
    assert bench.point().version == 1


def test_what_was_absent_at_a_restart_is_taken_when_it_is_back(bench: Bench) -> None:
    path = bench.write()
    bench.poll()
    away = path.rename(bench.folder / "away")
    bench.watcher = bench.open()
    assert bench.poll(3) == ["arriving"]
    away.rename(path)
    assert bench.poll(3) == ["waiting"]


def test_a_point_whose_file_is_away_at_stage_in_arrives_again(bench: Bench) -> None:
    path = bench.write()
    bench.poll(3)
    bench.catalog.dispatch(bench.point())
    away = path.rename(bench.folder / "away")
    bench.catalog.await_again(bench.point(), "p.h5: is absent")
    assert bench.poll(5) == ["arriving"]
    away.rename(path)
    assert bench.poll(3) == ["waiting"]


def test_an_older_version_does_not_arrive_again(bench: Bench) -> None:
    bench.write()
    bench.poll(3)
    old = bench.point()
    bench.catalog.dispatch(old)
    bench.write(value=7)
    assert bench.poll(3) == ["staging", "waiting"]
    bench.catalog.await_again(old, "p.h5: is absent")
    assert bench.poll() == ["superseded", "waiting"]


def test_why_a_point_is_absent_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.folder / "sub").mkdir()
    for name in ("sub/p.h5", "sub/q.h5"):
        bench.write(name)
    bench.poll()
    real = os.scandir

    def refuse(path: Path) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "sub":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        assert bench.poll(3) == ["arriving"] * 2
        assert bench.watcher.notice == (
            "waiting for sub/p.h5 and 1 more to come back: sub cannot be read (Permission denied)"
        )
    assert bench.poll(3) == ["waiting"] * 2


def test_a_person_may_retry_and_skip_what_is_arriving(bench: Bench) -> None:
    path = bench.write()
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    bench.poll(3)
    bench.now += 20.0
    assert bench.poll() == ["failed"]
    bench.catalog.retry(bench.point())
    assert bench.poll(3) == ["arriving"]
    bench.catalog.skip(bench.point(), "no use")
    bench.now += 20.0
    assert bench.poll(3) == ["skipped"]


def test_refused_names_are_kept_once(bench: Bench) -> None:
    path = bench.write("good.h5")
    shutil.copy(path, bench.folder / os.fsdecode(b"bad\xff.h5"))
    (bench.folder / "out.h5").symlink_to("/etc/passwd")
    os.mkfifo(bench.folder / "pipe.h5")
    assert sorted(bench.poll(5)) == ["failed", "failed", "failed", "waiting"]
    assert "is not a file: a pipe" in next(
        p.failure for p in bench.catalog.points() if p.key == "pipe.h5"
    )


def test_many_points_cost_little_memory(bench: Bench) -> None:
    path = bench.write("p_0.h5")
    for number in range(1, 200):
        os.link(path, bench.folder / f"p_{number}.h5")
    assert bench.poll(3) == [PointState.WAITING.value] * 200


def test_what_this_program_wrote_is_left_alone_and_not_awaited(bench: Bench) -> None:
    (row,) = bench.catalog.sources()
    bench.catalog.add_source(replace(row, expected=2))
    bench.write("p.h5")
    with h5py.File(bench.write("truth_of_p.h5"), "a") as file:
        file["truth/depth_um"] = np.zeros(3)
    assert bench.poll(3) == ["waiting", "ignored"]
    assert bench.catalog.coming() == 1
    bench.watcher = bench.open()
    assert bench.poll(3) == ["waiting", "ignored"]


def test_a_file_that_is_open_is_waited_for_without_limit(bench: Bench) -> None:
    with h5py.File(bench.folder / "p.h5", "w") as file:
        file["d"] = np.ones((2, 3, 4), np.uint16)
        file.flush()
        for _ in range(5):
            bench.now += 10_000.0
            assert bench.poll(3) == ["arriving"]
        assert bench.watcher.notice == "waiting for the end of p.h5: is still open for writing"
    assert bench.poll(4) == ["waiting"]
    assert not bench.watcher.notice


@pytest.mark.parametrize("marked", [False, True])
def test_frames_that_were_never_written_are_waited_for_a_while(bench: Bench, marked: bool) -> None:
    with h5py.File(bench.folder / "p.h5", "w") as file:
        data = file.create_dataset("d", (5, 3, 4), np.uint16, chunks=(1, 3, 4))
        data[:3] = 7
    assert bench.poll(4) == ["arriving"]
    assert "2 of 5 parts were never written" in bench.watcher.notice
    if marked:
        (bench.folder / "p.h5.done").touch()
    else:
        bench.now += 599.0
        assert bench.poll() == ["arriving"]
        bench.now += 2.0
    assert bench.poll() == ["waiting"]
    assert bench.point().frames == 5
