"""Which folders changed since they were listed: most of the files there need no look then.

Making, removing or renaming a file changes the modification time of its folder; writing to a file
that is there does not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAX_DEPTH: Final = 16

RESTLESS_S: Final = 5.0
"""How long a folder that changed is listed at each look, whatever time it shows.

A file system may count in steps of two seconds, and a second change within one step shows none.
"""

AWAY: Final = -1
"""Unlike the time of any folder: it is listed once it can be."""

Entries = list[os.DirEntry[str]]


@dataclass
class _Listing:
    """The names in a folder, its modification time, and until when it counts as changed."""

    names: set[str]
    mtime_ns: int
    until: float


class Listings:
    """A folder and those below it, as they were last listed.

    Hidden folders and links to folders are not entered.

    Parameters
    ----------
    root : Path
    avoid : tuple of Path
        Folders that are never entered.
    clock : callable
        Seconds from a clock that never jumps.
    """

    def __init__(
        self, root: Path, avoid: tuple[Path, ...], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._root, self._avoid, self._clock = root, avoid, clock
        self._known: dict[Path, _Listing] = {}

    def walk(self) -> Iterator[tuple[Path, Entries]]:
        """Yield each folder with its entries.

        Raises
        ------
        OSError
            If the root cannot be listed.
        """
        self._known = {}
        yield from self._enter(self._root)

    def changes(self) -> Iterator[tuple[Path, set[str]]]:
        """Yield each folder that may have changed, with the names in it that are new.

        Raises
        ------
        OSError
            If the root cannot be listed.
        """
        for folder, listing in list(self._known.items()):
            if not self._is_restless(folder, listing):
                continue
            try:
                with os.scandir(folder) as found:
                    names = {entry.name for entry in found}
            except OSError:
                if folder == self._root:
                    raise
                listing.mtime_ns = AWAY
                continue
            new, listing.names = names - listing.names, names
            yield folder, new
            for name in new:
                for below, entries in self._enter_below(folder / name):
                    yield below, {entry.name for entry in entries}

    def _is_restless(self, folder: Path, listing: _Listing) -> bool:
        now, mtime_ns = self._clock(), _mtime_ns(folder)
        if mtime_ns != listing.mtime_ns:
            listing.mtime_ns, listing.until = mtime_ns, now + RESTLESS_S
        return now < listing.until

    def _enter(self, folder: Path) -> Iterator[tuple[Path, Entries]]:
        mtime_ns = _mtime_ns(folder)  # before the listing: what comes later is news
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError:
            if folder == self._root:
                raise
            self._known[folder] = _Listing(set(), AWAY, 0.0)
            return
        names = {entry.name for entry in entries}
        self._known[folder] = _Listing(names, mtime_ns, self._clock() + RESTLESS_S)
        yield folder, entries
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from self._enter_below(folder / entry.name)

    def _enter_below(self, path: Path) -> Iterator[tuple[Path, Entries]]:
        """Enter a path if it is a folder to look into."""
        deep = len(path.parts) - len(self._root.parts) > MAX_DEPTH
        if deep or path.name.startswith(".") or path in self._avoid:
            return
        if path.is_dir() and not path.is_symlink():
            yield from self._enter(path)


def _mtime_ns(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return AWAY
