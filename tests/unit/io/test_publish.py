"""Publishing: a reader sees a whole file or none, whatever happens to the writer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from lauedepth.core.errors import OutputError
from lauedepth.io import publish, publish_hdf5

NAMES = "result.h5"


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_whole_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / NAMES
    path.write_text("old")
    with publish(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.name == "result.h5.partial"
    assert path.read_text() == "new"
    assert listing(tmp_path) == [NAMES]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, OutputError])
def test_failure_keeps_the_old_file_and_removes_the_partial(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    path = tmp_path / NAMES
    path.write_text("old")
    with pytest.raises(failure), publish_hdf5(path) as file:
        file["half"] = np.zeros(10)
        raise failure("stop")
    assert path.read_text() == "old"
    assert listing(tmp_path) == [NAMES]


def test_invalid_file_is_not_published(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="the depth is missing"),
        publish(tmp_path / NAMES, lambda _: ["the depth is missing"]) as partial,
    ):
        partial.write_text("bad")
    assert listing(tmp_path) == []


def test_leftover_of_a_killed_writer_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / NAMES
    script = (
        "import sys, time\nfrom lauedepth.io import publish_hdf5\n"
        f"with publish_hdf5({str(path)!r}) as file:\n"
        "    file['a'] = range(1000); file.flush(); print('ready', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with (
            pytest.raises(OutputError, match="being written by another process"),
            publish(path),
        ):
            pass
        assert listing(tmp_path) == [f"{NAMES}.partial"]
        writer.kill()
    deadline = time.monotonic() + 5
    while writer.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert listing(tmp_path) == [f"{NAMES}.partial"]
    with publish_hdf5(path) as file:
        file["b"] = 1
    assert listing(tmp_path) == [NAMES]
    with h5py.File(path) as file:
        assert list(file) == ["b"]


def test_missing_folder_and_folder_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="create the folder first"), publish(tmp_path / "x/y"):
        pass
    with pytest.raises(OutputError, match="is a folder"), publish(tmp_path):
        pass


def test_unwritable_folder(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        target = Path("/proc/lauedepth.h5")
    else:
        tmp_path.chmod(0o500)
        target = tmp_path / NAMES
    with (
        pytest.raises(OutputError, match=r"cannot be written: .*; (choose|create)"),
        publish(target),
    ):
        pass


Mount = Callable[[int], Path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Mount]:
    """Makes a file system of so many KiB; needs the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(size: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("cannot mount a small file system here")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", "-l", str(folder)], check=True)


# In a process of its own: HDF5 can crash at a full disk, and at the program's end.
WRITE_POINT = """
import sys
import numpy as np
from lauedepth.core.errors import OutputError
from lauedepth.core.instrument.experiment import Detector, Region
from lauedepth.io import write_point
frame = np.random.default_rng(0).integers(0, 65536, (256, 256), dtype=np.uint16)
try:
    write_point(
        sys.argv[1],
        (frame for _ in range(20)),
        20,
        region=Region((256, 256)),
        detector=Detector((256, 256), (1.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
        sample_xyz=(0.0, 0.0, 0.0),
        metadata={f"entry1/more/value{i}": i for i in range(300)},
    )
except OutputError as error:
    print(error)
"""

WRITE_SMALL_THINGS = """
import sys
from lauedepth.core.errors import OutputError
from lauedepth.io import publish_hdf5
try:
    with publish_hdf5(sys.argv[1]) as file:
        for index in range(3000):
            file[f"group{index}/value"] = index
except OutputError as error:
    print(error)
"""


@pytest.mark.parametrize("size", [8, 1040, 1300, 2048])
@pytest.mark.parametrize("script", [WRITE_POINT, WRITE_SMALL_THINGS], ids=["point", "small"])
def test_full_disk_is_one_clear_error_and_leaves_nothing(
    small_disk: Mount, script: str, size: int
) -> None:
    folder = small_disk(size)
    (folder / NAMES).write_text("old")
    run = subprocess.run(
        [sys.executable, "-c", script, str(folder / NAMES)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.endswith("cannot be written: the disk is full; free some space\n")
    assert listing(folder) == [NAMES]
    assert (folder / NAMES).read_text() == "old"


@pytest.mark.parametrize("kind", ["symlink", "dangling", "hard link"])
def test_what_a_partial_name_is_linked_to_stays_as_it_is(tmp_path: Path, kind: str) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("mine")
    partial = tmp_path / "out.h5.partial"
    if kind == "hard link":
        partial.hardlink_to(kept)
    else:
        partial.symlink_to(kept if kind == "symlink" else tmp_path / "none.txt")
    if kind == "hard link":  # a name of its own goes, what it named has another
        with publish(tmp_path / "out.h5") as name:
            name.write_text("new")
        assert (tmp_path / "out.h5").read_text() == "new"
    else:
        with (
            pytest.raises(OutputError, match=r"out\.h5\.partial is a link; remove it"),
            publish(tmp_path / "out.h5"),
        ):
            pass
        assert partial.is_symlink()
    assert kept.read_text() == "mine"
    assert not (tmp_path / "none.txt").exists()
