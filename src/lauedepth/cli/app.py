"""The command line: its commands, and how failures are reported.

Exit codes: 0 success; 1 failure (of a point, or an invalid file); 2 wrong usage or configuration;
130 stopped by Ctrl-C and 143 by SIGTERM; after either, --resume continues the run.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from types import FrameType
from typing import Annotated, Any

import typer

from lauedepth.cli.commands import (
    calibrate,
    check,
    files,
    inspect,
    learn,
    live,
    plot,
    reconstruct,
    simulate,
    site,
)
from lauedepth.cli.compile_cache import provide_compile_cache
from lauedepth.cli.exit_codes import FAILURE, TerminatedError, exit_code_of
from lauedepth.cli.reporting import report_error
from lauedepth.cli.streams import flush_streams, open_closed_streams
from lauedepth.core.errors import ConfigurationError, LaueDepthError
from lauedepth.core.version import __version__

EXTRAS = {"dbos": "live", "watchfiles": "live", "mpi4py": "mpi", "numba_cuda": "cuda"}
"""The optional extra that provides each package."""

COMPLETION = "_LAUEDEPTH_COMPLETE"
"""Where a shell says that it wants to complete a command line."""

app = typer.Typer(
    name="lauedepth",
    help="Depth-resolved Laue microdiffraction from coded-aperture scans.",
    context_settings={"help_option_names": ["-h", "--help"]},
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
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback on failure; may stand anywhere.")
    ] = False,
) -> None:
    """Depth-resolved Laue microdiffraction from coded-aperture scans."""
    del version, debug


COMMANDS = (simulate, check, calibrate, learn, reconstruct, inspect, plot, files, live, site)

for command_module in COMMANDS:
    command_module.register(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit with its exit code."""
    open_closed_streams()
    if COMPLETION in os.environ:  # a shell asks what may follow
        built_command().main(prog_name="lauedepth")
    words = sys.argv[1:] if arguments is None else arguments
    code = run(words)
    flush_streams()
    sys.exit(code)


def built_command() -> Any:
    """Return the whole command line; its help names what is given, not how Python holds it."""
    command: Any = typer.main.get_command(app)
    context = command.context_class(command, **command.context_settings)
    for one in (command, *command.commands.values()):
        for parameter in (*one.params, one.get_help_option(context)):
            if parameter.param_type_name == "argument":
                parameter.display_type_rich = _no_type
            elif parameter.metavar is None and parameter.is_flag:
                parameter.metavar = " "
    return command


def _no_type(ctx: Any) -> str:
    """Return nothing where Typer shows the Python type of an argument."""
    del ctx
    return ""


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
    debug, as_json = "--debug" in words, "--json" in words
    words = [word for word in words if word != "--debug"]
    signal.signal(signal.SIGTERM, _terminate)
    provide_compile_cache()
    command = built_command()
    try:
        # Not command.main(), which swallows Ctrl-C.
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
    """Return a failure as one of the program's own errors, if it is a known one."""
    format_message = getattr(error, "format_message", None)
    if format_message is not None:  # wrong usage, reported by Typer
        context = getattr(error, "ctx", None)
        help_command = f"{context.command_path} --help" if context else "lauedepth --help"
        return ConfigurationError(format_message().rstrip("."), remedy=f"see '{help_command}'")
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        return LaueDepthError(
            f"the package {error.name} is not installed",
            remedy=f"pip install 'lauedepth[{EXTRAS[error.name]}]'",
        )
    if isinstance(error, RuntimeError) and "cannot cache function" in str(error):
        return LaueDepthError(
            "compiled code can be kept nowhere",
            remedy="set NUMBA_CACHE_DIR to a folder that you may write to",
        )
    return error


def _stopped(stop: KeyboardInterrupt) -> LaueDepthError:
    cause = "SIGTERM" if isinstance(stop, TerminatedError) else "Ctrl-C"
    return LaueDepthError(f"stopped by {cause}", remedy="reconstruct continues with --resume")


def _terminate(number: int, frame: FrameType | None) -> None:
    raise TerminatedError
