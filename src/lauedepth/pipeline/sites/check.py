"""Can a site do the work? Every part is tried, and each thing that is wrong is one line."""

from __future__ import annotations

import hashlib
import shlex
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from lauedepth.pipeline.disk import GB
from lauedepth.pipeline.errors import LaueDepthError
from lauedepth.pipeline.protocols import Item, JobState, Ref, here
from lauedepth.pipeline.schedulers.batch import BatchSystem, QueueFacts
from lauedepth.pipeline.schedulers.pbs import Pbs
from lauedepth.pipeline.schedulers.slurm import Slurm
from lauedepth.pipeline.sites.hosts import Host
from lauedepth.pipeline.sites.settings import SiteSettings
from lauedepth.pipeline.transfers.rsync import Rsync

SKEW_S: Final = 60.0
"""Difference of the clocks that is told."""

JOB_S: Final = 20.0
"""How long to wait for the trial job."""

LOOK_S: Final = 1.0

SYSTEMS: Final[dict[str, Callable[[], BatchSystem]]] = {"slurm": Slurm, "pbs": Pbs}


@dataclass(frozen=True)
class Finding:
    """One part of a site, and how it is.

    Attributes
    ----------
    part : str
        What was tried.
    good : bool
        Whether work can be done.
    text : str
        What was found; what is wrong, and what to do about it.
    """

    part: str
    good: bool
    text: str


class SiteCheck:
    """Tries the parts of a site one after the other.

    Parameters
    ----------
    version : str
        Version of this program, which the site's must have.
    """

    def __init__(self, name: str, settings: SiteSettings, version: str) -> None:
        self._settings, self._version = settings, version
        connection = settings.connection
        address = connection.host if connection.kind == "ssh" else ""
        self._host = Host(name, address, connection.config)
        self._name = f"ld-check-{uuid.uuid4().hex[:8]}"
        self._folder = f"{settings.work.rstrip('/')}/{self._name}"
        self._system = SYSTEMS[settings.scheduler.kind]()
        self._why = ""

    def run(self) -> Iterator[Finding]:
        """Yield what is found; where the site cannot be used at all, nothing more is tried."""
        with ExitStack() as stack:
            stack.enter_context(self._host)
            login = self._try("login", self._login)
            yield login
            if not login.good:
                return
            stack.callback(self._remove)
            yield self._try("files", self._files)
            queues = self._try("queues", self._queues)
            yield queues
            if queues.good:
                yield self._try("job", self._job)

    def _try(self, part: str, action: Callable[[], str]) -> Finding:
        try:
            return Finding(part, True, action())
        except (LaueDepthError, OSError) as error:
            return Finding(part, False, str(error))

    def _remove(self) -> None:
        self._try("files", lambda: str(self._host.ask("remove", path=self._folder)))

    def _login(self) -> str:
        begin = time.time()
        facts = self._host.ask("facts", work=self._settings.work)
        skew = facts["time"] - (begin + time.time()) / 2
        free = facts["free"] / GB
        if free < self._settings.keep_free_gb:
            text = f"{free:.3g} GB free, {self._settings.keep_free_gb:.3g} GB to be kept free"
            raise LaueDepthError(text, self._settings.work, "free some disk space there")
        told = f"; its clock is {skew:+.0f} s off" if abs(skew) > SKEW_S else ""
        return f"{facts['host']}, Python {facts['python']}, {free:.3g} GB free{told}"

    def _files(self) -> str:
        """Send 1 MB there and back; the names are such that a shell would stumble over them."""
        content = Random(self._name).randbytes(1_000_000)
        rsync = Rsync(self._host, self._settings.transfer.limit_mb_s)
        with tempfile.TemporaryDirectory() as folder:
            sent, back = Path(folder, "there"), Path(folder, "back")
            sent.mkdir()
            name = "a 'b' \"c\" $(d);.h5"
            (sent / name).write_bytes(content)
            far = Ref(self._host.name, Path(self._folder))
            there = Item(here(sent), name, Ref(far.site, far.path / name))
            digest = hashlib.sha256(content).hexdigest()
            rsync.move([there], lambda: False)
            rsync.move([Item(far, name, here(back / name), sha256=digest)], lambda: False)
        return "1 MB there and back, same checksum"

    def _queues(self) -> str:
        said = self._host.run(self._system.queues())
        known = self._system.queue_facts(said)
        wanted = {queue.name for queue in self._settings.scheduler.queues.values()}
        wrong = [text for name in sorted(wanted) if (text := self._unfit(name, known.get(name)))]
        if wrong:
            remedy = f"there are: {', '.join(sorted(known))}"
            raise LaueDepthError("; ".join(wrong), "scheduler.queues", remedy)
        return ", ".join(sorted(wanted))

    def _unfit(self, name: str, facts: QueueFacts | None) -> str:
        """Return why a queue is no good; a job over its limits may be taken and never start."""
        shape = self._settings.job
        if facts is None:
            return f"{name} is not there"
        if not facts.open:
            return f"{name} is closed"
        if facts.walltime_s is not None and shape.walltime_s > facts.walltime_s:
            return f"{name} allows {facts.walltime_s} s, and job.walltime is {shape.walltime_s} s"
        if facts.nodes is not None and shape.nodes > facts.nodes:
            return f"{name} allows {facts.nodes} nodes, and job.nodes is {shape.nodes}"
        return ""

    def _job(self) -> str:
        """Have a job print the program's version; it runs in the set-up of real ones."""
        batch, shape = self._settings.scheduler, self._settings.job
        queue = next(iter(batch.queues.values())).name
        said_file, log = f"{self._folder}/version", f"{self._folder}/log"
        self._host.ask("make", path=self._folder)
        words = self._system.submit(self._name, queue, shape, batch, log)
        submitted = self._host.run(words, script(shape.setup, shape.program, said_file))
        if submitted.code:
            raise LaueDepthError(f"was refused: {submitted.last_line}", queue)
        native_id = (submitted.stdout.split() or [""])[-1].split(";")[0]
        try:
            text = self._outcome(said_file)
        except BaseException:  # Ctrl-C, too: no job is left behind
            self._host.run(self._system.cancel(native_id))
            raise
        if text is None:
            self._host.run(self._system.cancel(native_id))
            return f"{queue} took it; it had not ended after {JOB_S:.0f} s{self._why}"
        version = (text.split() or ["nothing"])[-1]
        if version != self._version:
            raise LaueDepthError(
                f"the program there says {version}, this is {self._version}",
                shape.program,
                "install the same version at both ends",
            )
        return f"ran in {queue}, lauedepth {version}"

    def _outcome(self, said_file: str) -> str | None:
        """Return what the job wrote, or None if it had not ended after a while.

        Raises
        ------
        LaueDepthError
            If it ended and wrote nothing.
        """
        end = time.monotonic() + JOB_S
        while (text := self._host.ask("read", path=said_file)) is None:
            job = self._system.found(self._host.run(self._system.jobs())).get(self._name)
            if job is None or job.state is JobState.FINISHED:
                if self._host.ask("read", path=said_file) is not None:
                    continue
                said = (self._host.ask("read", path=f"{self._folder}/log") or "").splitlines()
                last = next((line for line in reversed(said) if line.strip()), "it says nothing")
                raise LaueDepthError(f"ended without a result: {last}", self._name)
            if time.monotonic() > end:
                self._why = f" ({job.reason})" if job.reason else ""
                return None
            time.sleep(LOOK_S)
        return str(text)


def script(setup: tuple[str, ...], program: str, said_file: str) -> str:
    """Return a job's script, which writes what the program says of its version to a file."""
    said, part = shlex.quote(said_file), shlex.quote(said_file + ".partial")
    lines = [
        "#!/bin/bash",
        *setup,
        f"{shlex.quote(program)} --version > {part} && mv {part} {said}",
    ]
    return "\n".join(lines) + "\n"
