"""The interfaces of the pipeline: where data come from, how they move, where jobs run.

Another facility is one new class per interface. Nothing here knows what a job computes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol


@dataclass(frozen=True)
class Member:
    """One file of a point, as it was when last seen.

    Attributes
    ----------
    name : str
        Path relative to the source's root, with forward slashes.
    size : int
        Bytes.
    mtime_ns : int
        Modification time, compared only for equality: clocks may jump.
    """

    name: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Sighting:
    """A point as seen in one scan of a source.

    Attributes
    ----------
    key : str
        The point's name within its source.
    members : tuple of Member
        Its files, in frame order.
    marked : bool
        Whether the experiment has marked the point as complete.
    refusal : str
        Why the point can never be processed, if so.
    """

    key: str
    members: tuple[Member, ...]
    marked: bool = False
    refusal: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(member.size for member in self.members)

    @cached_property
    def signature(self) -> str:
        """Short digest that changes with any file's name, size or modification time."""
        text = "\0".join(f"{m.name}\0{m.size}\0{m.mtime_ns}" for m in self.members)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class Source(Protocol):
    """A place where points appear."""

    @property
    def root(self) -> Path:
        """The folder that every member's name is relative to."""

    def scan(self) -> Sequence[Sighting]:
        """Return every point present now, complete or not."""

    def news(self, arriving: Collection[str]) -> Sequence[Sighting]:
        """Return the points that are new since the last look, and those of `arriving` present.

        It may return others, too, and miss what `scan` finds: it is to be quick.
        """

    def absence(self, key: str) -> str:
        """Return why a point that was seen before is not seen now."""

    def check(self, sighting: Sighting) -> int:
        """Return the number of frames of a point that looks complete.

        Raises
        ------
        lauedepth.pipeline.errors.InputError
            If a file cannot be read as a point; the text says why.
        lauedepth.pipeline.errors.NotAPointError
            If a file is not a detector's point at all.
        lauedepth.pipeline.errors.UnfinishedError
            If a file is still being written.
        """


LOCAL: Final = "local"
"""The name of the site that is this machine."""


@dataclass(frozen=True)
class Ref:
    """A path at a site.

    Attributes
    ----------
    site : str
        Name of the site; `LOCAL` for this machine.
    path : Path
        Absolute path there.
    """

    site: str
    path: Path


def here(path: Path) -> Ref:
    """Return a path on this machine."""
    return Ref(LOCAL, path)


@dataclass(frozen=True)
class Item:
    """One file to move.

    Attributes
    ----------
    source : Ref
        Folder that the file must be inside.
    name : str
        Path relative to `source`.
    destination : Ref
        Where to put the file.
    member : Member or None
        State that the file must have, before and after; None to check only the checksum.
    sha256 : str
        Expected checksum; empty if not known yet.
    """

    source: Ref
    name: str
    destination: Ref
    member: Member | None = None
    sha256: str = ""


class TransferState(StrEnum):
    """The state of a transfer."""

    MOVING = "moving"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class TransferReport:
    """What is known about a transfer.

    Attributes
    ----------
    digests : tuple of str
        SHA-256 of each file, in the order of the items, once all have arrived.
    error : Exception or None
        Why it failed; see `Transfer.report`.
    """

    state: TransferState
    digests: tuple[str, ...] = ()
    error: Exception | None = None


class Transfer(Protocol):
    """Moves files so that each arrives whole, verified by checksum, or not at all.

    A transfer has a name, so that it can be found again, and moves any number of files.
    """

    def start(self, name: str, items: Sequence[Item]) -> None:
        """Begin to move files; do nothing if a transfer of this name is already known.

        Files that are in their place already are only verified, and a part is continued.
        """

    def report(self, name: str) -> TransferReport:
        """Say where a transfer stands; one that is not known is `UNKNOWN`: start it again.

        The error of one that failed is

        - `lauedepth.pipeline.errors.AbsentError` if a file is not there: it may come back;
        - `lauedepth.pipeline.errors.ChangedError` if a file is no longer what its item says;
        - `lauedepth.pipeline.errors.UnreachableError` if a site cannot be reached;
        - another `LaueDepthError` or an `OSError` that says what else is wrong.
        """

    def cancel(self, name: str) -> None:
        """Make sure that a transfer moves nothing any more, and forget it."""

    def forget(self, name: str) -> None:
        """Delete what is kept about a transfer that has ended."""


class JobState(StrEnum):
    """The state of a job.

    `HELD` is queued and will not start by itself, `LOST` has died without an exit code, and
    `UNKNOWN` cannot be said now: what was seen is older than the submission, or nothing was seen.
    """

    QUEUED = "queued"
    HELD = "held"
    RUNNING = "running"
    FINISHED = "finished"
    LOST = "lost"
    UNKNOWN = "unknown"


ENDED: Final = (JobState.FINISHED, JobState.LOST)
"""States of a job that runs no more."""


@dataclass(frozen=True)
class JobRequest:
    """A job: programs run one after the other until one fails.

    Attributes
    ----------
    name : str
        Unique per run; submitting the same name again finds the existing job.
    commands : tuple of tuple of str
        Argument lists; no shell ever sees them.
    folder : Path
        Working directory.
    priority : int
        Lower values run first.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    folder: Path
    priority: int = 0


@dataclass(frozen=True)
class JobReport:
    """What a scheduler knows about a job.

    Attributes
    ----------
    exit_code : int or None
        Of the last program run; negative for the signal that killed it.
    reason : str
        Last line the failing program wrote.
    started, finished : float
        Unix times; 0 where not known.
    seconds, cpu_seconds : float
        Wall-clock time from a clock that never jumps, and processor time.
    max_rss_bytes : int
        Largest resident size of any process of the job.
    """

    state: JobState
    exit_code: int | None = None
    reason: str = ""
    started: float = 0.0
    finished: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    max_rss_bytes: int = 0


class Scheduler(Protocol):
    """Runs jobs that outlive the program that submits them.

    Every method may raise a `lauedepth.pipeline.errors.UnreachableError`, which says nothing about
    a job: whoever calls waits and asks again.
    """

    @property
    def slots(self) -> int:
        """How many jobs run side by side."""

    @property
    def look_every_s(self) -> float:
        """Least time between two calls of `reports`."""

    def submit(self, request: JobRequest) -> None:
        """Accept a job; do nothing if a job of this name is already known."""

    def reports(self, names: Collection[str]) -> Mapping[str, JobReport]:
        """Say where jobs stand, all in one look; a name that is left out is not known now."""

    def cancel(self, name: str) -> None:
        """Make sure that nothing of a job runs any more."""

    def forget(self, name: str) -> None:
        """Delete what is kept about a finished job."""


@dataclass(frozen=True)
class Recipe:
    """The programs that make a result from a staged point.

    Attributes
    ----------
    commands : tuple of tuple of str
        Argument lists in which ``{point}``, ``{result}``, ``{export}`` and each name of `values`
        are replaced.
    values : Mapping
        Further names and what they stand for.
    """

    commands: tuple[tuple[str, ...], ...]
    values: Mapping[str, str] = field(default_factory=dict)

    def fill(self, point: Path, result: Path, export: Path) -> tuple[tuple[str, ...], ...]:
        """Return the argument lists for one point; every value stays one argument."""
        values = {**self.values, "point": str(point), "result": str(result), "export": str(export)}
        return tuple(tuple(_replace(word, values) for word in words) for words in self.commands)


def _replace(word: str, values: Mapping[str, str]) -> str:
    """Replace a word that is exactly one name in braces; other braces stay as they are."""
    if word.startswith("{") and word.endswith("}"):
        return values.get(word[1:-1], word)
    return word
