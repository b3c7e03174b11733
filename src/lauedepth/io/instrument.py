"""Files that keep what points told of an aperture, for the points that follow."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import h5py
import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.known import KnownAperture
from lauedepth.io.hdf5 import as_c_value, open_input
from lauedepth.io.publish import publish_hdf5
from lauedepth.io.tree import damage_told

FORMAT: Final = "lauedepth instrument"
VERSION: Final = 1
MOST_UNKNOWNS: Final = 20_000
"""More than any aperture has; a file that claims more is not read into memory."""
_REMEDY: Final = "write it anew with `lauedepth learn`"


def write_instrument(
    path: Path | str, known: KnownAperture, shown: dict[str, Floats | float]
) -> None:
    """Write what is known of an aperture.

    Parameters
    ----------
    path : Path or str
    known : KnownAperture
    shown : dict of str to array or float
        The same in numbers for people to read; not read back.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    with publish_hdf5(path) as file:
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        values = {
            "design": known.design,
            "opaque": int(known.opaque),
            "points": "\n".join(known.points),
            "information": known.matrix,
            "target": known.target,
            **shown,
        }
        for name, value in values.items():
            file[name] = as_c_value(value)


def read_instrument(path: Path | str) -> KnownAperture:
    """Read what is known of an aperture.

    Raises
    ------
    InputError
        It cannot be read, is of another kind, or damaged.
    """
    path = Path(path)
    with open_input(path) as file, damage_told(file):
        if file.attrs.get("format") != FORMAT:
            raise InputError("is not an instrument", str(path), _REMEDY)
        if file.attrs.get("version") != VERSION:
            raise InputError(
                f"is an instrument of version {file.attrs.get('version')}, not {VERSION}",
                str(path),
                _REMEDY,
            )
        matrix, target = _numbers(file, "information", path), _numbers(file, "target", path)
        known = KnownAperture(
            _text(file, "design", path),
            bool(_numbers(file, "opaque", path)),
            tuple(_text(file, "points", path).split("\n")),
            matrix,
            target,
        )
    size = target.size
    if target.shape != (size,) or matrix.shape != (size, size) or not _is_information(matrix):
        raise InputError("holds no information on an aperture", str(path), _REMEDY)
    return known


def _is_information(matrix: Floats) -> bool:
    """Return whether a matrix can be one of Fisher information, but for rounding."""
    largest = float(np.abs(matrix).max(initial=0.0))
    even = np.allclose(matrix, matrix.T, rtol=0.0, atol=1e-9 * largest)
    return bool(even and np.linalg.eigvalsh(matrix).min(initial=0.0) > -1e-6 * largest)


def _item(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    item = file.get(name)
    if not isinstance(item, h5py.Dataset) or item.size is None or item.size > MOST_UNKNOWNS**2:
        raise InputError(f"lacks the dataset {name}", str(path), _REMEDY)
    return item


def _numbers(file: h5py.File, name: str, path: Path) -> Floats:
    item = _item(file, name, path)
    if item.dtype.kind not in "fiu" or not np.isfinite(values := item[()].astype(np.float64)).all():
        raise InputError(f"the dataset {name} holds no finite numbers", str(path), _REMEDY)
    return np.asarray(values)


def _text(file: h5py.File, name: str, path: Path) -> str:
    value = _item(file, name, path)[()]
    if not isinstance(value, bytes):
        raise InputError(f"the dataset {name} holds no text", str(path), _REMEDY)
    return value.decode("utf-8", "surrogateescape")
