"""Open an HDF5 file for reading: whole, closed by its writer, and readable by its filters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import h5py

from lauedepth.core import files
from lauedepth.core.errors import InputError
from lauedepth.core.locks import share

COPY_AGAIN: Final = "wait until its writer has closed it, or copy it again"
DAMAGED: Final = "is a damaged HDF5 file"

_NO_LOCKS: Final = "set HDF5_USE_FILE_LOCKING=FALSE in the environment"

FILTERS: Final = {
    307: "bzip2",
    32000: "LZF",
    32001: "Blosc",
    32004: "LZ4",
    32008: "bitshuffle",
    32013: "ZFP",
    32015: "Zstandard",
    32017: "SZ",
    32024: "SZ3",
    32026: "Blosc2",
}
"""Filters by their registered number."""


def open_file(path: Path, chunk_cache: int | None = None) -> h5py.File:
    """Open a file for reading; the caller closes it.

    Parameters
    ----------
    path : Path
    chunk_cache : int, optional
        Bytes that HDF5 keeps of each dataset's chunks; what it thinks right by default.

    Raises
    ------
    InputError
        Missing, empty, not HDF5, truncated, or still being written.
    """
    _refuse_unreadable(path)
    try:
        return h5py.File(path, "r", locking=False, rdcc_nbytes=chunk_cache)
    except OSError as error:
        what, remedy = _why_not_open(path, str(error))
        raise InputError(what, str(path), remedy) from error


def load_filters(data: h5py.Dataset, where: str) -> None:
    """See that the filters of a dataset are there, loading those of hdf5plugin where needed.

    Raises
    ------
    InputError
        Names the filter that is not there.
    """
    wanted = _filters_of(data)
    if any(not h5py.h5z.filter_avail(code) for code in wanted):
        import hdf5plugin  # noqa: F401, PLC0415  (registers its filters; slow, rarely needed)
    for code, name in wanted.items():
        if not h5py.h5z.filter_avail(code):
            raise InputError(
                f"is packed with the filter {name} (number {code}), which is not installed",
                where,
                "install its HDF5 plugin and set HDF5_PLUGIN_PATH, or store the data with gzip",
            )


def _filters_of(data: h5py.Dataset) -> dict[int, str]:
    """Return the filters of a dataset: names by number."""
    settings = data.id.get_create_plist()
    found = {}
    for index in range(settings.get_nfilters()):
        code, _, _, raw = settings.get_filter(index)
        stored = re.split(r"[;\n]", raw.decode("utf-8", "replace"))[0].strip()
        found[code] = FILTERS.get(code, stored or "of no name")
    return found


def _refuse_unreadable(path: Path) -> None:
    try:
        with files.open_file(path) as stream:
            try:
                share(stream.fileno())
            except BlockingIOError:
                raise InputError("is still open for writing", str(path), COPY_AGAIN) from None
            if not stream.read(1):
                raise InputError("is empty", str(path), COPY_AGAIN)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", str(path)) from error


def _why_not_open(path: Path, message: str) -> tuple[str, str]:
    """Return what is wrong and what to do."""
    if "unable to lock file" in message:
        if "errno = 11" in message:
            return "is still open for writing", COPY_AGAIN
        return "lies on a file system without locks", _NO_LOCKS
    if "truncated" in message:
        return "is a truncated HDF5 file", COPY_AGAIN
    if "already open" in message or "consistency flags" in message:
        return "is still open for writing, or its writer was killed", COPY_AGAIN
    if not h5py.is_hdf5(path):
        return "is not an HDF5 file", COPY_AGAIN
    return DAMAGED, COPY_AGAIN
