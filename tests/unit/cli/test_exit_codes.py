"""Each kind of ending has its exit code."""

from __future__ import annotations

import pytest
import typer

from lauedepth.cli.exit_codes import TerminatedError, exit_code_of
from lauedepth.core.errors import BackendUnavailableError, ConfigurationError, InputError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("is truncated"), 1),
        (OSError(28, "No space left on device"), 1),
        (RuntimeError("a bug"), 1),
        (ConfigurationError("unknown key"), 2),
        (BackendUnavailableError("no GPU"), 2),
        (typer.BadParameter("no such unit"), 2),
        (KeyboardInterrupt(), 130),
        (TerminatedError(), 143),
        (typer.Exit(7), 7),
    ],
)
def test_the_code_of_an_ending(error: BaseException, code: int) -> None:
    assert exit_code_of(error) == code
