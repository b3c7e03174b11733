"""Metadata survive being copied from file to file, and never break a C reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lauedepth.io.hdf5 import as_c_value
from lauedepth.io.metadata import read_metadata, without, write_metadata

NAMES = st.text("abcXYZ_0123", min_size=1, max_size=6)
PATHS = st.builds("entry1/{}/{}".format, NAMES, NAMES)
KEYS = PATHS | st.builds("{}@{}".format, PATHS, NAMES) | st.builds("@{}".format, NAMES)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
VALUES = (
    TEXT
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(width=64)
    | st.booleans()
    | hnp.arrays(st.sampled_from(["f4", "f8", "u2", "i8"]), st.integers(1, 4))
)


def _plain(value: object) -> object:
    array = np.asarray(value)
    return array.item().decode() if array.dtype.kind == "S" else array.tolist()


def _as_read(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    return value.tolist() if isinstance(value, np.ndarray) else value


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_values_survive_two_copies(tmp_path: Path, given_values: dict[str, Any]) -> None:
    first, second = tmp_path / "1.h5", tmp_path / "2.h5"
    with h5py.File(first, "w") as file:
        write_metadata(file, given_values)
    with h5py.File(first) as file, h5py.File(second, "w") as copy:
        write_metadata(copy, read_metadata(file))
    with h5py.File(second) as file:
        found = read_metadata(file)
    assert set(found) == set(given_values)
    for key, value in given_values.items():
        np.testing.assert_equal(_plain(found[key]), _as_read(value))


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (5, "i4"),
        (np.uint16(5), "i4"),
        (np.array([5], np.int64), "i4"),
        (True, "i4"),
        (2**40, "i8"),
        (1.5, "f8"),
        (np.array([1, 2], np.int64), "i8"),
        (np.array([True, False]), "u1"),
        ("ab", "S3"),
        (b"", "S1"),
        (["a", "bcd"], "S4"),
    ],
)
def test_types_that_c_readers_can_read(value: object, dtype: str) -> None:
    assert as_c_value(value).dtype == np.dtype(dtype)


def test_strings_of_any_length_become_fixed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "1.h5", "w") as file:
        file["entry1/title"] = "größer"
        file["entry1"].attrs["note"] = "long"
        file["entry1/list"] = ["a", "bcd"]
        file["entry1/empty"] = h5py.Empty("f4")
    with h5py.File(tmp_path / "1.h5") as file, h5py.File(tmp_path / "2.h5", "w") as copy:
        write_metadata(copy, read_metadata(file))
        assert copy["entry1/title"].dtype.kind == "S"
        assert copy["entry1/title"][()].decode() == "größer"
        assert copy["entry1"].attrs.get_id("note").dtype.kind == "S"
        assert copy["entry1/list"][()].tolist() == [b"a", b"bcd"]
        assert "empty" not in copy["entry1"]


def test_images_and_what_is_skipped_stay_behind(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "1.h5", "w") as file:
        big = file.create_dataset("entry1/big", (3000, 3000), np.float32)
        big.attrs["units"] = "counts"
        file["entry1/data/data"] = np.ones((2, 3))
        file["entry1/database"] = 1
    with h5py.File(tmp_path / "1.h5") as file:
        found = read_metadata(file, ("entry1/data",))
    assert list(found) == ["entry1/database"]


def test_without_takes_whole_groups_with_their_attributes() -> None:
    one = np.ones(1)
    metadata = dict.fromkeys(("a/b", "a/b@c", "a@d", "ab", "@a"), one)
    assert list(without(metadata, "a")) == ["ab", "@a"]
