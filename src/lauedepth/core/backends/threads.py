"""How many threads this process may use."""

from __future__ import annotations

import os


def usable_threads() -> int:
    """Return the threads allowed: `LAUEDEPTH_THREADS` if set, else the cores given to us."""
    wanted = os.environ.get("LAUEDEPTH_THREADS", "")
    allowed = len(os.sched_getaffinity(0))
    return max(1, int(wanted)) if wanted.isdigit() else allowed
