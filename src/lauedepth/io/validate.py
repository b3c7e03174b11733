"""Check files against the layout tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import h5py
import numpy as np

from lauedepth.core.errors import InputError
from lauedepth.io.hdf5 import as_c_value, open_input, read_text
from lauedepth.io.image_data import ImageReader, image_dataset
from lauedepth.io.kinds import layout_of
from lauedepth.io.layout import (
    DATA,
    DEPTH,
    FRAME,
    NOTICES,
    PIXELS,
    POINT,
    RECONSTRUCTION,
    RESULT,
    RESULT_FORMAT,
    RESULT_VERSION,
    Entry,
    Layout,
)
from lauedepth.io.notice_lines import from_lines
from lauedepth.io.region import region_of, stated_region
from lauedepth.io.series import numbered_files
from lauedepth.io.tree import damage_told, find

_NUMBER_KINDS: Final = "uif"


def validate_file(path: Path | str, *, deep: bool = True) -> list[str]:
    """Tell what is wrong with a point, a result or an exported image.

    Parameters
    ----------
    path : Path or str
        A file, or the folder of a series.
    deep : bool
        Also read all of the images, which finds damage within them.

    Returns
    -------
    list of str
        Reasons; empty for a valid file.
    """
    path = Path(path)
    if path.is_dir():
        return _validate_series(path, deep)
    try:
        with open_input(path) as file, damage_told(file):
            return list(_problems(file, layout_of(file), path, deep))
    except InputError as error:
        return [error.what + (f" ({error.where})" if error.where != str(path) else "")]


def _validate_series(folder: Path, deep: bool) -> list[str]:
    try:
        files = numbered_files(folder)
    except InputError as error:
        return [error.what]
    reasons = []
    shapes: dict[tuple[int, ...], str] = {}
    regions: dict[tuple[tuple[str, int], ...], str] = {}
    for file in files.values():
        found = validate_file(file, deep=deep)
        reasons += [f"{file.name}: {reason}" for reason in found]
        if not found:
            with open_input(file) as opened:
                shapes.setdefault(opened[DATA].shape, file.name)
                regions.setdefault(tuple(stated_region(opened).items()), file.name)
    if len(shapes) > 1:
        told = ", ".join(f"{name} {shape}" for shape, name in shapes.items())
        reasons.append(f"frames differ in shape: {told}")
    if len(regions) > 1:
        reasons.append(f"frames differ in their region: {', '.join(regions.values())}")
    return reasons


def _problems(file: h5py.File, layout: Layout, path: Path, deep: bool) -> Iterator[str]:
    sizes: dict[str, tuple[int, str]] = {"1": (1, "the format")}
    broken = False
    version = version_of(file)
    for entry in layout.entries:
        if entry.since > version:
            continue
        for problem in _entry_problems(file, entry, sizes):
            broken = True
            yield problem
    if broken:
        return
    if layout.c_readable:
        yield from _c_problems(file)
    if layout is RESULT:
        yield from _result_problems(file)
    data = find(file, DATA)
    assert isinstance(data, h5py.Dataset)
    try:
        region_of(stated_region(file), data.shape[-2:], None, path)
        if layout in (POINT, FRAME):
            image_dataset(file, DATA, data.ndim)
        if deep:
            for _ in ImageReader(data, f"{path}: {DATA}").blocks():
                pass
    except InputError as error:
        yield f"{error.what} ({error.where})"


def version_of(file: h5py.File) -> int:
    """Return the version of a file's format: 1 where it states none."""
    if file.attrs.get("format") not in (RESULT_FORMAT, RESULT_FORMAT.encode()):
        return 1
    stated = np.asarray(file.attrs.get("version", 1))
    return int(stated) if stated.size == 1 and stated.dtype.kind in "iu" else 1


def _entry_problems(
    file: h5py.File, entry: Entry, sizes: dict[str, tuple[int, str]]
) -> Iterator[str]:
    name = entry.path or "/"
    item = find(file, entry.path)
    if item is None:
        if entry.required:
            yield f"{name} is missing"
        return
    if not entry.required:  # as the beamline wrote it
        return
    if entry.kind == "group":
        if not isinstance(item, h5py.Group):
            yield f"{name} is not a group"
            return
    elif not isinstance(item, h5py.Dataset):
        yield f"{name} is not a dataset"
        return
    else:
        yield from _dataset_problems(item, entry, sizes)
    if entry.required:
        fixed = (*entry.attributes, *((("units", entry.units),) if entry.units else ()))
        yield from _attribute_problems(item, name, fixed)


def _dataset_problems(
    data: h5py.Dataset, entry: Entry, sizes: dict[str, tuple[int, str]]
) -> Iterator[str]:
    if not _is_kind(data.dtype, entry):
        yield f"{entry.path} holds {data.dtype}, not {entry.kind}"
    if data.shape is None:
        yield f"{entry.path} is empty"
        return
    if not entry.axes:
        if data.size != 1:
            yield f"{entry.path} has shape {data.shape}, not one value"
        return
    if data.ndim != len(entry.axes):
        yield f"{entry.path} has shape {data.shape}, not ({', '.join(entry.axes)})"
        return
    for axis, size in zip(entry.axes, data.shape, strict=True):
        known, where = sizes.setdefault(axis, (size, entry.path))
        if known != size:
            yield f"{entry.path} has {size} {axis}, {where} has {known}"


def _is_kind(dtype: np.dtype[np.generic], entry: Entry) -> bool:
    if entry.kind == "text":
        return h5py.check_string_dtype(dtype) is not None
    if entry.kind == "image":
        return dtype.kind in _NUMBER_KINDS
    # What the beamline itself wrote need not have the type that this program writes.
    if not entry.required or entry.kind == "number":
        return dtype.kind in _NUMBER_KINDS
    return dtype == np.dtype(entry.kind)


def _attribute_problems(
    item: h5py.Group | h5py.Dataset, name: str, attributes: tuple[tuple[str, str], ...]
) -> Iterator[str]:
    for key, expected in attributes:
        value = item.attrs.get(key)
        found = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if found is None:
            yield f"{name} lacks the attribute {key}='{expected}'"
        elif str(found) != expected:
            yield f"{name} has the attribute {key}='{found}', not '{expected}'"


def _c_problems(file: h5py.File) -> Iterator[str]:
    """Find what the beamline's C readers cannot read."""
    problems: list[str] = []

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            problems.extend(f"{name} {problem}" for problem in _c_dataset_problems(item))
        for key in item.attrs:
            if _is_variable_text(item.attrs.get_id(key).dtype):
                problems.append(f"{name}@{key} is a variable-length string")

    visit("/", file)
    file.visititems(visit)
    yield from problems


def _c_dataset_problems(data: h5py.Dataset) -> Iterator[str]:
    if _is_variable_text(data.dtype):
        yield "is a variable-length string"
    # A table of one row is no scalar: its columns keep the types of any other table.
    column = data.name.startswith(f"/{PIXELS}/")
    whole = data.dtype.kind in "ui" and data.size == 1 and data.shape is not None and not column
    if whole and data.dtype != np.int32 and as_c_value(data[()]).dtype == np.int32:
        yield f"is a whole number of type {data.dtype}, not int32"
    filters = data.id.get_create_plist()
    for index in range(filters.get_nfilters()):
        code = filters.get_filter(index)[0]
        if code != h5py.h5z.FILTER_DEFLATE:
            yield f"uses the filter {code}, not plain gzip"


def _is_variable_text(dtype: np.dtype[np.generic]) -> bool:
    text = h5py.check_string_dtype(dtype)
    return text is not None and text.length is None


def _result_problems(file: h5py.File) -> Iterator[str]:
    if file["entry1/data/depth"] != file[DEPTH]:
        yield "entry1/data/depth is not a hard link of entry1/depth"
    axes = file["entry1/data"].attrs.get("axes")
    old = version_of(file) < RESULT_VERSION
    wanted = ["depth", ".", "."] if old else ["depth", "row", "column"]
    if axes is None or [bytes(axis).decode() for axis in np.atleast_1d(axes)] != wanted:
        yield f"entry1/data lacks the attribute axes={wanted}"
    for name in ("configuration", "timings"):
        try:
            json.loads(read_text(file, f"{RECONSTRUCTION}/{name}"))
        except ValueError:
            yield f"{RECONSTRUCTION}/{name} is not JSON"
    try:
        from_lines(read_text(file, NOTICES))
    except ValueError as error:
        yield f"{NOTICES} holds what is {error}"
    steps = np.diff(file[DEPTH][()])
    if steps.size and not (steps > 0).all():
        yield "entry1/depth does not rise"
