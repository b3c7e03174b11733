"""Files of what is known of an aperture: round trip, and what is refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from lauedepth.core.errors import InputError
from lauedepth.core.instrument.known import KnownAperture
from lauedepth.io.instrument import read_instrument, write_instrument


def _known() -> KnownAperture:
    half = np.random.default_rng(0).normal(size=(6, 6))
    return KnownAperture(
        '{"code": [1, 0]}', True, ("/a/one.h5", "/b/zwei ü.h5"), half @ half.T, half[0]
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    known = _known()
    write_instrument(tmp_path / "i.h5", known, {"edges_um": np.arange(4.0), "widening_um": 0.5})
    found = read_instrument(tmp_path / "i.h5")
    assert (found.design, found.opaque, found.points) == (known.design, True, known.points)
    np.testing.assert_array_equal(found.matrix, known.matrix)
    np.testing.assert_array_equal(found.target, known.target)
    with h5py.File(tmp_path / "i.h5") as file:
        assert file["edges_um"].shape == (4,) and file["widening_um"][()] == 0.5


def _damaged(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        if name == "format":
            file.attrs["format"] = "something else"
        elif name == "version":
            file.attrs["version"] = 9
        elif name == "group":
            del file["target"]
            file.create_group("target")
        elif name == "nan":
            file["information"][0, 0] = np.nan
        elif name == "uneven":
            file["information"][0, 1] += 100.0
        elif name == "negative":
            file["information"][...] = -np.eye(6)
        elif name == "size":
            del file["target"]
            file["target"] = np.zeros(5)
        elif name == "text":
            del file["design"]
            file["design"] = 5
        else:
            del file[name]


@pytest.mark.parametrize(
    "damage",
    [
        "format", "version", "group", "nan", "uneven", "negative", "size", "text", "information",
        "points", "opaque",
    ],
)  # fmt: skip
def test_another_file_or_a_damaged_one_is_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "i.h5"
    write_instrument(path, _known(), {})
    _damaged(path, damage)
    with pytest.raises(InputError) as caught:
        read_instrument(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert "lauedepth learn" in str(caught.value)
