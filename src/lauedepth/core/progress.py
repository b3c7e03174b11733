"""How long work reports its progress: one type of callback for the whole program."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


def no_progress(stage: str, done: int, total: int) -> None:
    """Report nothing."""
    del stage, done, total
