"""The reader answers questions about files, and says why where there is no answer."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from lauedepth.pipeline.sources.reader import answer


def question(path: Path, dataset: str = "d") -> dict[str, object]:
    status = path.stat()
    member = {"name": path.name, "size": status.st_size, "mtime_ns": status.st_mtime_ns}
    return {"root": str(path.parent), "member": member, "dataset": dataset}


def test_the_shape_of_the_frames(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "p.h5", "w") as file:
        file["d"] = np.zeros((3, 4, 5), np.uint16)
    assert answer(question(tmp_path / "p.h5")) == {"shape": (3, 4, 5)}


def test_why_there_is_none_and_whose_file_it_is(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no HDF5")
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["truth/depth_um"] = [1.0]
    bad, own = (answer(question(tmp_path / name)) for name in ("text.h5", "own.h5"))
    assert bad == {"what": "is not an HDF5 file", "where": "text.h5", "own": False}
    assert own["own"] is True
