"""The driver: what it waits for, starts, drains and tidies up, with jobs that are real programs."""

from __future__ import annotations

import errno
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from tests.unit.pipeline.driver_bench import PYTHON, Bench

from lauedepth.pipeline.catalog import (
    Catalog,
    PointRow,
    PointState,
    hold,
    point_named,
)
from lauedepth.pipeline.errors import CatalogError, HeldError

STUCK = (*PYTHON, "import sys, time; time.sleep(60); open(sys.argv[1], 'w')")
"""A job that leaves a file if nobody ends it."""


def wait_for(condition: Callable[[], bool]) -> None:
    """Look again and again, but not for ever."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def is_reconstructed(catalog: Catalog, name: str) -> bool:
    """Return whether a point is being reconstructed just now."""
    states = [point.state for point in catalog.points() if point.key == name]
    return states == [PointState.RECONSTRUCTING]


def test_a_full_disk_is_waited_for(bench: Bench) -> None:
    bench.write("p.h5")
    bench.transfer.faults = [OSError(errno.ENOSPC, "No space left on device")]
    bench.run()
    assert bench.point("p.h5").state is PointState.DONE
    assert bench.point("p.h5").run == 2


def test_a_breakdown_inside_the_pipeline_ends_in_a_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lauedepth.pipeline.driver.BEAT_S", 0.05)
    bench.write("p.h5")
    bench.write("q.h5")
    bench.transfer.faults = [RuntimeError("a bug")]
    bench.run()
    assert [bench.point(n).state.value for n in ("p.h5", "q.h5")] == ["done", "done"]
    bench.write("r.h5", 3)
    bench.transfer.faults = [RuntimeError("a bug")] * 5
    bench.run()
    assert "failed internally on this point 5 times" in bench.point("r.h5").failure


def test_a_catalog_that_refuses_for_a_while_is_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lauedepth.pipeline.driver.BEAT_S", 0.05)
    bench.write("p.h5")
    broken = [CatalogError("cannot be written (database or disk is full)")] * 6
    bench.transfer.faults = list(broken)
    real, left = bench.catalog.dispatch, [1, 2]

    def refuse(point: PointRow) -> int:
        if left:
            left.pop()
            raise CatalogError("cannot be written (disk I/O error)")
        return real(point)

    monkeypatch.setattr(bench.catalog, "dispatch", refuse)
    bench.run()
    assert bench.point("p.h5").state is PointState.DONE


def test_skipping_ends_the_job(bench: Bench, tmp_path: Path) -> None:
    bench.write("p.h5")
    bench.write("q.h5")
    ended = tmp_path / "ended"
    bench.commands = ((*STUCK, str(ended)),)
    beside = Catalog(bench.url)

    def skip() -> None:
        for name in ("p.h5", "q.h5"):
            wait_for(partial(is_reconstructed, beside, name))
            beside.skip(point_named(beside, name), "no use")

    helper = threading.Thread(target=skip)
    helper.start()
    bench.run()
    helper.join()
    assert [bench.point(name).state.value for name in ("p.h5", "q.h5")] == ["skipped", "skipped"]
    assert not ended.exists()


def test_points_wait_for_a_mount_that_is_away(bench: Bench, tmp_path: Path) -> None:
    for number in range(4):
        bench.write(f"p_{number}.h5", number)
    gate = tmp_path / "gate"
    code = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)"
    bench.commands = ((*PYTHON, code, str(gate)), *bench.commands)
    bench.settings = bench.settings.model_copy(update={"in_flight": 1})
    beside = Catalog(bench.url)

    def notice() -> str:
        row = beside.driver()
        return "" if row is None else str(row["notice"])

    def unmount() -> None:
        wait_for(lambda: PointState.RECONSTRUCTING in beside.counts())
        away = bench.live.rename(tmp_path / "away")
        gate.touch()
        wait_for(lambda: beside.counts().get(PointState.ARRIVING) == 3)
        wait_for(lambda: "has vanished" in notice())
        bench.live.mkdir()  # the empty folder below a mount
        wait_for(lambda: "to come back" in notice())
        bench.live.rmdir()
        away.rename(bench.live)

    helper = threading.Thread(target=unmount)
    helper.start()
    bench.run()
    helper.join()
    assert beside.counts() == {PointState.DONE: 4}


@pytest.mark.parametrize("place", ["results", "work"])
def test_a_folder_to_write_to_that_goes_is_waited_for(
    bench: Bench, tmp_path: Path, place: str
) -> None:
    for name in ("p.h5", "q.h5"):
        bench.write(name)
    gate = tmp_path / "gate"
    code = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)"
    bench.commands = ((*PYTHON, code, str(gate)), *bench.commands)
    folder = bench.results if place == "results" else bench.folders.work
    beside = Catalog(bench.url)

    def said() -> bool:
        row = beside.driver()
        return row is not None and f"paused: {folder} cannot be written" in row["notice"]

    def unmount() -> None:
        wait_for(lambda: beside.counts() == {PointState.RECONSTRUCTING: 2})
        away = folder.rename(tmp_path / "away")
        gate.touch()
        wait_for(said)
        assert not folder.exists()
        away.rename(folder)

    helper = threading.Thread(target=unmount)
    helper.start()
    bench.run()
    helper.join()
    assert beside.counts() == {PointState.DONE: 2}
    assert sorted(path.name for path in bench.results.glob("*.h5")) == ["p.h5", "q.h5"]


def test_a_point_in_flight_is_not_delivered_into_the_folder_below_a_mount_that_went(
    bench: Bench, tmp_path: Path
) -> None:
    bench.write("p.h5")
    gate = tmp_path / "gate"
    code = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)"
    bench.commands = ((*PYTHON, code, str(gate)), *bench.commands)
    beside, driver = Catalog(bench.url), bench.driver()

    def said() -> bool:
        row = beside.driver()
        return row is not None and "is empty and on another device than before" in row["notice"]

    def unmount() -> None:
        wait_for(partial(is_reconstructed, beside, "p.h5"))
        driver._guard.devices[bench.results] += 1  # the empty folder that is seen is another one
        gate.touch()
        wait_for(said)
        assert not list(bench.results.iterdir())
        driver._guard.devices[bench.results] -= 1

    helper = threading.Thread(target=unmount)
    with hold(bench.catalog) as me:
        helper.start()
        driver.run(me, until_done=True)
        helper.join()
    assert bench.point("p.h5").state is PointState.DONE
    assert [path.name for path in bench.results.iterdir()] == ["p.h5"]


def test_a_catalog_that_is_moved_away_while_running_is_waited_for(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("lauedepth.pipeline.driver.BEAT_S", 0.05)
    for name in ("p.h5", "q.h5"):
        bench.write(name)
    bench.settings = bench.settings.model_copy(update={"in_flight": 1})
    path = Path(str(bench.url.database))
    gate = tmp_path / "gate"
    code = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)"
    bench.commands = ((*PYTHON, code, str(gate)), *bench.commands)
    beside = Catalog(bench.url)

    def move() -> None:
        wait_for(partial(is_reconstructed, beside, "p.h5"))
        away = path.rename(tmp_path / "away")
        wait_for(lambda: "catalog.sqlite: has gone" in caplog.text)
        gate.touch()
        time.sleep(0.3)
        away.rename(path)

    helper = threading.Thread(target=move)
    helper.start()
    bench.run()
    helper.join()
    assert Catalog(bench.url).counts() == {PointState.DONE: 2}
    assert caplog.text.count("has gone") <= 3


def test_folders_of_work_that_are_deleted_are_made_again(bench: Bench, tmp_path: Path) -> None:
    for name in ("p.h5", "q.h5"):
        bench.write(name)
    bench.settings = bench.settings.model_copy(update={"in_flight": 1})
    gate = tmp_path / "gate"
    code = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)"
    bench.commands = ((*PYTHON, code, str(gate)), *bench.commands)
    beside = Catalog(bench.url)

    def tidy_up() -> None:
        wait_for(partial(is_reconstructed, beside, "p.h5"))
        shutil.rmtree(bench.folders.work / "jobs")
        gate.touch()

    helper = threading.Thread(target=tidy_up)
    helper.start()
    bench.run()
    helper.join()
    assert beside.counts() == {PointState.DONE: 2}


def test_draining_finishes_what_is_in_flight(bench: Bench, tmp_path: Path) -> None:
    bench.write("p.h5")
    gate = tmp_path / "gate"
    code = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)"
    bench.commands = ((*PYTHON, code, str(gate)), *bench.commands)
    beside = Catalog(bench.url)

    def drain() -> None:
        wait_for(partial(is_reconstructed, beside, "p.h5"))
        driver.drain()
        bench.write("late.h5")
        gate.touch()

    with hold(bench.catalog) as me:
        driver = bench.driver()
        helper = threading.Thread(target=drain)
        helper.start()
        driver.run(me)
        helper.join()
    assert bench.point("p.h5").state is PointState.DONE
    assert not (bench.results / "late.h5").exists()


@pytest.mark.parametrize("ended", [True, False])
def test_a_run_that_another_driver_ended_is_started_again_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    bench.write("p.h5")
    bench.transfer.faults = [HeldError("another driver has taken over")]
    with hold(bench.catalog) as me, pytest.raises(HeldError):
        bench.driver().run(me)
    point = bench.point("p.h5")
    assert point.state is PointState.STAGING
    driver = bench.driver()
    asked: list[tuple[int, int]] = []

    def has_ended(*run: int) -> bool:
        asked.append((run[0], run[1]))
        return ended

    monkeypatch.setattr(driver._engine, "has_ended", has_ended)
    driver._in_flight[point.id] = 0.0
    driver._requeue_lost([point], 1.0)
    driver._engine.close()
    assert asked == [(point.id, point.run)]
    assert bench.point("p.h5").state is (PointState.WAITING if ended else PointState.STAGING)


def test_a_file_that_changes_at_the_end_is_seen_where_every_file_is_looked_at_rarely(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lauedepth.pipeline.settling.FULL_PER_CPU_SECOND", 1e9)
    later = bench.write("p.h5", 2).rename(tmp_path / "later")
    path = bench.write("p.h5")
    write_on = (
        "import os, sys; os.path.exists(sys.argv[1])"
        " and open(sys.argv[2], 'wb').write(open(sys.argv[1], 'rb').read())"
        " and os.remove(sys.argv[1])"
    )
    bench.commands += ((*PYTHON, write_on, str(later), str(path)),)
    bench.run()
    assert [point.state.value for point in bench.catalog.points()] == ["done", "done"]
    assert not later.exists()


def test_staged_files_are_kept_if_asked(bench: Bench) -> None:
    for number in range(4):
        bench.write(f"p_{number}.h5")
    bench.settings = bench.settings.model_copy(update={"keep_staged": 2})
    bench.run()
    assert len(list((bench.folders.work / "points").iterdir())) == 2


def test_an_internal_error_is_told_in_one_line_with_its_traceback_in_a_file(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("lauedepth.pipeline.driver.BEAT_S", 0.05)
    bench.write("p.h5")
    bench.transfer.faults = [RuntimeError("a bug")]
    bench.run()
    assert "internal error of the pipeline (RuntimeError: a bug); see" in caplog.text
    assert "Traceback" not in caplog.text
    kept = (bench.folders.work / "internal-error.txt").read_text()
    assert kept.startswith("Traceback")


@pytest.mark.parametrize("ending", ["replaced", "closed"])
def test_what_an_engine_says_that_is_being_closed_is_nobodys_trouble(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, ending: str
) -> None:
    """A thread learns that its step cannot be recorded any more, while the driver ends."""
    driver, ended = bench.driver(), threading.Event()
    bench.write("p.h5")

    def process(*_: object) -> None:
        if ending == "replaced":
            Catalog(bench.url).take_over()
        else:
            driver.drain()
            monkeypatch.setattr(driver, "_is_over", lambda _: True)
        wait_for(lambda: driver._closing)
        ended.set()
        raise RuntimeError("the engine's database is closed")

    monkeypatch.setattr(driver._flow, "process", process)
    monkeypatch.setattr("lauedepth.pipeline.driver.BEAT_S", 0.05)
    with hold(bench.catalog) as me, suppress(HeldError):
        driver.run(me)
    assert ended.wait(10)
    wait_for(lambda: not driver._in_flight)
    assert "internal error" not in caplog.text
    assert "Traceback" not in caplog.text
