"""What the environment says of a launcher."""

from __future__ import annotations

import pytest

from lauedepth.tasks.parallel.launch import Launch, launch_of


@pytest.mark.parametrize(
    ("environment", "launch"),
    [
        ({}, None),
        ({"PMI_RANK": "1", "PMI_SIZE": "2"}, Launch("PMI", 1, 2)),
        (
            {"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4", "PMIX_RANK": "3"},
            Launch("Open MPI", 3, 4),
        ),
        ({"PMIX_RANK": "0"}, Launch("PMIx", 0, None)),
        ({"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "64"}, Launch("Slurm", 5, 64)),
        ({"PALS_RANKID": "2", "PMI_RANK": "2", "PMI_SIZE": "8"}, Launch("PALS", 2, 8)),
        # A batch script that srun did not start, though it may start 32 tasks.
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "32"}, None),
        # One rank needs no other.
        ({"PMI_RANK": "0", "PMI_SIZE": "1"}, None),
        # mpiexec in an interactive shell that srun started.
        (
            {
                "SLURM_PROCID": "0",
                "SLURM_STEP_NUM_TASKS": "1",
                "PMI_RANK": "1",
                "PMI_SIZE": "4",
            },
            Launch("PMI", 1, 4),
        ),
        ({"PMI_RANK": "x", "PMI_SIZE": "2"}, None),
        ({"PMI_RANK": "1"}, None),
    ],
)
def test_launchers_are_told_apart(environment: dict[str, str], launch: Launch | None) -> None:
    assert launch_of(environment) == launch
