"""How the ranks that a launcher started meet."""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from lauedepth.core.errors import LaueDepthError
from lauedepth.tasks.parallel.launch import Launch, Seat
from lauedepth.tasks.parallel.team import SILENCE_S, Team

SILENCE: Final = "LAUEDEPTH_SILENCE_S"
"""Environment variable: after how long without a word a rank counts as lost."""

MEETING: Final = 5.0
"""How many times longer ranks wait for each other at the start, which disks make uneven."""


def join_team(launch: Launch, environment: Mapping[str, str]) -> Team | None:
    """Meet the other ranks; None where there are none.

    Parameters
    ----------
    launch : Launch
    environment : mapping
        Environment variables.

    Raises
    ------
    LaueDepthError
        MPI is missing, or counts the ranks otherwise than the launcher.
    """
    from lauedepth.core.threads import core_quota  # noqa: PLC0415

    silence = environment.get(SILENCE, "")
    silence_s = float(silence) if silence.isdigit() else SILENCE_S
    with _ended_from_outside(MEETING * silence_s):
        mpi = _load_mpi()
    comm = mpi.COMM_WORLD
    if launch.size is not None and comm.Get_size() != launch.size:
        raise LaueDepthError(
            f"{launch.launcher} started {launch.size} ranks, but MPI knows of {comm.Get_size()}",
            mpi.Get_library_version().split("\n")[0].strip(),
            "start with the mpiexec of that MPI, or install mpi4py for the launcher's",
        )
    if comm.Get_size() == 1:
        return None
    team = Team(comm, silence_s)
    seat = Seat(mpi.Get_processor_name(), frozenset(os.sched_getaffinity(0)), core_quota())
    with team.signals_noticed():
        team.seats = team.together(lambda: team.exchange(seat))
    return team


@contextmanager
def _ended_from_outside(seconds: float) -> Iterator[None]:
    """Let the system end this process after some time, or on SIGTERM.

    MPI waits for all ranks when it starts, without letting Python run: where one of them
    failed before, some launchers let the others wait for ever.
    """
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGTERM, before)


def _load_mpi() -> Any:
    import mpi4py  # noqa: PLC0415

    mpi4py.rc.thread_level = "funneled"
    try:
        from mpi4py import MPI  # noqa: PLC0415
    except (ImportError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise LaueDepthError(
            f"MPI cannot be loaded: {reason}", "mpi4py", "pip install 'lauedepth[mpi]'"
        ) from error
    return MPI
