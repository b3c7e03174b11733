"""The failures of the pipeline, worded so that a user can act on them.

They derive from the project's own error types, the only ones that users see.
"""

from __future__ import annotations

from lauedepth.core.errors import ConfigurationError, InputError, LaueDepthError, OutputError

__all__ = [
    "AbsentError",
    "AwayError",
    "CatalogError",
    "ChangedError",
    "ConfigurationError",
    "FacilityError",
    "HeldError",
    "InputError",
    "JobError",
    "LaueDepthError",
    "NotAPointError",
    "OutputError",
    "StoppedError",
    "UnfinishedError",
    "UnreachableError",
]


class FacilityError(LaueDepthError):
    """The pipeline cannot do what it was asked."""


class CatalogError(FacilityError):
    """The catalog cannot be opened, read or written."""


class HeldError(FacilityError):
    """Another driver holds this catalog."""


class AbsentError(FacilityError):
    """A file is not where it was seen; it may come back."""


class AwayError(FacilityError):
    """A folder to write to is away; nothing may be written in its place."""


class ChangedError(FacilityError):
    """A file has changed since it was seen."""


class NotAPointError(FacilityError):
    """A file was written by this program and is not a detector's point."""


class UnfinishedError(FacilityError):
    """A file looks complete, and seems to be still being written.

    Attributes
    ----------
    frames, rows, columns : int
        What it holds, written or not.
    is_open : bool
        Whether a writer has it open.
    """

    def __init__(
        self, what: str, where: str, shape: tuple[int, int, int], *, is_open: bool = False
    ) -> None:
        super().__init__(what, where, "wait until its writer has closed it")
        self.frames, self.rows, self.columns = shape
        self.is_open = is_open


class StoppedError(FacilityError):
    """Work on a point was cancelled."""


class JobError(FacilityError):
    """A job ended without a result."""


class UnreachableError(FacilityError):
    """A site cannot be reached now. It is waited for; it says nothing about a point or a job."""
