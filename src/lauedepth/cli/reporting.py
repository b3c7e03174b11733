"""The output of commands: text and progress bars for people, JSON lines for programs."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.table import Table

from lauedepth.core.errors import ConfigurationError, LaueDepthError
from lauedepth.core.notices import Level, Notice
from lauedepth.core.progress import Progress, no_progress

STAGES: Mapping[str, str] = {
    "select": "selecting pixels",
    "compile": "compiling (first use only)",
    "decode": "decoding",
    "write": "writing",
    "simulate": "simulating",
    "export": "exporting",
    "read": "reading",
    "search": "searching along the code",
    "refine": "refining positions",
}

SECONDS_BETWEEN = 1.0
"""Minimum time between two progress events."""


class Reporter(Protocol):
    """Where a command's output goes."""

    def show(self, event: str, values: Mapping[str, Any], text: RenderableType) -> None:
        """Show a result: its values to programs, its text to people."""
        ...

    def warn(self, message: str, where: str = "") -> None:
        """Show a warning."""
        ...

    def notice(self, notice: Notice) -> None:
        """Show a note or a warning."""
        ...

    @contextmanager
    def progress(self, what: str) -> Iterator[Progress]:
        """Show the progress of some work."""
        ...


class TerminalReporter:
    """For people."""

    def __init__(self) -> None:
        self._out = Console(highlight=False, soft_wrap=True)
        self._err = Console(stderr=True, highlight=False, soft_wrap=True)

    def show(self, event: str, values: Mapping[str, Any], text: RenderableType) -> None:
        """Print the text."""
        del event, values
        self._out.print(text)

    def warn(self, message: str, where: str = "") -> None:
        """Print a line to stderr."""
        self._err.print(f"[yellow]warning:[/] {_at(where)}{message}")

    def notice(self, notice: Notice) -> None:
        """Print a line to stderr."""
        colour = "yellow" if notice.level is Level.WARNING else "dim"
        self._err.print(f"[{colour}]{notice.level}:[/] {escape(str(notice))}")

    @contextmanager
    def progress(self, what: str) -> Iterator[Progress]:
        """Show a progress bar for each stage; none in a log."""
        bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._err,
            disable=not self._err.is_terminal,
        )
        tasks: dict[str, TaskID] = {}

        def show_progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(f"{what}: {STAGES.get(stage, stage)}", total=total)
            bars.update(tasks[stage], completed=done, total=total)

        with bars:
            yield show_progress


class QuietReporter(TerminalReporter):
    """For people who want to hear of nothing but trouble."""

    def show(self, event: str, values: Mapping[str, Any], text: RenderableType) -> None:
        """Print nothing."""

    def notice(self, notice: Notice) -> None:
        """Print a warning, and no note."""
        if notice.level is Level.WARNING:
            super().notice(notice)

    @contextmanager
    def progress(self, what: str) -> Iterator[Progress]:
        """Show nothing."""
        del what
        yield no_progress


class JsonReporter:
    """For programs: one JSON object per line, on stdout.

    Parameters
    ----------
    clock : callable
        Seconds from a clock that never jumps.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock

    def show(self, event: str, values: Mapping[str, Any], text: RenderableType) -> None:
        """Print the values."""
        del text
        print_event(event, values)

    def warn(self, message: str, where: str = "") -> None:
        """Print a warning event."""
        print_event("warning", {"where": where, "message": message})

    def notice(self, notice: Notice) -> None:
        """Print a note event or a warning event."""
        print_event(notice.level, notice.as_dict() | {"message": notice.message})

    @contextmanager
    def progress(self, what: str) -> Iterator[Progress]:
        """Print progress events, but not too often."""
        last: dict[str, float] = {}

        def show_progress(stage: str, done: int, total: int) -> None:
            now = self._clock()
            if done < total and now - last.get(stage, -math.inf) < SECONDS_BETWEEN:
                return
            last[stage] = now
            print_event("progress", {"of": what, "stage": stage, "done": done, "total": total})

        yield show_progress


def reporter_for(as_json: bool, quiet: bool = False) -> Reporter:
    """Return the reporter: for people, also in a log, unless JSON is asked for.

    Raises
    ------
    ConfigurationError
        Both JSON and silence are asked for.
    """
    if as_json and quiet:
        raise ConfigurationError("exclude each other", "--json and --quiet", "give one of them")
    if quiet:
        return QuietReporter()
    return JsonReporter() if as_json else TerminalReporter()


def print_event(event: str, values: Mapping[str, Any]) -> None:
    """Print one event."""
    line = {"event": event} | {name: _plain(value) for name, value in values.items()}
    print(json.dumps(line, ensure_ascii=False), flush=True)


def report_error(error: BaseException, as_json: bool) -> None:
    """Report a failure in one line on stderr, and as an event to programs."""
    message = one_line(error)
    if as_json:
        known = isinstance(error, LaueDepthError)
        parts = {k: getattr(error, k) for k in ("what", "where", "remedy")} if known else {}
        with suppress(OSError):  # nobody reads any more, or the disk is full; the code still tells
            print_event("error", {"message": message, "kind": type(error).__name__, **parts})
    with suppress(OSError):
        print(f"lauedepth: {message}", file=sys.stderr, flush=True)


def one_line(error: BaseException) -> str:
    """Return a failure as one line."""
    if isinstance(error, LaueDepthError):
        text = str(error)
    elif isinstance(error, OSError) and error.strerror:
        text = f"{_at(str(error.filename or ''))}{error.strerror.lower()}"
    elif isinstance(error, MemoryError):
        text = "out of memory; lower --memory or use a computer with more"
    else:
        text = f"unexpected {type(error).__name__}: {error}; report it with --debug's output"
    return " ".join(text.split())


def facts(rows: Mapping[str, object], title: str = "") -> Table:
    """Return names and values as two columns."""
    table = Table.grid(padding=(0, 2))
    table.title = title or None
    for name, value in rows.items():
        table.add_row(f"[dim]{name}[/]", str(value))
    return table


def _at(where: str) -> str:
    return f"{where}: " if where else ""


def _plain(value: Any) -> Any:
    """Return a value that JSON can represent; NaN becomes null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: _plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
