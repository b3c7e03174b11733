"""How far work is, reported to whoever asked: the types of the callbacks, and silence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total): work in stages such as "select", "decode" and "write"."""

StageProgress = Callable[[int, int], None]
"""Called with (done, total): one stage, or work that has only one."""


def no_progress(*what: object) -> None:
    """Report nothing: what `Progress` and `StageProgress` are where nobody asked."""


def of_stage(progress: Progress, stage: str) -> StageProgress:
    """Return the progress of one stage of some work.

    Parameters
    ----------
    progress : callable
        Called with (stage, done, total).
    stage : str

    Examples
    --------
    >>> selecting = of_stage(print, "select")
    >>> selecting(3, 261)
    select 3 261
    """
    return partial(progress, stage)
