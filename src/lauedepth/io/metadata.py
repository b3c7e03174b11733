"""What a file holds beside its images, as a flat mapping."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import h5py
import numpy as np

from lauedepth.io.hdf5 import Array, as_c_value, put_attribute

Metadata = Mapping[str, Array]
"""Values by path ("entry1/sample/sampleX") and attributes by path@name."""

LARGEST_BYTES: Final = 16 * 2**20
"""Larger datasets are data, not metadata."""


def read_metadata(file: h5py.File, skip: Collection[str] = ()) -> dict[str, Array]:
    """Read everything small from a file.

    Parameters
    ----------
    file : h5py.File
    skip : collection of str
        Paths of datasets and groups to leave out, with all below them.

    Returns
    -------
    dict
        Arrays by path, attributes by ``path@name``. Text is fixed-length. Links other than
        hard links, object references and datasets above `LARGEST_BYTES` are left out.
    """
    found: dict[str, Array] = {}
    _read_attributes(file, "", found)

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if any(name == path or name.startswith(f"{path}/") for path in skip):
            return
        if isinstance(item, h5py.Dataset):
            if not _is_plain(item):
                return
            found[name] = as_value(item[()])
        _read_attributes(item, name, found)

    file.visititems(visit)
    return found


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


def _is_plain(dataset: h5py.Dataset) -> bool:
    kind = dataset.dtype.kind
    text = kind == "S" or h5py.check_string_dtype(dataset.dtype) is not None
    return (
        dataset.shape is not None and (text or kind in "buif") and (dataset.nbytes <= LARGEST_BYTES)
    )


def _read_attributes(owner: h5py.Group | h5py.Dataset, path: str, found: dict[str, Array]) -> None:
    for name in owner.attrs:
        identifier = owner.attrs.get_id(name)
        text = h5py.check_string_dtype(identifier.dtype) is not None
        if text or identifier.dtype.kind in "buifS":
            value = owner.attrs[name]
            if not isinstance(value, h5py.Empty):
                found[f"{path}@{name}"] = as_value(value)
