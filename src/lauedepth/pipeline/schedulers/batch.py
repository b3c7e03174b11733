"""What Slurm and PBS have in common: commands to run, and answers to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lauedepth.pipeline.protocols import JobState
from lauedepth.pipeline.sites.hosts import Said
from lauedepth.pipeline.sites.settings import BatchSettings, JobShape


@dataclass(frozen=True)
class BatchJob:
    """A job that a batch system knows.

    Attributes
    ----------
    native_id : str
        What the batch system calls it.
    reason : str
        Why it waits, if the batch system says so.
    """

    native_id: str
    state: JobState
    queue: str
    reason: str = ""


@dataclass(frozen=True)
class QueueFacts:
    """What a batch system says of a queue.

    Attributes
    ----------
    open : bool
        Whether it takes jobs and starts them.
    walltime_s, nodes : int or None
        Largest time (s) and number of nodes of a job; None where it is not known.
    """

    open: bool
    walltime_s: int | None = None
    nodes: int | None = None


class BatchSystem(Protocol):
    """A batch system's commands, as argument lists, and the meaning of what they print."""

    def queues(self) -> list[str]:
        """Return the command that lists the queues."""

    def queue_facts(self, said: Said) -> Mapping[str, QueueFacts]:
        """Return every queue by name.

        Raises
        ------
        lauedepth.pipeline.errors.UnreachableError
            If the batch system cannot say.
        """

    def submit(
        self, name: str, queue: str, shape: JobShape, settings: BatchSettings, log: str
    ) -> list[str]:
        """Return the command that submits a script, which is its standard input."""

    def jobs(self) -> list[str]:
        """Return the command that lists all unfinished jobs, in one look."""

    def found(self, said: Said) -> Mapping[str, BatchJob]:
        """Return unfinished jobs by name.

        Raises
        ------
        lauedepth.pipeline.errors.UnreachableError
            If the batch system cannot say.
        """

    def cancel(self, native_id: str) -> list[str]:
        """Return the command that ends a job."""
