"""The program's exit codes."""

from __future__ import annotations

from typing import Final

import typer

from lauedepth.core.errors import BackendUnavailableError, ConfigurationError

FAILURE: Final = 1
"""A point failed, or a file is invalid."""
USAGE: Final = 2
"""Wrong usage or configuration."""
INTERRUPTED: Final = 130
"""Ctrl-C."""
TERMINATED: Final = 143
"""SIGTERM, which schedulers send before SIGKILL."""


class TerminatedError(KeyboardInterrupt):
    """SIGTERM was received: a scheduler wants the process to end."""


def exit_code_of(error: BaseException) -> int:
    """Return the exit code of a command that ended with an exception."""
    if isinstance(error, TerminatedError):
        return TERMINATED
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, typer.Exit):
        return error.exit_code
    usage = (typer.BadParameter, ConfigurationError, BackendUnavailableError)
    return USAGE if isinstance(error, usage) else FAILURE
