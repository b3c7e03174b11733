"""Files that are none are refused at once, by everything that reads what users name."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lauedepth.config import load_experiment, read_geometry
from lauedepth.config.aperture import read_code
from lauedepth.config.crystal_xml import read_crystal
from lauedepth.config.pixel_mask import read_pixel_mask
from lauedepth.core.errors import LaueDepthError
from lauedepth.core.files import open_file, read_file, require_file
from lauedepth.io import open_point, read_result
from lauedepth.io.frame_log import read_log_column
from lauedepth.io.images import read_image
from lauedepth.io.instrument import read_instrument
from lauedepth.pipeline.settings import read_settings
from lauedepth.tasks.calibration_history import read_record
from lauedepth.tasks.reconstruct.selection import read_mask

READERS: dict[str, Callable[[Path], object]] = {
    "experiment": load_experiment,
    "geometry": read_geometry,
    "code": read_code,
    "crystal": read_crystal,
    "mask": lambda path: read_mask(path, (8, 8)),
    "pixel mask": lambda path: read_pixel_mask(path, (8, 8)),
    "log": lambda path: read_log_column(path, "monitor", 3),
    "image": lambda path: read_image(path, "d"),
    "settings": read_settings,
    "calibration": read_record,
    "point": open_point,
    "result": read_result,
    "instrument": read_instrument,
}


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("kind", READERS)
def test_a_pipe_or_a_device_is_refused_in_one_line(pipe: Path, kind: str) -> None:
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(LaueDepthError) as told:
            READERS[kind](path)
        assert str(path) in str(told.value)
        assert "\n" not in str(told.value)


def test_a_file_is_read_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1234")
    assert read_file(path, 4) == b"1234"
    with pytest.raises(OSError, match="larger than") as told:
        read_file(path, 3)
    assert told.value.errno == errno.EFBIG
    (tmp_path / "link").symlink_to(path)
    require_file(tmp_path / "link")


def test_what_is_no_file_is_not_opened(tmp_path: Path, pipe: Path) -> None:
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path / "nowhere")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        with pytest.raises(OSError, match="No such device"):
            open_file(tmp_path / "socket")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="a pipe, a socket or a device"):
        require_file(pipe)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
