"""Nothing is reported to nobody."""

from __future__ import annotations

from lauedepth.core.progress import Progress, no_progress


def test_no_progress_is_a_progress_callback() -> None:
    report: Progress = no_progress
    report("decode", 1, 2)
