"""Files are looked into by a process of its own, which may die, hang or go home."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from lauedepth.pipeline.errors import InputError, NotAPointError
from lauedepth.pipeline.protocols import Member
from lauedepth.pipeline.sources.inspector import Inspector

DATASET = "entry1/data/data"


def point(path: Path, **more: int) -> Member:
    with h5py.File(path, "w") as file:
        file[DATASET] = np.zeros((3, 4, 5), np.uint16)
        for name in more:
            file[name.replace("__", "/")] = [0.0]
    status = path.stat()
    return Member(path.name, status.st_size, status.st_mtime_ns)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_it_answers_as_the_function_does(tmp_path: Path) -> None:
    inspector = Inspector()
    assert inspector.count_frames(tmp_path, point(tmp_path / "µ 'p';\n.h5"), DATASET) == (3, 4, 5)
    with pytest.raises(NotAPointError, match=r"t\.h5: is the ground truth of a simulated point"):
        inspector.count_frames(tmp_path, point(tmp_path / "t.h5", truth__depth_um=1), DATASET)
    with pytest.raises(InputError, match=r"p\.h5: has no nothing"):
        inspector.count_frames(tmp_path, point(tmp_path / "p.h5"), "nothing")


def test_a_reader_that_went_home_is_called_again(tmp_path: Path) -> None:
    once = "input(); print('{\"shape\": [1, 2, 3]}', flush=True)"
    inspector, member = Inspector(python(once)), point(tmp_path / "p.h5")
    for _ in range(3):
        assert inspector.count_frames(tmp_path, member, DATASET) == (1, 2, 3)


def test_a_file_that_kills_its_reader_fails_alone(tmp_path: Path) -> None:
    inspector = Inspector(python("input(); import os; os.abort()"))
    with pytest.raises(InputError, match=r"p\.h5: crashes its reader \(exit code -6\)"):
        inspector.count_frames(tmp_path, point(tmp_path / "p.h5"), DATASET)


def test_a_file_that_is_not_read_in_time_fails_alone(tmp_path: Path) -> None:
    inspector = Inspector(python("import time; time.sleep(60)"), patience_s=0.2)
    for _ in range(2):
        with pytest.raises(InputError, match="could not be read within"):
            inspector.count_frames(tmp_path, point(tmp_path / "p.h5"), DATASET)
