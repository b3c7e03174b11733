"""Free disk space: nothing is staged that would fill the disk, or while the disk is away."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lauedepth.pipeline.errors import AwayError

SPACE_PER_BYTE: Final = 4
"""Disk space a point needs while it is processed, per byte of its input.

The staged input, a result and images of up to the input's size each, and their delivered copies
on the same disk, less what is freed; measured results are 1/2 to 2 times the size of the input.
"""

GB: Final = 1e9


@dataclass(frozen=True)
class DiskGuard:
    """Keeps some disk space free.

    Attributes
    ----------
    folders : tuple of Path
        Folders that are written to.
    keep_free_bytes : float
        Space that must stay free.
    devices : dict
        The device of each folder when it was first seen.
    """

    folders: tuple[Path, ...]
    keep_free_bytes: float
    devices: dict[Path, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.absence()  # learns the devices, before anything can go

    def objection(self, coming: Iterable[int] = ()) -> str:
        """Return why points of these sizes (bytes) must wait, or an empty string."""
        need = SPACE_PER_BYTE * sum(coming)
        for folder in self.folders:
            try:
                away = self._absence(folder)
                free = shutil.disk_usage(folder).free
            except OSError as error:
                away = _unwritable(folder, error)
            if away:
                return f"paused: {away}"
            if free - need < self.keep_free_bytes:
                return (
                    f"paused: {free / GB:.3g} GB free at {folder}; {need / GB:.3g} GB needed and "
                    f"{self.keep_free_bytes / GB:.3g} GB kept free; free some disk space"
                )
        return ""

    def absence(self) -> str:
        """Return which folder is away and how that is known, or an empty string."""
        return next(filter(None, map(self._absence, self.folders)), "")

    def require(self, label: str = "") -> None:
        """Raise an AwayError if a folder is away: nothing is written into what a mount left."""
        away = self.absence()
        if away:
            raise AwayError(away, label)

    def _absence(self, folder: Path) -> str:
        try:
            if self._is_unmounted(folder):
                return f"{folder} is empty and on another device than before; mount it again"
        except OSError as error:
            return _unwritable(folder, error)
        return ""

    def _is_unmounted(self, folder: Path) -> bool:
        """Return whether only the empty folder below a mount is left; a mount may change number."""
        device = folder.stat().st_dev
        return self.devices.setdefault(folder, device) != device and not any(folder.iterdir())


def _unwritable(folder: Path, error: OSError) -> str:
    return f"{folder} cannot be written ({error.strerror}); waiting for it; mount it again"
