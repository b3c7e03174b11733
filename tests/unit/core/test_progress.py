"""Callbacks for progress."""

from __future__ import annotations

from lauedepth.core.progress import no_progress, of_stage


def test_a_stage_reports_under_its_name() -> None:
    reports: list[tuple[str, int, int]] = []
    of_stage(lambda *report: reports.append(report), "select")(3, 261)
    assert reports == [("select", 3, 261)]


def test_nobody_hears_of_progress_that_nobody_asked_for() -> None:
    no_progress("select", 3, 261)
    of_stage(no_progress, "select")(3, 261)
