"""The verdict: whether the computing keeps up, by times made up by hand."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.unit.pipeline.made_run import BEGIN, Run

from lauedepth.pipeline.catalog import PointState
from lauedepth.pipeline.status import measure, status


def test_keeping_up(run: Run) -> None:
    for number in range(10):
        run.work(run.add(number, 72.0 * number), 72.0 * number + 1, 100.0, 72.0 * number + 105)
    run.add(10, 720.0)
    pace = measure(run.catalog)
    assert (pace.cadence_s, pace.job_s, pace.overhead_s) == (72.0, 100.0, 4.0)
    done = time.strftime("%H:%M", time.localtime(BEGIN + 751 + 104))
    expected = f"keeping up: 31 s behind, next point expected in 41 s, done about {done}"
    assert run.verdict(751.0) == expected


def test_falling_behind(run: Run) -> None:
    for number in range(10):
        run.work(run.add(number, 72.0 * number), 72.0 * number, 200.0)
    for number in range(10, 20):
        run.add(number, 72.0 * number)
    assert run.verdict(72.0 * 20 - 30).startswith("falling behind: 12 min behind, next point")


def test_the_detector_has_stopped(run: Run) -> None:
    for number in range(5):
        run.work(run.add(number, 72.0 * number), 72.0 * number, 50.0)
    assert run.verdict(400.0).startswith("keeping up: all 5 points done")
    assert run.verdict(4000.0) == "idle: all 5 points done"
    run.add(5, 72.0 * 5)
    assert run.verdict(4000.0).startswith("catching up: 61 min behind, done about")


def test_finished_when_all_that_were_promised_are_there(tmp_path: Path) -> None:
    run = Run(tmp_path, expected=2)
    for number in range(2):
        run.work(run.add(number, 72.0 * number), 72.0 * number, 50.0)
    assert run.verdict(150.0) == "finished: all 2 points done"
    assert run.catalog.coming() == 0


def test_what_it_waits_for_comes_first(run: Run) -> None:
    run.add(0, 0.0)
    driver = run.catalog.driver()
    assert driver is not None
    content = {k: driver[k] for k in ("pid", "host", "since", "slots")}
    run.catalog.beat(**content, notice="paused: 1.0 GB free at /x; make room")
    assert run.verdict(5.0).startswith("paused: 1.0 GB free")


def test_points_that_are_absent_do_not_hide_the_verdict(run: Run) -> None:
    run.add(0, 0.0)
    driver = run.catalog.driver()
    assert driver is not None
    content = {k: driver[k] for k in ("pid", "host", "since", "slots")}
    run.catalog.beat(**content, notice="waiting for p_3.h5 to come back: it is not there")
    found = status(run.catalog, BEGIN + 5.0)
    assert found.verdict.startswith("starting")
    assert "notice         waiting for p_3.h5 to come back: it is not there" in found.text()


def test_failures_and_oldest(run: Run) -> None:
    first = run.add(0, 0.0)
    run.add(1, 50.0)
    bad = run.add(2, 60.0)
    run.catalog.finish(bad, PointState.FAILED, "is truncated")
    found = status(run.catalog, BEGIN + 100.0)
    assert found.verdict.endswith("; 1 failed")
    assert found.failures == (("p_2.h5", "is truncated"),)
    assert found.oldest_s[PointState.WAITING] == 100.0
    text = found.text()
    assert re.search(r"waiting +2 +oldest 2 min", text)
    assert "p_2.h5: is truncated" in text
    assert run.catalog.point(first).state is PointState.WAITING


def test_a_clock_that_went_back_gives_no_negative_ages(run: Run) -> None:
    run.add(0, 1000.0)
    found = status(run.catalog, BEGIN)
    assert found.oldest_s[PointState.WAITING] == 0.0
    assert "-" not in found.verdict
