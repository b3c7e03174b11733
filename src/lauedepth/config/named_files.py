"""Find files that a configuration names, which may have come from another machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath


@dataclass(frozen=True)
class Lookup:
    """Where a file was looked for.

    Attributes
    ----------
    found : Path or None
        The first place that holds it.
    tried : tuple of Path
        All places, in order.
    """

    found: Path | None
    tried: tuple[Path, ...]

    @property
    def told(self) -> str:
        """The places, for a message."""
        return ", ".join(str(path) for path in self.tried)


def find_file(given: str, folder: Path) -> Lookup:
    """Look for a file as given, beside the configuration, and by its name alone beside it.

    Parameters
    ----------
    given : str
        As the configuration names it; may be a path of a machine that is gone.
    folder : Path
        The configuration's own.
    """
    name = PureWindowsPath(given).name if "\\" in given else PurePosixPath(given).name
    tried = tuple(dict.fromkeys((Path(given), folder / given, folder / name)))
    return Lookup(next((path for path in tried if _is_file(path)), None), tried)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or one with a null in it
        return False
