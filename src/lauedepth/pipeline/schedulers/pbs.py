"""PBS: one question for all jobs, for some versions answer only the first of several."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from lauedepth.pipeline.errors import UnreachableError
from lauedepth.pipeline.protocols import JobState
from lauedepth.pipeline.schedulers.batch import BatchJob, QueueFacts
from lauedepth.pipeline.sites.hosts import Said
from lauedepth.pipeline.sites.settings import BatchSettings, JobShape, seconds

STATES: Final = {
    "Q": JobState.QUEUED,
    "W": JobState.QUEUED,
    "T": JobState.QUEUED,
    "H": JobState.HELD,
    "R": JobState.RUNNING,
    "B": JobState.RUNNING,
    "E": JobState.RUNNING,
    "S": JobState.RUNNING,
    "U": JobState.RUNNING,
    "F": JobState.FINISHED,
    "X": JobState.FINISHED,
}
"""What PBS calls the states of a job. An exit status does not mean finished: only F does."""

JOB: Final = re.compile(r'^\s*"(\d+[^"]*)":\s*\{\s*$', re.MULTILINE)
FIELD: Final = r'^\s*"{}":\s*"([^"\n]*)",?\s*$'
FIELDS: Final = ("Job_Name", "job_state", "queue", "comment")


class Pbs:
    """OpenPBS and PBS Professional, 19 and later."""

    def queues(self) -> list[str]:
        """Return the command that lists the queues."""
        return ["qstat", "-Q", "-f", "-F", "json"]

    def queue_facts(self, said: Said) -> dict[str, QueueFacts]:
        """Return every queue by name."""
        try:
            answer = json.loads(_text(said), strict=False)["Queue"].items()
        except (ValueError, KeyError, AttributeError) as error:
            raise UnreachableError("the list of queues cannot be read", "pbs") from error
        return {name: _queue(fields) for name, fields in answer}

    def submit(
        self, name: str, queue: str, shape: JobShape, settings: BatchSettings, log: str
    ) -> list[str]:
        """Return the command that submits a script, which is its standard input."""
        chunk = f"select={shape.nodes}:ncpus={shape.ranks_per_node}:mpiprocs={shape.ranks_per_node}"
        chunk += f":ngpus={shape.gpus}" if shape.gpus else ""
        words = ["qsub", "-N", name, "-q", queue, "-r", "y", "-j", "oe", "-o", log]
        words += ["-l", chunk, "-l", f"walltime={shape.walltime}"]
        if settings.account:
            words += ["-A", settings.account]
        return [*words, *settings.options]

    def jobs(self) -> list[str]:
        """Return the command that lists all unfinished jobs."""
        return ["qstat", "-f", "-F", "json"]

    def found(self, said: Said) -> dict[str, BatchJob]:
        """Return unfinished jobs by name.

        The JSON of some versions is not valid where a job of anybody has an odd name, or an odd
        value in its environment: it is read line by line, without those that make no sense.
        """
        text = _text(said)
        parts = JOB.split(text)[1:]
        jobs = zip(parts[::2], parts[1::2], strict=True)
        read = {number: [_field(name, block) for name in FIELDS] for number, block in jobs}
        return {
            name: BatchJob(number, STATES[state], queue, comment)
            for number, (name, state, queue, comment) in read.items()
            if name and state in STATES
        }

    def cancel(self, native_id: str) -> list[str]:
        """Return the command that ends a job."""
        return ["qdel", native_id]


def _text(said: Said) -> str:
    """Return an answer; the body is the same whether the server is down or has no jobs."""
    if said.code:
        raise UnreachableError(said.last_line, "pbs")
    return said.stdout


def _field(name: str, block: str) -> str:
    found = re.search(FIELD.format(name), block, re.MULTILINE)
    return found.group(1) if found else ""


def _queue(fields: dict[str, Any]) -> QueueFacts:
    limits = fields.get("resources_max", {})
    walltime, nodes = limits.get("walltime"), limits.get("nodect")
    is_open = all(str(fields.get(key)).lower() == "true" for key in ("enabled", "started"))
    return QueueFacts(
        is_open, seconds(str(walltime)) if walltime else None, int(nodes) if nodes else None
    )
