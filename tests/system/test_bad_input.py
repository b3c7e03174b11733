"""Bad input is told in one line, nothing is lost and nothing half-written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from lauedepth.cli.app import run

EXPERIMENT = Path(__file__).parents[2] / "examples" / "experiment.yml"
FRAMES, ROWS, COLUMNS = 261, 8, 10


def write_stack(path: Path, data: object, *, start: tuple[int, int] = (900, 900)) -> Path:
    with h5py.File(path, "w") as file:
        file["entry1/data/data"] = data
        for axis, first, size in zip("xy", start, (COLUMNS, ROWS), strict=True):
            file[f"entry1/detector/start{axis}"] = first
            file[f"entry1/detector/end{axis}"] = first + size - 1
    return path


def counts(seed: int = 0) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint16]]:
    shape = (FRAMES, ROWS, COLUMNS)
    return np.random.default_rng(seed).poisson(40, shape).astype(np.uint16)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A good point of light that is not coded."""
    return write_stack(tmp_path / "point.h5", counts())


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must fail in one line, and return that line."""

    def call(*words: object, code: int = 1) -> str:
        before = sorted(tmp_path.rglob("*"))
        assert run([str(word) for word in words]) == code
        err = capsys.readouterr().err
        assert err.startswith("lauedepth: ")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        left = [path for path in sorted(tmp_path.rglob("*")) if path not in before]
        assert all(".blocks" in str(path) for path in left)
        return err

    return call


def reconstruct(point: Path, experiment: Path = EXPERIMENT, output: str = "r.h5") -> list[object]:
    return ["reconstruct", point, "-e", experiment, "-o", point.parent / output]


Refused = Callable[..., str]


def test_a_good_point_is_reconstructed(stack: Path) -> None:
    assert run([str(word) for word in reconstruct(stack)]) == 0
    assert not list(stack.parent.glob("*.partial")) + list(stack.parent.glob("*.blocks"))


def test_truncated(stack: Path, refused: Refused) -> None:
    os.truncate(stack, stack.stat().st_size // 2)
    assert "point.h5: is a truncated HDF5 file; wait" in refused(*reconstruct(stack))


def test_still_open(stack: Path, refused: Refused) -> None:
    with h5py.File(stack, "r+"):
        assert "still open for writing" in refused(*reconstruct(stack))


def test_missing_dataset(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "point.h5"
    with h5py.File(path, "w") as file:
        file["entry1/other"] = counts()
    told = refused(*reconstruct(path))
    assert "entry1/data/data: there is no such dataset; set data.key to entry1/other" in told


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (counts()[0], "has shape (8, 10)"),
        (counts().astype(np.complex64), "holds complex64"),
        (counts()[:100], "has 100 frames, the experiment needs 261; where were 161 lost?"),
    ],
)
def test_wrong_rank_dtype_or_length(
    tmp_path: Path, refused: Refused, data: object, told: str
) -> None:
    assert told in refused(*reconstruct(write_stack(tmp_path / "point.h5", data)))


def test_region_outside_the_detector(tmp_path: Path, refused: Refused) -> None:
    path = write_stack(tmp_path / "point.h5", counts(), start=(2040, 0))
    assert "ROI 2040...2049 along x lies outside the detector's 2048" in refused(*reconstruct(path))


def test_a_link_out_of_the_file(tmp_path: Path, refused: Refused) -> None:
    folder = tmp_path / "points"
    folder.mkdir()
    write_stack(tmp_path / "other.h5", counts())
    path = write_stack(folder / "point.h5", counts())
    with h5py.File(path, "r+") as file:
        del file["entry1/data/data"]
        file["entry1/data/data"] = h5py.ExternalLink(
            str(tmp_path / "other.h5"), "/entry1/data/data"
        )
    assert "copy the data into the file, or the other file beside it" in refused(*reconstruct(path))


def test_nan_zero_and_saturated_pixels_and_lost_frames_are_no_failure(tmp_path: Path) -> None:
    from lauedepth.core.decoding.pixels import PixelStatus
    from lauedepth.io import read_result

    data = counts().astype(np.float32)
    data[:, 0, 1], data[:, 0, 2] = 0, 65535
    data[: len(data) - 20, 0, 0] = np.nan
    data[5] = 0
    path = write_stack(tmp_path / "point.h5", data)
    words = [*reconstruct(path), "--pixels", 0]
    assert run([str(word) for word in words]) == 0
    pixels = read_result(tmp_path / "r.h5").pixels
    status = {(int(one["row"]), int(one["column"])): one["status"] for one in pixels}
    assert status[0, 0] == PixelStatus.INVALID
    assert status[0, 1] in {PixelStatus.DARK, PixelStatus.INVALID}
    assert (0, 2) not in status  # never measured, so not chosen
    assert not np.isfinite(pixels["depth"]).any()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("stop_frame", "stop_fram", "unknown key 'data.stop_fram', did you mean 'stop_frame'?"),
        ("step_um: 1.0", "step_um: fast", "motion.step_um"),
        ("code: prefer-same-8", "code: [0, 1, 2]", "aperture.code"),
        ("code: prefer-same-8", "code: [1, 1, 1]", "needs both bars (1) and openings (0)"),
        ("code: prefer-same-8", "code: code.npy", "code.npy: code cannot be read"),
        ("data:", "data: {", "not valid YAML"),
    ],
)
def test_wrong_configuration(stack: Path, refused: Refused, old: str, new: str, told: str) -> None:
    experiment = stack.with_name("e.yml")
    experiment.write_text(EXPERIMENT.read_text("utf-8").replace(old, new, 1), "utf-8")
    for words in (reconstruct(stack, experiment), ["check", "-e", experiment]):
        line = refused(*words, code=2)
        assert told in line
        assert "e.yml" in line or "code.npy" in line


def test_a_code_that_does_not_fit_its_widths(stack: Path, refused: Refused) -> None:
    experiment = stack.with_name("e.yml")
    text = EXPERIMENT.read_text("utf-8").replace("code: prefer-same-8", "code: code.npy", 1)
    experiment.write_text(text, "utf-8")
    np.save(stack.with_name("code.npy"), np.array([0, 1, 2, 1]))
    assert "does not fit its two bit widths" in refused(*reconstruct(stack, experiment), code=2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["reconstruct"], "see 'lauedepth reconstruct --help'"),
        (["recontruct"], "recontruct"),
        (["reconstruct", "p.h5", "-e", EXPERIMENT, "-o", "r.h5", "--backend", "gpu"], "no backend"),
        (["inspect", "p.h5", "-e", EXPERIMENT, "--pixel", "here"], "'here' is not a pixel"),
        (["plot", "r.h5", "-o", "r.jpeg2000"], "format '.jpeg2000' is not supported"),
        (["export", "r.h5", "-o", "out", "--name", "../up"], "is not a plain name"),
        (["simulate", "-e", EXPERIMENT, "-o", "out", "--name", "a/b"], "is not a plain name"),
    ],
)
def test_wrong_usage(refused: Refused, words: list[object], told: str) -> None:
    assert told in refused(*words, code=2)


@pytest.mark.parametrize("pixels", ["many", "-1", "mask.npy"])
def test_wrong_pixels(stack: Path, refused: Refused, pixels: str) -> None:
    np.save(stack.with_name("mask.npy"), np.ones((3, 3), np.bool_))
    choice = stack.with_name(pixels) if pixels.endswith("npy") else pixels
    line = refused(*reconstruct(stack), "--pixels", choice)
    assert pixels in line


def test_there_is_no_such_point_or_experiment(tmp_path: Path, refused: Refused) -> None:
    missing = tmp_path / "none.h5"
    assert "none.h5: there is no such file; check the path" in refused(*reconstruct(missing))
    assert "cannot be read" in refused(*reconstruct(missing, tmp_path / "none.yml"), code=2)


def test_the_point_itself_is_never_overwritten(stack: Path, refused: Refused) -> None:
    before = stack.read_bytes()
    assert "is not a result" in refused(*reconstruct(stack, output="point.h5"))
    assert stack.read_bytes() == before


def test_two_points_of_one_name(tmp_path: Path, refused: Refused) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_stack(tmp_path / folder / "p.h5", counts())
    points = (tmp_path / "a" / "p.h5", tmp_path / "b" / "p.h5")
    words = ("reconstruct", *points, "-e", EXPERIMENT, "-o", tmp_path / "out")
    assert "two points are called p" in refused(*words, code=2)


def test_an_output_that_cannot_be_written(stack: Path, refused: Refused) -> None:
    (stack.parent / "taken").write_text("")
    assert "cannot be written" in refused(*reconstruct(stack, output="taken/r.h5"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB; only root can make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("needs root to make a small disk")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk(stack: Path, small_disk: Path, refused: Refused) -> None:
    (small_disk / "ballast").write_bytes(bytes(8 * 2**20 - 50_000))
    words = ("reconstruct", stack, "-e", EXPERIMENT, "-o", small_disk / "r.h5")
    line = refused(*words)
    assert "the disk is full; free some space" in line
    assert not (small_disk / "r.h5").exists()
    assert not list(small_disk.rglob("*.partial"))
    (small_disk / "ballast").unlink()
    assert run([str(word) for word in (*words, "--resume")]) == 0


def test_debug_gives_the_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*reconstruct(tmp_path / "none.h5"), "--debug"]
    assert run([str(word) for word in words]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_names_never_reach_a_shell(tmp_path: Path) -> None:
    name = "a b;$(touch hacked)`touch hacked`'\"µ.h5"
    point = write_stack(tmp_path / name, counts())
    words = [sys.executable, "-m", "lauedepth", *map(str, reconstruct(point))]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0
    assert not (tmp_path / "hacked").exists()
