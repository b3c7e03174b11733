"""What PBS prints is read for what it means, also where it is not valid JSON."""

from __future__ import annotations

import json

import pytest
from tests.unit.pipeline.schedulers.recorded import names, recorded

from lauedepth.pipeline.errors import UnreachableError
from lauedepth.pipeline.protocols import JobState
from lauedepth.pipeline.schedulers.batch import QueueFacts
from lauedepth.pipeline.schedulers.pbs import Pbs
from lauedepth.pipeline.sites.hosts import Said
from lauedepth.pipeline.sites.settings import BatchSettings, JobShape

PBS = Pbs()


def test_all_jobs_are_read_from_one_answer() -> None:
    found = PBS.found(recorded("pbs", "qstat_many_json"))
    jobs = json.loads(recorded("pbs", "qstat_many_json").stdout)["Jobs"]
    assert {job.native_id for job in found.values()} <= set(jobs)
    for name, job in found.items():
        truth = jobs[job.native_id]
        assert (name, job.queue) == (truth["Job_Name"], truth["queue"])
    assert {job.state for job in found.values()} == {
        JobState.QUEUED,
        JobState.RUNNING,
        JobState.HELD,
    }


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("state_Q_preempted", JobState.QUEUED),  # it carries an Exit_status already
        ("state_R_second_run", JobState.RUNNING),
        ("state_E", JobState.RUNNING),
        ("state_S", JobState.RUNNING),
        ("state_H_user", JobState.HELD),
        ("state_F_qdel_queued", JobState.FINISHED),  # it carries none
        ("state_F_walltime", JobState.FINISHED),
    ],
)
def test_the_state_of_a_job(name: str, state: JobState) -> None:
    assert [job.state for job in PBS.found(recorded("pbs", name)).values()] == [state]


@pytest.mark.parametrize("name", names("pbs", "quirk_"))
def test_odd_jobs_of_others_do_not_hide_ours(name: str) -> None:
    odd = recorded("pbs", name)
    head, _, tail = odd.stdout.partition("{\n")
    ours = (
        '"Jobs": {\n"7.login01": {\n"Job_Name": "ld-1",\n"job_state": "R",\n"queue": "demand"\n},\n'
    )
    found = PBS.found(Said(0, f"{head}{{\n{ours}{tail}", ""))
    assert (found["ld-1"].native_id, found["ld-1"].state) == ("7.login01", JobState.RUNNING)


@pytest.mark.parametrize("name", names("pbs", "server_down_qstat"))
def test_a_server_that_is_down_does_not_mean_no_jobs(name: str) -> None:
    with pytest.raises(UnreachableError, match="pbs: "):
        PBS.found(recorded("pbs", name))


def test_no_jobs_is_an_answer() -> None:
    assert PBS.found(Said(0, '{"timestamp": 1}', "")) == {}


@pytest.mark.parametrize("name", ["qstat_Q_json", "qstat_Q_json_release"])
def test_queues_and_what_they_allow(name: str) -> None:
    found = PBS.queue_facts(recorded("pbs", name))
    assert found["demand"] == QueueFacts(True, 3600)
    assert found["debug"] == QueueFacts(True, 3600, 2)
    assert not found["closed"].open


def test_a_list_of_queues_that_makes_no_sense() -> None:
    with pytest.raises(UnreachableError, match="cannot be read"):
        PBS.queue_facts(Said(0, "Welcome!", ""))


def test_a_job_is_submitted_with_its_shape() -> None:
    settings = BatchSettings.model_validate(
        {
            "kind": "pbs",
            "queues": {"a": {"name": "demand"}},
            "account": "X",
            "options": ["-l", "f=h"],
        }
    )
    shape = JobShape(nodes=2, ranks_per_node=32, gpus=4)
    words = PBS.submit("ld-1", "demand", shape, settings, "/a b/log")
    assert words == [
        *("qsub", "-N", "ld-1", "-q", "demand", "-r", "y", "-j", "oe", "-o", "/a b/log"),
        *("-l", "select=2:ncpus=32:mpiprocs=32:ngpus=4", "-l", "walltime=0:30:00"),
        *("-A", "X", "-l", "f=h"),
    ]
    assert PBS.cancel("7.login01") == ["qdel", "7.login01"]
