"""Slurm: its text output, for the JSON of some versions ignores what it is asked."""

from __future__ import annotations

from typing import Final

from lauedepth.pipeline.errors import UnreachableError
from lauedepth.pipeline.protocols import JobState
from lauedepth.pipeline.schedulers.batch import BatchJob, QueueFacts
from lauedepth.pipeline.sites.hosts import Said
from lauedepth.pipeline.sites.settings import BatchSettings, JobShape, seconds

NEVER: Final = ("JobHeld", "PartitionTimeLimit", "PartitionNodeLimit", "DependencyNeverSatisfied")
"""Reasons, or their beginnings, for which a pending job does not start by itself."""


class Slurm:
    """Slurm 20.11 and later."""

    def queues(self) -> list[str]:
        """Return the command that lists the partitions."""
        return ["sinfo", "--noheader", "--format=%R|%a|%l|%D"]

    def queue_facts(self, said: Said) -> dict[str, QueueFacts]:
        """Return every partition by name."""
        rows = [line.split("|") for line in _lines(said)]
        found: dict[str, QueueFacts] = {}
        for name, available, limit, nodes in (row for row in rows if len(row) == 4):
            earlier = found.get(name)
            number = int(nodes) + (earlier.nodes or 0 if earlier else 0)
            longest = seconds(limit) if limit[:1].isdigit() else None
            found[name] = QueueFacts(available == "up", longest, number)
        return found

    def submit(
        self, name: str, queue: str, shape: JobShape, settings: BatchSettings, log: str
    ) -> list[str]:
        """Return the command that submits a script, which is its standard input."""
        words = ["sbatch", "--parsable", "--requeue", f"--job-name={name}", f"--partition={queue}"]
        words += [f"--nodes={shape.nodes}", f"--ntasks-per-node={shape.ranks_per_node}"]
        words += [f"--time={shape.walltime}", f"--output={log.replace('%', '%%')}"]
        if shape.gpus:
            words.append(f"--gpus-per-node={shape.gpus}")
        if settings.account:
            words.append(f"--account={settings.account}")
        return [*words, *settings.options]

    def jobs(self) -> list[str]:
        """Return the command that lists this user's unfinished jobs."""
        return ["squeue", "--noheader", "--me", "--format=%i|%T|%P|%r|%j"]

    def found(self, said: Said) -> dict[str, BatchJob]:
        """Return unfinished jobs by name."""
        rows = [line.split("|", 4) for line in _lines(said)]
        return {
            name: BatchJob(number, _state(state, reason), queue, "" if reason == "None" else reason)
            for number, state, queue, reason, name in (row for row in rows if len(row) == 5)
        }

    def cancel(self, native_id: str) -> list[str]:
        """Return the command that ends a job."""
        return ["scancel", native_id]


def _lines(said: Said) -> list[str]:
    if said.code:
        raise UnreachableError(said.last_line, "slurm")
    return said.stdout.splitlines()


def _state(state: str, reason: str) -> JobState:
    """Return the state of a job that squeue lists: it leaves out those that have ended."""
    if state == "PENDING":
        return JobState.HELD if reason.startswith(NEVER) else JobState.QUEUED
    return JobState.RUNNING
