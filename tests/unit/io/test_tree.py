"""Files made to do harm, or damaged in odd ways: one line, little time and memory."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

STACK = np.random.default_rng(1).poisson(30, (4, 10, 12)).astype(np.uint16)
KEY = "entry1/data/data"

OPEN = """
import sys
from lauedepth.core.errors import InputError
from lauedepth.io import open_point, validate_file
try:
    with open_point(sys.argv[1]) as point:
        point.read_rows(0, 10)
        print("read", *sorted(point.metadata), *(notice.code for notice in point.notices))
except InputError as error:
    print(error)
print(validate_file(sys.argv[1])[:1])
"""


def nested(file: h5py.File) -> None:
    file[KEY] = STACK
    group = file
    for _ in range(5000):
        group = group.create_group("g")


def many(file: h5py.File) -> None:
    file[KEY] = STACK
    for index in range(40_000):
        file.create_group(f"g{index}")


def declared(file: h5py.File) -> None:
    file.create_dataset(KEY, (2, 2**20, 2**20), np.uint16, chunks=(1, 64, 64))


def many_frames(file: h5py.File) -> None:
    file.create_dataset(KEY, (2**40, 10, 12), np.uint16, chunks=(1, 10, 12))


def huge_chunk(file: h5py.File) -> None:
    file.create_dataset(KEY, (2000, 1000, 1000), np.uint16, chunks=(2000, 1000, 1000))


def never_written(file: h5py.File) -> None:
    file.create_dataset(KEY, (1000, 2000, 2000), np.uint16)


HARM = [
    (nested, "groups more than 64 deep"),
    (many, "more than 20000 objects"),
    (declared, "more than any detector writes"),
    (many_frames, "more than any detector writes"),
    (huge_chunk, "more than any detector writes"),
    (never_written, "all frames are lost"),
]


def ask(path: Path) -> list[str]:
    """Open a file in a process with 10 s and, beside what the libraries take, 1 GB."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (10, 10))

    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(path)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout.splitlines()


@pytest.mark.parametrize(("make", "said"), HARM, ids=lambda value: getattr(value, "__name__", ""))
def test_harm_is_told_in_one_line(
    tmp_path: Path, make: Callable[[h5py.File], None], said: str
) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        make(file)
    first = ask(path)[0]
    assert said in first
    assert str(path) in first


def test_links_that_lead_in_a_circle(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        file[KEY] = STACK
        file["entry1/self"] = h5py.SoftLink("/entry1/self")
        file["entry1/up"] = h5py.SoftLink("/entry1")
        file["entry1/ring"] = file["entry1"]
        file["entry1/a"] = h5py.SoftLink("/entry1/b")
        file["entry1/b"] = h5py.SoftLink("/entry1/a")
        file["entry1/sample/sampleX"] = 1.0
        for one in range(20):
            for other in range(20):
                file[f"web{one}/to{other}"] = h5py.SoftLink(f"/web{other}")
    first, second = ask(path)
    assert first.split() == ["read", "entry1/sample/sampleX"]
    assert second == "[]"


def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        file[KEY] = STACK
        file["entry1/sample/sampleX"] = 1.0
        h5py.h5g.create(file.id, b"caf\xe9")
        h5py.h5a.create(file.id, b"\xff", h5py.h5t.NATIVE_INT32, h5py.h5s.create(h5py.h5s.SCALAR))
    assert ask(path) == ["read entry1/sample/sampleX", "[]"]


def test_a_circle_on_the_way_to_the_data(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        file[KEY] = h5py.SoftLink("/entry1/data/other")
        file["entry1/data/other"] = h5py.SoftLink("/entry1/data/data")
    assert "there is no such dataset" in ask(path)[0]
