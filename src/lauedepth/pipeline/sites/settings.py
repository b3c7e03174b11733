"""What a facility's file says about its sites."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Line = Annotated[str, Field(pattern=r"^[^\n\r\x00]*$")]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@+-]*$")]
"""A name that no program takes for an option, and that needs no quoting."""

STRICT: Final = ConfigDict(extra="forbid", frozen=True)


class Queue(BaseModel):
    """A queue, which Slurm calls a partition."""

    model_config = STRICT

    name: Word


class BatchSettings(BaseModel):
    """The batch system of a site.

    Attributes
    ----------
    kind : str
        ``slurm`` or ``pbs``.
    queues : dict
        Queues by what they are for, for instance ``live`` and ``backlog``.
    account : str
        What jobs are charged to; empty if the site does not ask.
    options : tuple of str
        Further arguments of ``sbatch`` or ``qsub``.
    """

    model_config = STRICT

    kind: Literal["slurm", "pbs"]
    queues: dict[str, Queue] = Field(min_length=1)
    account: Word | Literal[""] = ""
    options: tuple[Line, ...] = ()


class JobShape(BaseModel):
    """What one job needs.

    Attributes
    ----------
    nodes, ranks_per_node, gpus : int
        Nodes, and processes and graphics cards on each.
    walltime : str
        Longest time, as ``H:MM:SS``.
    setup : tuple of str
        Lines of shell that the job's script begins with.
    program : str
        Path or name of the lauedepth program there.
    """

    model_config = STRICT

    nodes: int = Field(default=1, ge=1)
    ranks_per_node: int = Field(default=1, ge=1)
    gpus: int = Field(default=0, ge=0)
    walltime: str = Field(default="0:30:00", pattern=r"^\d{1,3}:[0-5]\d:[0-5]\d$")
    setup: tuple[Line, ...] = ()
    program: Line = "lauedepth"

    @property
    def walltime_s(self) -> int:
        """Longest time (s)."""
        return seconds(self.walltime)


class Connection(BaseModel):
    """How a site is reached.

    Attributes
    ----------
    kind : str
        ``ssh``, or ``local`` where its commands work on this machine.
    host : str
        Name or alias that ssh knows.
    config : Path or None
        ssh's configuration, if not the user's own.
    """

    model_config = STRICT

    kind: Literal["ssh", "local"] = "ssh"
    host: Word | Literal[""] = ""
    config: Path | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.kind == "ssh") != bool(self.host):
            raise ValueError("ssh needs a host, and this machine has none")
        return self


class TransferSettings(BaseModel):
    """How files get to a site and back.

    Attributes
    ----------
    kind : str
        ``rsync``.
    limit_mb_s : float
        Largest rate (MB/s); 0 for no limit.
    """

    model_config = STRICT

    kind: Literal["rsync"] = "rsync"
    limit_mb_s: float = Field(default=0.0, ge=0, allow_inf_nan=False)


class SiteSettings(BaseModel):
    """One site.

    Attributes
    ----------
    work : str
        Folder there for what is in progress: an absolute path that every node sees.
    keep_free_gb : float
        Space to keep free there.
    """

    model_config = STRICT

    scheduler: BatchSettings
    job: JobShape = JobShape()
    connection: Connection
    transfer: TransferSettings = TransferSettings()
    work: str = Field(pattern=r"^/[^\n\r\x00]+$")
    keep_free_gb: float = Field(default=10.0, ge=0, allow_inf_nan=False)


def seconds(walltime: str) -> int:
    """Return a time as batch systems write it (``[[D-]H:]M:S``), in seconds."""
    days, _, clock = walltime.rpartition("-")
    total = 0
    for part in clock.split(":"):
        total = 60 * total + int(part)
    return total + 86400 * int(days or 0)
