"""The folders and the catalog of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lauedepth.pipeline.errors import OutputError

PRIVATE: Final = ".lauedepth"
"""Folder inside the results that holds the catalog and work in progress."""


@dataclass(frozen=True)
class Folders:
    """The folders that a pipeline writes to.

    Attributes
    ----------
    results : Path
        Where users find results.
    work : Path
        Where points are staged and jobs run.
    """

    results: Path
    work: Path

    def point(self, point_id: int) -> Path:
        """Return the folder of everything staged for a point."""
        return self.work / "points" / str(point_id)

    def make(self) -> None:
        """Create the folders, or raise an OutputError."""
        for folder in (self.results, self.work):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"cannot be created ({error.strerror})", str(folder)) from error


@dataclass(frozen=True)
class Place:
    """Where a pipeline keeps its results, catalog and work in progress.

    Attributes
    ----------
    results : Path
        Where users find results.
    catalog : str
        Path or URL; empty for a file inside the results folder.
    work : Path or None
        Where points are staged and jobs run; None for a folder inside the results folder.
    """

    results: Path
    catalog: str = ""
    work: Path | None = None

    @property
    def catalog_text(self) -> str:
        """The catalog's path or URL."""
        return self.catalog or str(self.results / PRIVATE / "catalog.sqlite")

    @property
    def catalog_folder(self) -> Path:
        """The folder of a catalog that is a file, or of the work in progress."""
        return self.folders.work if "://" in self.catalog else Path(self.catalog_text).parent

    @property
    def folders(self) -> Folders:
        """The folders that the pipeline writes to."""
        results = self.results.resolve()
        return Folders(results, self.work.resolve() if self.work else results / PRIVATE)
