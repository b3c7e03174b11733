"""The settings of a facility's pipeline: one YAML file in which every key has a default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lauedepth.core.files import read_file
from lauedepth.pipeline.errors import ConfigurationError
from lauedepth.pipeline.sites.settings import SiteSettings, Word
from lauedepth.pipeline.sources.folder import PointKind

Command = Annotated[tuple[str, ...], Field(min_length=1)]


class Settings(BaseModel):
    """How the pipeline detects, processes and cleans up points.

    Attributes
    ----------
    layout : PointKind
        What a point is: a file, or a folder of one-frame files.
    marker : str
        Suffix of the empty file by which the experiment marks a point as complete.
    marker_needed : bool
        Whether only the marker completes a point.
    dataset : str
        Path of the frames in a file; empty to accept files without reading them.
    frames : int
        Number of frames that every point must have; 0 for any number.
    poll_s : float
        Interval between two looks at the folder.
    still_polls : int
        Number of looks for which a file must stay unchanged to count as complete.
    unreadable_s : float
        How long to wait for a file that no longer changes but cannot be read.
    unwritten_s : float
        How long to wait for frames that were never written in a file that no longer changes.
    in_flight : int
        Points processed at the same time; 0 for two more than the number of slots.
    job_limit_s : float
        Time after which a running job counts as hanging; 0 for 20 times as long as others ran.
    keep_free_gb : float
        Disk space to keep free.
    keep_staged : int
        Number of finished points whose staged files are kept.
    export : bool
        Whether to write one image per depth beside each result.
    carry : bool
        Whether what points tell of the aperture is carried from one to the next.
    commands : tuple of tuple of str
        Programs to run on each point instead of lauedepth's own, as argument lists; ``{point}``,
        ``{result}``, ``{export}``, ``{experiment}`` and ``{carried}`` are replaced.
    work : Path or None
        Where points are staged; by default inside the results folder.
    sites : dict
        Other places that can compute, by name; see `SiteSettings`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    layout: PointKind = PointKind.FILE
    marker: str = Field(default=".done", min_length=1, pattern="^[^/]+$")
    marker_needed: bool = False
    dataset: str = "entry1/data/data"
    frames: int = Field(default=0, ge=0)
    poll_s: float = Field(default=2.0, ge=0.01, allow_inf_nan=False)
    still_polls: int = Field(default=3, ge=1)
    unreadable_s: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    unwritten_s: float = Field(default=600.0, ge=0, allow_inf_nan=False)
    in_flight: int = Field(default=0, ge=0)
    job_limit_s: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    keep_free_gb: float = Field(default=10.0, ge=0, allow_inf_nan=False)
    keep_staged: int = Field(default=0, ge=0)
    export: bool = True
    carry: bool = True
    commands: tuple[Command, ...] = ()
    work: Path | None = None
    sites: dict[Word, SiteSettings] = {}


def read_settings(path: Path | None) -> Settings:
    """Read a settings file; None gives the defaults.

    Raises
    ------
    ConfigurationError
        If the file cannot be read, or a key or value in it is wrong.
    """
    if path is None:
        return Settings()
    try:
        content = yaml.safe_load(read_file(path).decode())
    except (
        *(OSError, yaml.YAMLError, RecursionError),
        *(AttributeError, LookupError, TypeError, ValueError),  # of a value unlike its tag
    ) as error:
        raise ConfigurationError(
            f"cannot be read ({' '.join(str(error).split())})", str(path)
        ) from error
    try:
        return Settings.model_validate(content or {})
    except ValidationError as error:
        wrong = error.errors()[0]
        key = ".".join(str(part) for part in wrong["loc"])
        raise ConfigurationError(wrong["msg"], f"{path}: {key}" if key else str(path)) from error
