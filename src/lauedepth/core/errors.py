"""Failures that a user can act on."""

from __future__ import annotations


class LaueDepthError(Exception):
    """A failure reported in one line: what is wrong, where, and what to do.

    Parameters
    ----------
    what : str
        What is wrong.
    where : str, optional
        File, dataset, key or pixel.
    remedy : str, optional
        What the user can do about it.
    """

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = what, where, remedy
        place = f"{where}: " if where else ""
        advice = f"; {remedy}" if remedy else ""
        super().__init__(f"{place}{what}{advice}")


class BackendUnavailableError(LaueDepthError):
    """A backend asked for by name cannot run on this machine."""


class ConfigurationError(LaueDepthError):
    """A configuration file or value is wrong."""


class InputError(LaueDepthError):
    """An input file cannot be used."""


class OutputError(LaueDepthError):
    """A result cannot be written."""


class BusyError(OutputError):
    """A file is being written by another process."""
