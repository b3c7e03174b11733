"""What Slurm prints is read for what it means."""

from __future__ import annotations

import pytest
from tests.unit.pipeline.schedulers.recorded import recorded

from lauedepth.pipeline.errors import UnreachableError
from lauedepth.pipeline.protocols import JobState
from lauedepth.pipeline.schedulers.batch import BatchJob, QueueFacts
from lauedepth.pipeline.schedulers.slurm import Slurm
from lauedepth.pipeline.sites.hosts import Said
from lauedepth.pipeline.sites.settings import BatchSettings, JobShape

SLURM = Slurm()


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("squeue_PENDING_resources", JobState.QUEUED),
        ("squeue_PENDING_qos_limit", JobState.QUEUED),  # a limit means later
        ("squeue_preempted_PENDING", JobState.QUEUED),
        ("squeue_PENDING_held_user", JobState.HELD),
        ("squeue_PENDING_dependency_never", JobState.HELD),
        ("squeue_RUNNING_second_run", JobState.RUNNING),
        ("squeue_preempted_COMPLETING", JobState.RUNNING),
    ],
)
def test_the_state_of_a_job(name: str, state: JobState) -> None:
    """The records have their columns in another order than we ask for."""
    number, job, text, reason, queue = recorded("slurm", name).stdout.split("|")[:5]
    ours = Said(0, f"{number}|{text}|{queue}|{reason}|{job}\n", "")
    told = "" if reason == "None" else reason
    assert SLURM.found(ours) == {job: BatchJob(number, state, queue, told)}


def test_a_name_may_hold_the_separator() -> None:
    found = SLURM.found(Said(0, "7|RUNNING|demand|None|a|b\nnonsense\n", ""))
    assert found == {"a|b": BatchJob("7", JobState.RUNNING, "demand")}


def test_a_controller_that_is_down_does_not_mean_no_jobs() -> None:
    with pytest.raises(UnreachableError, match="Unable to contact slurm controller"):
        SLURM.found(recorded("slurm", "controller_down_squeue"))
    assert SLURM.found(Said(0, "", "")) == {}


def test_partitions_and_what_they_allow() -> None:
    text = "demand|up|1:00:00|2\ndemand|up|1:00:00|3\nlong|up|2-12:00:00|1\noff|down|infinite|9\n"
    assert SLURM.queue_facts(Said(0, text, "")) == {
        "demand": QueueFacts(True, 3600, 5),
        "long": QueueFacts(True, 216000, 1),
        "off": QueueFacts(False, None, 9),
    }


def test_a_job_is_submitted_with_its_shape() -> None:
    settings = BatchSettings.model_validate(
        {
            "kind": "slurm",
            "queues": {"a": {"name": "demand"}},
            "account": "X",
            "options": ["--mem=0"],
        }
    )
    shape = JobShape(nodes=2, ranks_per_node=32, gpus=4)
    assert SLURM.submit("ld-1", "demand", shape, settings, "/100% 'a'/log") == [
        *("sbatch", "--parsable", "--requeue", "--job-name=ld-1", "--partition=demand"),
        *("--nodes=2", "--ntasks-per-node=32", "--time=0:30:00", "--output=/100%% 'a'/log"),
        *("--gpus-per-node=4", "--account=X", "--mem=0"),
    ]
    assert SLURM.cancel("7") == ["scancel", "7"]
