"""The standard streams, where whoever started the program closed them or stops reading."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Final

STREAMS: Final = ("stdin", "stdout", "stderr")


def open_closed_streams() -> None:
    """Point closed standard streams to nowhere.

    The next file that is opened would get their numbers otherwise, and a message to the user
    would be written into it: into the catalog, for one.
    """
    for number, name in enumerate(STREAMS):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            os.set_inheritable(nowhere, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w", closefd=False))


def flush_streams() -> None:
    """Write what is left, to nowhere where nobody reads any more: the exit code stays as it is."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            with suppress(OSError):
                os.dup2(nowhere, number)
            os.close(nowhere)
