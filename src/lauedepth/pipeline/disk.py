"""Room on the disk: nothing is staged that would fill it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOM_PER_BYTE: Final = 4
"""Room one point takes while it is worked on, per byte of its input.

The input staged, a result and images of up to the input's size each, and their delivered copies
on the same disk less what is freed; measured results are 1/2 to 2 times the input.
"""

GB: Final = 1e9


@dataclass(frozen=True)
class DiskGuard:
    """Keeps a part of the disks free.

    Attributes
    ----------
    folders : tuple of Path
        Folders that are written to.
    keep_free_bytes : float
        What must stay free.
    """

    folders: tuple[Path, ...]
    keep_free_bytes: float

    def objection(self, coming: Iterable[int] = ()) -> str:
        """Return why points of these sizes (bytes) must wait, or an empty string."""
        need = ROOM_PER_BYTE * sum(coming)
        for folder in self.folders:
            free = shutil.disk_usage(folder).free
            if free - need < self.keep_free_bytes:
                return (
                    f"paused: {free / GB:.3g} GB free at {folder}, {need / GB:.3g} GB wanted "
                    f"and {self.keep_free_bytes / GB:.3g} GB to stay free; make room"
                )
        return ""
