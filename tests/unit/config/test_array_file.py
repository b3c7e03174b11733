"""Arrays in files: NumPy's are read back, and what only pretends to be one is refused."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lauedepth.config.aperture import read_code
from lauedepth.config.array_file import read_array
from lauedepth.config.pixel_mask import read_pixel_mask
from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.tasks.reconstruct.selection import read_mask


def npy(header: str, body: bytes = b"\0" * 8) -> bytes:
    """A file with any header."""
    text = header.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def stated(shape: str, kind: str = "'<i8'") -> bytes:
    return npy(f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}")


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.npy", bytes(10_000_000))
    return file.getvalue()


HOSTILE = {
    "brackets": npy("(" * 9000),
    "signs": npy("-" * 9000 + "1"),
    "open text": npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), \n  '''"),
    "dedent": npy("  {'descr': '<i8'\n\t1\n 2"),
    "python 2": npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1L,, }"),
    "huge": stated("(999999999999999,)"),
    "too many digits": stated("(" + "9" * 5000 + ",)"),
    "negative": stated("(-1,)"),
    "objects": stated("(1,)", "'|O'"),
    "records": stated("(1,)", "[('a', '<i8', (99999999, 99999999))]"),
    "empty texts": stated("(999999999999999999999,)", "'<U0'"),
    "nothing, many times": stated("(0, 999999999999999999999)"),
    "version 9": b"\x93NUMPY\x09\x00" + bytes(40),
    "cut": npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", b"\0" * 7),
    "no archive": b"PK\x03\x04" + bytes(50),
    "archive": archive(),
    "pickle": b"\x80\x04K\x01.",
    "empty": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_array_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(ValueError, match=r"^(not a \.npy file of numbers|truncated)$"):
        read_array(path)
    with pytest.raises(ConfigurationError, match=r"a\.npy: code cannot be read"):
        read_code(path)
    with pytest.raises(ConfigurationError, match=r"a\.npy: mask cannot be read"):
        read_pixel_mask(path, (4, 4))
    with pytest.raises(InputError, match=r"a\.npy: mask cannot be read"):
        read_mask(path, (4, 4))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.bool_, np.uint16, ">f4", np.float64])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 4)])
def test_what_numpy_wrote_is_read_back(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, order: str
) -> None:
    values = np.asarray(np.arange(np.prod(shape)).reshape(shape), dtype, order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "a.npy", values)
    read = read_array(tmp_path / "a.npy")
    assert read.dtype == values.dtype
    np.testing.assert_array_equal(read, values)


def test_the_longer_header_is_read_too(tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as stream:
        np.lib.format.write_array(stream, np.arange(4), version=(2, 0))
    np.testing.assert_array_equal(read_array(tmp_path / "a.npy"), np.arange(4))
