"""Commands that several ranks of an MPI launcher run together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from lauedepth.cli.exit_codes import exit_code_of
from lauedepth.cli.reporting import Reporter, reporter_for
from lauedepth.core.notices import Notice
from lauedepth.core.progress import Progress, no_progress
from lauedepth.tasks.parallel.joining import join_team
from lauedepth.tasks.parallel.launch import launch_of
from lauedepth.tasks.parallel.team import Team

if TYPE_CHECKING:
    from rich.console import RenderableType

MATHS_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What NumPy's libraries read when they are loaded."""


class SilentReporter:
    """For all ranks but the first."""

    def show(self, event: str, values: Mapping[str, Any], text: RenderableType) -> None:
        """Show nothing."""

    def warn(self, message: str, where: str = "") -> None:
        """Show nothing."""

    def notice(self, notice: Notice) -> None:
        """Show nothing."""

    @contextmanager
    def progress(self, what: str) -> Iterator[Progress]:
        """Show nothing."""
        del what
        yield no_progress


def reporter_of(team: Team | None, as_json: bool, quiet: bool) -> Reporter:
    """Return where a rank reports: only the first says anything."""
    reporter = reporter_for(as_json, quiet)
    return reporter if team is None or team.is_first else SilentReporter()


@contextmanager
def ranks_of_launcher() -> Iterator[Team | None]:
    """Meet the other ranks, where a launcher started several; else yield None.

    A failure or a signal ends all ranks with the same exit code, and rank 0 alone reports it.
    """
    launch = launch_of(os.environ)
    if launch is None:
        yield None
        return
    for name in MATHS_THREADS:
        os.environ.setdefault(name, "1")
    team: Team | None = None
    try:
        team = join_team(launch, os.environ)
        if team is None:
            yield None
            return
        with team.signals_noticed():
            yield team
    except BaseException as error:
        if team is None:
            raise
        code = exit_code_of(error)
        team.leave(code)
        if not team.is_first:
            raise typer.Exit(code) from None
        raise
