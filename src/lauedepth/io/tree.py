"""The groups and datasets of a file, by any link that leads no further than its folder."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

import h5py

from lauedepth.core.errors import InputError
from lauedepth.io.opening import COPY_AGAIN, DAMAGED, open_file

MOST_MEMBERS: Final = 20_000
"""Links that are looked at: a detector writes some hundreds."""

DEEPEST: Final = 64
"""Groups within groups that are looked into."""

MOST_LINKS: Final = 32
"""Links from one to the next that are followed for one name."""

Item: TypeAlias = h5py.Group | h5py.Dataset

_COPY_IN: Final = "copy the data into the file, or the other file beside it"


def find(file: h5py.File, key: str) -> Item | None:
    """Return what lies at a path of a file, whatever links lead to it; None for nothing.

    Raises
    ------
    InputError
        A link leads out of the file's folder, or the file is damaged.
    """
    return _Resolver(file).find(file, key)


def members(file: h5py.File, first: tuple[str, ...] = ()) -> Iterator[tuple[str, Item]]:
    """Yield the path and object of everything in a file, shortest paths first.

    Each group is looked into once, however many names it has; a dataset is given under each name.
    Names that are not UTF-8 are left out.

    Parameters
    ----------
    file : h5py.File
    first : tuple of str
        Groups that are looked into first, and so under these names.

    Raises
    ------
    InputError
        A link leads out of the file's folder, the file is damaged, or holds too much.
    """
    resolver = _Resolver(file)
    waiting = deque((path, group) for path in first if (group := resolver.group(file, path)))
    waiting.append(("", file))
    seen: set[tuple[int, int]] = set()
    count = 0
    while waiting:
        path, group = waiting.popleft()
        if _is_known(group, seen):
            continue
        for name, item in resolver.children(group):
            count += 1
            if count > MOST_MEMBERS:
                raise InputError(f"holds more than {MOST_MEMBERS} objects", file.filename, _ODD)
            whole = f"{path}/{name}" if path else name
            yield whole, item
            if isinstance(item, h5py.Group):
                waiting.append((whole, item))
                if whole.count("/") >= DEEPEST:
                    raise InputError(f"holds groups more than {DEEPEST} deep", file.filename, _ODD)


_ODD: Final = "copy the images into a file of their own"


def refuse_links(file: h5py.File) -> None:
    """Refuse a file with any link, virtual dataset or raw storage that leads too far."""
    for _ in members(file):
        pass


def folder_of(file: h5py.File) -> Path:
    """Return the folder that the links of a file may lead into."""
    return Path(file.filename).resolve().parent


def is_within(path: Path, folder: Path) -> bool:
    """Return whether a file lies in a folder or below it, links resolved."""
    return path.resolve().is_relative_to(folder)


def _is_known(group: h5py.Group, seen: set[tuple[int, int]]) -> bool:
    with damage_told(group):
        info = h5py.h5o.get_info(group.id)
    address = (int(info.fileno), int(info.addr))
    known = address in seen
    seen.add(address)
    return known


class _Resolver:
    """Follows links by itself, so that none is followed that should not be."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file

    @cached_property
    def _folder(self) -> Path:
        return folder_of(self._file)

    def group(self, file: h5py.File, path: str) -> h5py.Group | None:
        item = self.find(file, path)
        return item if isinstance(item, h5py.Group) else None

    def find(self, start: h5py.Group, key: str, links: int = 0) -> Item | None:
        item: Item = start
        for name in key.split("/"):
            if name in ("", "."):
                continue
            if not isinstance(item, h5py.Group):
                return None
            found = self.child(item, name, links)
            if found is None:
                return None
            item = found
        return item

    def children(self, group: h5py.Group) -> Iterator[tuple[str, Item]]:
        with damage_told(group):
            for name in group:
                if isinstance(name, str):
                    item = self.child(group, name, 0)
                    if item is not None:
                        yield name, item

    def child(self, group: h5py.Group, name: str, links: int) -> Item | None:
        with damage_told(group):
            link = group.get(name, getlink=True)
            if link is None or links > MOST_LINKS:
                return None
            if isinstance(link, h5py.SoftLink):
                start = group.file if link.path.startswith("/") else group
                return self.find(start, link.path, links + 1)
            if isinstance(link, h5py.ExternalLink):
                return self._elsewhere(group, name, link, links)
            item = group[name]
        if isinstance(item, h5py.Dataset):
            self._refuse_raw_storage(item, name)
            self._refuse_far_parts(item, name)
        return item if isinstance(item, Item) else None

    def _elsewhere(
        self, group: h5py.Group, name: str, link: h5py.ExternalLink, links: int
    ) -> Item | None:
        path = folder_of(group.file) / link.filename
        if not is_within(path, self._folder):
            raise InputError(
                f"is a link to a file of another folder ({link.filename})",
                _where(group, name),
                _COPY_IN,
            )
        if not path.is_file():
            return None
        return self.find(open_file(path), link.path, links + 1)

    def _refuse_raw_storage(self, data: h5py.Dataset, name: str) -> None:
        if data.external:
            raise InputError(
                "keeps its data in a raw file", _where(data.parent, name), "copy the data into it"
            )

    def _refuse_far_parts(self, data: h5py.Dataset, name: str) -> None:
        if not data.is_virtual:
            return
        base = folder_of(data.file)
        for part in {source.file_name for source in data.virtual_sources()} - {"."}:
            if not is_within(base / part, self._folder):
                raise InputError(
                    f"is a virtual dataset over files of another folder ({part})",
                    _where(data.parent, name),
                    _COPY_IN,
                )


class damage_told:  # noqa: N801  (a context manager, used like a function)
    """Turn what HDF5 raises on a damaged file into an error that names it."""

    def __init__(self, item: Item) -> None:
        self._item = item

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError | RuntimeError | KeyError | ValueError | TypeError):
            raise InputError(DAMAGED, self._item.file.filename, COPY_AGAIN) from error


def _where(group: h5py.Group, name: str) -> str:
    return f"{group.file.filename}: {(group.name or '').rstrip('/')}/{name}"
