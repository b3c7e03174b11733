"""How many threads this process may use."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def usable_threads() -> int:
    """Return the threads allowed: `LAUEDEPTH_THREADS` if set, else the cores given to us.

    These are the cores of the process' affinity, or what its cgroup's quota is worth if
    that is less.
    """
    wanted = os.environ.get("LAUEDEPTH_THREADS", "")
    if wanted.isdigit():
        return max(1, int(wanted))
    quota = core_quota()
    cores = len(os.sched_getaffinity(0))
    return cores if quota is None else max(1, min(cores, int(quota)))


def core_quota(
    membership: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> float | None:
    """Return how many cores' worth of time this process' cgroup may use; None if unlimited.

    Parameters
    ----------
    membership, root : Path
        Where Linux lists a process' cgroups, and where they are mounted.
    """
    quotas = []
    with suppress(OSError):
        for line in membership.read_text(encoding="ascii").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            mount = root / controllers if controllers else root
            inner = mount / path.lstrip("/")
            for folder in (inner, *inner.parents):
                quotas.append(_quota_of(folder))
                if folder == mount:
                    break
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota_of(folder: Path) -> float | None:
    """Return the limit of one cgroup: version 2 has one file for it, version 1 two."""
    with suppress(OSError, ValueError):
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (folder / "cpu.cfs_period_us").read_text(encoding="ascii")
        return int(quota) / int(period) if int(quota) > 0 else None
    return None
