"""The command line: its commands, and how failures are told.

Exit codes: 0 done; 1 a failure (some point, an invalid file); 2 wrong usage or configuration;
130 stopped by Ctrl-C and 143 by SIGTERM, in both cases to be gone on with by --resume.
"""

from __future__ import annotations

import signal
import sys
import traceback
from types import FrameType
from typing import Annotated

import typer

from lauedepth.cli.commands import (
    calibrate,
    check,
    files,
    inspect,
    live,
    plot,
    reconstruct,
    simulate,
)
from lauedepth.cli.exit_codes import FAILURE, TerminatedError, exit_code_of
from lauedepth.cli.reporting import report_error, speaks_json
from lauedepth.core.errors import ConfigurationError, LaueDepthError
from lauedepth.core.version import __version__

EXTRAS = {"dbos": "live", "watchfiles": "live", "mpi4py": "mpi", "numba_cuda": "cuda"}
"""What to install for a package that is missing."""

app = typer.Typer(
    name="lauedepth",
    help="Depth-resolved Laue microdiffraction from coded-aperture scans.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lauedepth {__version__}")
        raise typer.Exit


@app.callback()
def program(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback on failure; works anywhere.")
    ] = False,
) -> None:
    """Depth-resolved Laue microdiffraction from coded-aperture scans."""
    del version, debug


COMMANDS = (simulate, check, calibrate, reconstruct, inspect, plot, files, live)

for command_module in COMMANDS:
    command_module.register(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the program and end the process with its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    sys.exit(run(words))


def run(words: list[str]) -> int:
    """Run one command.

    Parameters
    ----------
    words : list of str
        The command line, without the program's name.

    Returns
    -------
    int
        The exit code.
    """
    debug, as_json = "--debug" in words, speaks_json("--json" in words)
    words = [word for word in words if word != "--debug"]
    signal.signal(signal.SIGTERM, _terminate)
    command = typer.main.get_command(app)
    try:
        # Not command.main(), which turns Ctrl-C into silence.
        with command.make_context("lauedepth", words or ["--help"]) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except KeyboardInterrupt as stop:
        report_error(_stopped(stop), as_json)
        return exit_code_of(stop)
    except (typer.Abort, BrokenPipeError):
        return FAILURE
    except Exception as error:
        if debug:
            traceback.print_exc()
        readable = _readable(error)
        report_error(readable, as_json)
        return exit_code_of(readable)
    return 0


def _readable(error: Exception) -> BaseException:
    """Return a failure in the program's own words, where it is a known one."""
    format_message = getattr(error, "format_message", None)
    if format_message is not None:  # wrong usage, as Typer tells it
        context = getattr(error, "ctx", None)
        asked = f"{context.command_path} --help" if context else "lauedepth --help"
        return ConfigurationError(format_message().rstrip("."), remedy=f"see '{asked}'")
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        return LaueDepthError(
            f"this needs the package {error.name}",
            remedy=f"pip install 'lauedepth[{EXTRAS[error.name]}]'",
        )
    return error


def _stopped(stop: KeyboardInterrupt) -> LaueDepthError:
    by = "SIGTERM" if isinstance(stop, TerminatedError) else "Ctrl-C"
    return LaueDepthError(f"stopped by {by}", remedy="reconstruct goes on with --resume")


def _terminate(number: int, frame: FrameType | None) -> None:
    raise TerminatedError
