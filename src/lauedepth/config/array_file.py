"""Arrays in ``.npy`` files, from whoever wrote them.

`numpy.load` also opens archives and pickles whatever the file is called, takes the size that a
header states for true, and fails on odd headers with whatever its parser raises.
"""

from __future__ import annotations

import math
import struct
import warnings
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from lauedepth.core.files import open_file

_LONGEST: Final = 2**40
NO_ARRAY: Final = "not a .npy file of numbers"
_READERS: Final = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_array(path: Path) -> npt.NDArray[Any]:
    """Read an array of numbers or fixed-length texts.

    Raises
    ------
    OSError
        The file cannot be opened, or is no file.
    ValueError
        It holds no such array, or less than its header says.
    """
    with open_file(path) as stream:
        shape, by_columns, dtype = _header(stream)
        size = math.prod(shape)
        plain = dtype.fields is None and not dtype.hasobject and dtype.itemsize > 0
        if not plain or not all(0 <= length < _LONGEST for length in shape):
            raise ValueError(NO_ARRAY)
        if path.stat().st_size - stream.tell() < size * dtype.itemsize:
            raise ValueError("truncated")
        values = np.fromfile(stream, dtype, size)
    return values.reshape(shape, order="F" if by_columns else "C")


def _header(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return the shape, whether columns come first, and the type."""
    try:
        read_header = _READERS[np.lib.format.read_magic(stream)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python 2's headers, and of escapes in them
            shape, by_columns, dtype = read_header(stream)
    except (
        *(ValueError, TypeError, LookupError, EOFError, struct.error),
        *(SyntaxError, TokenError, RecursionError, MemoryError),  # of Python's parser
    ) as error:
        raise ValueError(NO_ARRAY) from error
    return tuple(int(length) for length in shape), by_columns, dtype
