"""Whether this process is one of several that an MPI launcher started: from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LAUNCHERS: Final = (
    ("Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("MVAPICH", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
    ("PALS", "PALS_RANKID", "PMI_SIZE"),
    ("PMI", "PMI_RANK", "PMI_SIZE"),
    ("Slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
    ("PMIx", "PMIX_RANK", ""),
)
"""Name of each launcher and what it sets: a process' rank, and the number of ranks.

Slurm sets SLURM_PROCID and SLURM_NTASKS in plain batch scripts too; only a step that `srun`
started has SLURM_STEP_NUM_TASKS. PMIx gives no number: MPI is asked for it.
"""


@dataclass(frozen=True)
class Launch:
    """What a launcher says of this process.

    Attributes
    ----------
    launcher : str
    rank : int
    size : int or None
        Number of ranks, if the launcher says so.
    """

    launcher: str
    rank: int
    size: int | None


@dataclass(frozen=True)
class Seat:
    """Where a rank sits.

    Attributes
    ----------
    host : str
    cores : frozenset of int
        Cores it may run on.
    quota : float or None
        Cores' worth of time that its cgroup may use.
    """

    host: str
    cores: frozenset[int]
    quota: float | None


def launch_of(environment: Mapping[str, str]) -> Launch | None:
    """Return what a launcher says, or None for a process that runs by itself.

    Where launchers were nested (an `mpiexec` in an interactive `srun`), the one that started
    the most ranks counts.

    Parameters
    ----------
    environment : mapping
        Environment variables.
    """
    found = []
    for launcher, rank_name, size_name in LAUNCHERS:
        rank, size = environment.get(rank_name, ""), environment.get(size_name, "")
        ranks = int(size) if size.isdigit() else None
        if rank.isdigit() and (ranks is not None or not size_name):
            found.append(Launch(launcher, int(rank), ranks))
    several = [launch for launch in found if launch.size is None or launch.size > 1]
    return max(several, key=lambda launch: launch.size or 0, default=None)
