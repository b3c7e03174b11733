"""Virtual datasets: that their parts lie near, are there, and do not lead back to themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import h5py
import numpy as np
import numpy.typing as npt

from lauedepth.core.errors import InputError
from lauedepth.io.opening import load_filters, open_file
from lauedepth.io.tree import find, folder_of

MOST_PARTS: Final = 20_000

DEEPEST: Final = 16
"""Virtual datasets over virtual datasets that are followed."""

Place = tuple[str, str]
"""A file and a path in it."""


def mapped_frames(data: h5py.Dataset, where: str) -> npt.NDArray[np.bool_]:
    """Return which frames of a virtual dataset have all of their parts.

    Parameters
    ----------
    data : h5py.Dataset
        Virtual, its first axis the frames.
    where : str
        Named in errors.

    Raises
    ------
    InputError
        It maps onto itself, or a part is of a kind that cannot be read.
    """
    sources = data.virtual_sources()
    if len(sources) > MOST_PARTS:
        raise InputError(f"is made of more than {MOST_PARTS} parts", where, "copy the data into it")
    looked_at: dict[Place, bool] = {}
    mapped = np.zeros(data.shape[0], dtype=bool)
    missing = np.zeros(data.shape[0], dtype=bool)
    for source in sources:
        first, last = source.vspace.get_select_bounds()
        frames = slice(int(first[0]), min(int(last[0]), data.shape[0] - 1) + 1)
        there = _is_there(_place(data, source), looked_at, (_own_place(data),), where)
        (mapped if there else missing)[frames] = True
    return mapped & ~missing


def _is_there(
    place: Place, looked_at: dict[Place, bool], above: tuple[Place, ...], where: str
) -> bool:
    if place in above or len(above) > DEEPEST:
        raise InputError("is a virtual dataset that maps onto itself", where, "write it again")
    if place not in looked_at:
        looked_at[place] = _look(place, looked_at, above, where)
    return looked_at[place]


def _look(place: Place, looked_at: dict[Place, bool], above: tuple[Place, ...], where: str) -> bool:
    path = Path(place[0])
    if not path.is_file():
        return False
    with open_file(path) as file:
        part = find(file, place[1])
        if not isinstance(part, h5py.Dataset):
            return False
        load_filters(part, f"{path}: {place[1]}")
        if part.is_virtual:
            for source in part.virtual_sources():
                inner = _place(part, source)
                if not _is_there(inner, looked_at, (*above, place), where):
                    return False
    return True


def _own_place(data: h5py.Dataset) -> Place:
    return str(Path(data.file.filename).resolve()), _clean(str(data.name))


def _place(data: h5py.Dataset, source: h5py.VDSmap) -> Place:
    if source.file_name == ".":
        return str(Path(data.file.filename).resolve()), _clean(source.dset_name)
    return str((folder_of(data.file) / source.file_name).resolve()), _clean(source.dset_name)


def _clean(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))
