"""What can go wrong in the pipeline, told so that a person can act on it.

The one place where the pipeline touches the core: every failure is the project's failure type.
"""

from __future__ import annotations

from lauedepth.core.errors import ConfigurationError, InputError, LaueDepthError, OutputError

__all__ = [
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
]


class FacilityError(LaueDepthError):
    """The pipeline cannot do what it was asked."""


class CatalogError(FacilityError):
    """The catalog cannot be opened, read or written."""


class HeldError(FacilityError):
    """Another driver works on this catalog."""


class ChangedError(FacilityError):
    """A file is no longer the one that was seen."""


class NotAPointError(FacilityError):
    """A file is one that this program wrote, and no point of a detector."""


class StoppedError(FacilityError):
    """Work on a point was called off."""


class JobError(FacilityError):
    """A job ended without a result."""
