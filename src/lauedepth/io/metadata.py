"""What a file holds beside its images, as a flat mapping."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import h5py
import numpy as np

from lauedepth.io.hdf5 import Array, as_c_value, put_attribute
from lauedepth.io.layout import DETECTOR, SAMPLE, WIRE
from lauedepth.io.tree import Item, members

Metadata = Mapping[str, Array]
"""Values by path ("entry1/sample/sampleX") and attributes by path@name."""

LARGEST_BYTES: Final = 16 * 2**20
"""Larger datasets are data, not metadata."""

MOST_BYTES: Final = 128 * 2**20
"""Of all metadata together."""

LARGEST_ATTRIBUTE_BYTES: Final = 32 * 2**10
"""HDF5 cannot write attributes of 64 KiB as the beamline's readers read them."""

_KNOWN: Final = (DETECTOR, SAMPLE, WIRE)
"""Groups that readers look for by these names."""


def read_metadata(file: h5py.File, skip: Collection[str] = ()) -> dict[str, Array]:
    """Read everything small from a file; see `read_with_gaps`."""
    return read_with_gaps(file, skip)[0]


def read_with_gaps(
    file: h5py.File, skip: Collection[str] = ()
) -> tuple[dict[str, Array], list[str]]:
    """Read everything small from a file, by whatever links it is reached.

    Parameters
    ----------
    file : h5py.File
    skip : collection of str
        Paths of datasets and groups to leave out, with all below them.

    Returns
    -------
    found : dict
        Arrays by path, attributes by ``path@name``. Text is fixed-length. Object references and
        what is above `LARGEST_BYTES` or `LARGEST_ATTRIBUTE_BYTES` are left out.
    gaps : list of str
        Paths of small values that could not be read.
    """
    found: dict[str, Array] = {}
    gaps: list[str] = []
    left = MOST_BYTES
    _read_attributes(file, "", found, gaps)
    for path, item in members(file, _KNOWN):
        if path in found or "@" in path or any(_belongs(path, one) for one in skip):
            continue
        if isinstance(item, h5py.Dataset):
            value = _value(item, path, left, gaps)
            if value is None:
                continue
            left -= value.nbytes
            found[path] = value
        _read_attributes(item, path, found, gaps)
    return found, gaps


def write_metadata(file: h5py.File, metadata: Mapping[str, object]) -> None:
    """Write metadata into a file, as C readers need it; what is already there is kept."""
    attributes = {}
    for key, value in metadata.items():
        if "@" in key:
            attributes[key] = value
        elif key not in file:
            file.create_dataset(key, data=as_c_value(value))
    for key, value in attributes.items():
        path, _, name = key.rpartition("@")
        owner = file.require_group(path or "/") if path not in file else file[path or "/"]
        if name not in owner.attrs:
            put_attribute(owner, name, value)


def without(metadata: Metadata, *groups: str) -> dict[str, Array]:
    """Return metadata without what belongs to some paths, attributes included."""
    return {
        key: value
        for key, value in metadata.items()
        if not any(_belongs(key.partition("@")[0], group) for group in groups)
    }


def as_value(value: object) -> Array:
    """Return a value read by h5py as an array of plain numbers or fixed-length text."""
    array = np.asarray(value)
    if array.dtype.kind in "OUS":
        return as_c_value(array)
    return array.astype(array.dtype.str)  # without the names of an enumeration


def _belongs(path: str, group: str) -> bool:
    return path == group or path.startswith(f"{group}/")


def _value(dataset: h5py.Dataset, path: str, left: int, gaps: list[str]) -> Array | None:
    try:
        if dataset.is_virtual or not _is_plain(dataset):
            return None
        value = as_value(dataset[()]) if dataset.nbytes <= left else None
        if value is None or value.nbytes > min(LARGEST_BYTES, left):
            gaps.append(path)
            return None
        return value
    except (OSError, RuntimeError, ValueError, TypeError):  # damaged, or of an unknown filter
        gaps.append(path)
        return None


def _is_plain(dataset: h5py.Dataset) -> bool:
    kind = dataset.dtype.kind
    text = kind == "S" or h5py.check_string_dtype(dataset.dtype) is not None
    return (
        dataset.shape is not None and (text or kind in "buif") and (dataset.nbytes <= LARGEST_BYTES)
    )


def _read_attributes(owner: Item, path: str, found: dict[str, Array], gaps: list[str]) -> None:
    try:
        names = [name for name in owner.attrs if isinstance(name, str)]
    except (OSError, RuntimeError):
        gaps.append(f"{path}@")
        return
    for name in names:
        key = f"{path}@{name}"
        try:
            identifier = owner.attrs.get_id(name)
            text = h5py.check_string_dtype(identifier.dtype) is not None
            plain = text or identifier.dtype.kind in "buifS"
            if plain and identifier.get_storage_size() <= LARGEST_ATTRIBUTE_BYTES:
                value = owner.attrs[name]
                if isinstance(value, h5py.Empty):
                    continue
                array = as_value(value)
                if array.nbytes <= LARGEST_ATTRIBUTE_BYTES:
                    found[key] = array
        except (OSError, RuntimeError, ValueError, TypeError, KeyError):
            gaps.append(key)
