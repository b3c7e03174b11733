"""Files as detectors leave them: filters, streaming writers, file systems without locks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from lauedepth.core.errors import InputError
from lauedepth.io import open_point, validate_file

STACK = np.random.default_rng(1).poisson(30, (5, 64, 96)).astype(np.uint16)

# In a process where nobody has loaded the plugins.
READ = """
import sys
import numpy as np
from lauedepth.core.errors import InputError
from lauedepth.io import open_point
try:
    with open_point(sys.argv[1]) as point:
        print(int(point.read_rows(0, 64).astype(np.int64).sum()))
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "filters",
    [
        hdf5plugin.Bitshuffle(),
        hdf5plugin.Bitshuffle(cname="none"),
        hdf5plugin.LZ4(),
        hdf5plugin.Zstd(),
        hdf5plugin.Blosc(),
        hdf5plugin.Blosc(cname="zstd", shuffle=hdf5plugin.Blosc.BITSHUFFLE),
        {"compression": "gzip"},
        {"compression": "gzip", "shuffle": True},
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"compression": "lzf"},
        {"scaleoffset": 0},
    ],
    ids=str,
)
@pytest.mark.parametrize("chunk", [(1, 64, 96), (2, 20, 30)])
def test_filters_of_detectors_are_read(
    tmp_path: Path, filters: Any, chunk: tuple[int, int, int]
) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("entry1/data/data", data=STACK, chunks=chunk, **filters)
    with open_point(path) as point:
        np.testing.assert_array_equal(point.read_rows(0, 64), STACK)
        np.testing.assert_array_equal(point.read_rows(13, 21), STACK[:, 13:21])
        np.testing.assert_allclose(point.mean_image(), STACK.mean(axis=0), rtol=1e-14)
    assert validate_file(path) == []


def test_filters_are_loaded_when_they_are_needed(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("entry1/data/data", data=STACK, **hdf5plugin.Bitshuffle())
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == int(STACK.astype(np.int64).sum())


def test_an_unknown_filter_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((1, 64, 96))
    settings.set_filter(32026, h5py.h5z.FLAG_OPTIONAL, (0, 0, 0, 0))
    with h5py.File(path, "w") as file:
        file.create_group("entry1/data")
        h5py.h5d.create(
            file.id,
            b"entry1/data/data",
            h5py.h5t.NATIVE_UINT16,
            h5py.h5s.create_simple(STACK.shape),
            settings,
        )
    content = path.read_bytes()
    number = (32026).to_bytes(2, "little")
    assert content.count(number) == 1
    path.write_bytes(content.replace(number, (31234).to_bytes(2, "little")))
    with pytest.raises(
        InputError, match=r"packed with the filter .* 31234.*not installed"
    ) as caught:
        open_point(path)
    assert "damaged" not in str(caught.value)
    assert any("31234" in reason for reason in validate_file(path))


def test_a_file_that_was_streamed_and_finished(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w", libver="latest") as file:
        data = file.create_dataset(
            "entry1/data/data", (0, 64, 96), np.uint16, chunks=(1, 64, 96), maxshape=(None, 64, 96)
        )
        file.swmr_mode = True
        for index, frame in enumerate(STACK):
            data.resize(index + 1, axis=0)
            data[index] = frame
            data.flush()
    with open_point(path) as point:
        np.testing.assert_array_equal(point.read_rows(0, 64), STACK)


def test_no_locks_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        file["entry1/data/data"] = STACK

    def no_locks(*_: object, **__: object) -> None:
        raise OSError("unable to lock file, errno = 38, error message = 'Function not implemented'")

    monkeypatch.setattr(h5py, "File", no_locks)
    with pytest.raises(InputError, match=r"without locks; set HDF5_USE_FILE_LOCKING=FALSE"):
        open_point(path)
