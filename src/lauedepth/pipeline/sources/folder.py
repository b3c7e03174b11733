"""A folder that a detector writes to, polled because network mounts report no changes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

from lauedepth.pipeline.errors import InputError, NotAPointError, UnfinishedError
from lauedepth.pipeline.paths import HDF5_SUFFIXES, inside, printable, refusal
from lauedepth.pipeline.protocols import Member, Sighting
from lauedepth.pipeline.sources.frames import count_frames
from lauedepth.pipeline.sources.listing import Entries, Listings

NUMBERED: Final = re.compile(r"_(\d+)$")

CountFrames = Callable[[Path, Member, str], tuple[int, int, int]]


class PointKind(StrEnum):
    """What a point consists of."""

    FILE = "file"
    """One file with all frames."""
    FOLDER = "folder"
    """A folder of one-frame files ``name_N.h5``."""


class FolderSource:
    """Points that appear in a folder and the folders below it.

    Parameters
    ----------
    root : Path
        The folder. Links that lead out of it are rejected.
    layout : PointKind
        What a point consists of.
    marker : str
        Suffix of the empty file by which the experiment marks a point as complete.
    dataset : str
        Path of the frames in a file; empty to accept files of any kind without reading them.
    frames : int
        Number of frames that every point must have; 0 for any number.
    avoid : tuple of Path
        Folders that are never scanned, such as those of the results.
    count : callable
        Counts the frames of a file: `count_frames`, or the same in a separate process.
    """

    def __init__(
        self,
        root: Path,
        layout: PointKind = PointKind.FILE,
        *,
        marker: str = ".done",
        dataset: str = "entry1/data/data",
        frames: int = 0,
        avoid: tuple[Path, ...] = (),
        count: CountFrames = count_frames,
    ) -> None:
        try:
            if not root.is_dir():
                raise InputError(
                    "no such folder", str(root), "give the folder that the detector writes to"
                )
            self._device = root.stat().st_dev
        except OSError as error:
            raise _unreadable(root, error) from error
        self._root, self._layout, self._marker = root.resolve(), layout, marker
        self._dataset, self._frames = dataset, frames
        self._listings = Listings(self._root, tuple(path.resolve() for path in avoid))
        self._count = count

    @property
    def root(self) -> Path:
        """The folder that every member's name is relative to."""
        return self._root

    def scan(self) -> list[Sighting]:
        """Return every point present now, complete or not, in order of name.

        Raises
        ------
        InputError
            If the folder cannot be looked at; what to wait for differs, and so do the texts.
        """
        self._require_mounted()
        found: list[Sighting] = []
        try:
            for folder, entries in self._listings.walk():
                found.extend(self._points(folder, entries))
        except OSError as error:
            raise _unreadable(self._root, error) from error
        return _in_order(found)

    def news(self, arriving: Collection[str]) -> list[Sighting]:
        """Return the points that are new since the last look, and those named, in order of name.

        Only these files are looked at, and the names in folders that have changed.

        Raises
        ------
        InputError
            As `scan`.
        """
        self._require_mounted()
        keys = set(arriving)
        try:
            for folder, new in self._listings.changes():
                keys.update(self._keys(folder, new))
        except OSError as error:
            raise _unreadable(self._root, error) from error
        return _in_order([s for s in map(self._again, keys) if s is not None])

    def _keys(self, folder: Path, new: Collection[str]) -> Iterator[str]:
        """Yield the points that new names in a folder belong to; a point's folder is one point."""
        within = "" if folder == self._root else f"{folder.relative_to(self._root).as_posix()}/"
        if self._layout is PointKind.FILE:
            yield from (within + name for name in new if _is_name_of_data(name))
        elif within:
            yield within.removesuffix("/")

    def _points(self, folder: Path, entries: Entries) -> Iterator[Sighting]:
        """Yield the points in a folder; a point's folder is one point."""
        names = {entry.name for entry in entries}
        within = "" if folder == self._root else f"{folder.relative_to(self._root).as_posix()}/"
        files = list(filter(_is_data, entries))
        if self._layout is PointKind.FILE:
            for entry in files:
                yield self._file(within + entry.name, entry, entry.name + self._marker in names)
        elif files and within:
            yield self._folder(folder, files, names)

    def _again(self, key: str) -> Sighting | None:
        """Look at one point that was seen before; None if it is not there."""
        path = self._root / key
        if self._layout is PointKind.FILE:
            if not os.path.lexists(path) or not _is_data(path):
                return None
            return self._file(key, path, path.with_name(path.name + self._marker).exists())
        try:
            with os.scandir(path) as listing:
                return next(self._points(path, list(listing)), None)
        except OSError:
            return None

    def _require_mounted(self) -> None:
        """Raise an InputError if the mount is gone that the folder was on.

        A mount that comes back may have another number, so only an empty folder is doubted.
        """
        try:
            device = self._root.stat().st_dev
            if device != self._device and not any(self._root.iterdir()):
                raise InputError(
                    "is empty and on another device than before", str(self._root), "mount it again"
                )
        except OSError as error:
            raise _unreadable(self._root, error) from error
        self._device = device

    def absence(self, key: str) -> str:
        """Return why a point that was seen before is not seen now."""
        for folder in reversed(Path(key).parents):
            try:
                os.scandir(self._root / folder).close()
            except OSError as error:
                return f"{printable(str(folder))} cannot be read ({error.strerror})"
        return "it is not there"

    def check(self, sighting: Sighting) -> int:
        """Return the number of frames of a point that looks complete.

        Raises
        ------
        InputError
            If a file is empty, unreadable, not HDF5, or does not hold frames of the right shape.
        NotAPointError
            If this program wrote a file: a result, or the truth of a simulated point.
        UnfinishedError
            If a file is still being written.
        """
        if not sighting.members:
            raise InputError("cannot be read", printable(sighting.key))
        if not self._dataset:
            return 0
        total, shape = 0, None
        unfinished: UnfinishedError | None = None
        for member in sighting.members:
            try:
                frames, *size = self._count(self._root, member, self._dataset)
            except UnfinishedError as error:
                if not error.frames:
                    raise
                unfinished, frames, size = error, error.frames, [error.rows, error.columns]
            if shape not in (None, size):
                raise InputError(
                    f"has frames of shape {size}, but others are {shape}", printable(member.name)
                )
            total, shape = total + frames, size
        if self._frames and total != self._frames:
            raise InputError(
                f"has {total} frames, not the expected {self._frames}", printable(sighting.key)
            )
        if unfinished is not None:
            end, is_open = (total, unfinished.rows, unfinished.columns), unfinished.is_open
            raise UnfinishedError(unfinished.what, unfinished.where, end, is_open=is_open)
        return total

    def is_own(self, sighting: Sighting) -> bool:
        """Return whether this program, not a detector, wrote a point's files."""
        try:
            self._count(self._root, sighting.members[0], self._dataset)
        except NotAPointError:
            return True
        except (InputError, UnfinishedError):
            return False
        return False

    def _file(self, key: str, entry: os.DirEntry[str] | Path, marked: bool) -> Sighting:
        why = refusal(key) or self._outside(entry)
        if why:
            return Sighting(key, (), refusal=why)
        return Sighting(key, _members(key, entry), marked)

    def _folder(self, folder: Path, files: Entries, names: set[str]) -> Sighting:
        key = folder.relative_to(self._root).as_posix()
        why = refusal(key)
        for entry in files:
            why = why or refusal(f"{key}/{entry.name}") or self._outside(entry)
        if why:
            return Sighting(key, (), refusal=why)
        ordered = sorted(files, key=lambda entry: _frame_number(entry.name))
        members = tuple(m for e in ordered for m in _members(f"{key}/{e.name}", e))
        beside = folder.with_name(folder.name + self._marker)
        return Sighting(key, members, self._marker in names or beside.exists())

    def _outside(self, entry: os.DirEntry[str] | Path) -> str:
        if not entry.is_symlink() and not entry.is_file():
            return "is not a file: a pipe, a socket or a device"
        if entry.is_symlink() and not inside(self._root, Path(entry)):
            return "is a link that leads out of the watched folder"
        return ""


def _in_order(points: list[Sighting]) -> list[Sighting]:
    return sorted(points, key=lambda sighting: _natural(sighting.key))


def _unreadable(root: Path, error: OSError) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError("has vanished", str(root), "mount or make it again")
    if isinstance(error, PermissionError):
        return InputError("may not be read any more", str(root), "give this user the permission")
    return InputError(f"cannot be read ({error.strerror})", str(root))


def _is_data(entry: os.DirEntry[str] | Path) -> bool:
    return _is_name_of_data(entry.name) and (entry.is_symlink() or not entry.is_dir())


def _is_name_of_data(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(HDF5_SUFFIXES)


def _members(key: str, entry: os.DirEntry[str] | Path) -> tuple[Member, ...]:
    try:
        status = entry.stat()
    except OSError:
        return ()
    return (Member(key, status.st_size, status.st_mtime_ns),)


def _natural(name: str) -> list[tuple[int, str]]:
    """Order ``p2`` before ``p10``."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


def _frame_number(name: str) -> tuple[int, str]:
    number = NUMBERED.search(Path(name).stem)
    return (int(number.group(1)) if number else -1, name)
