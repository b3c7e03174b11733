"""The commands, used as users use them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import h5py
import numpy as np
import pytest
from tests.json_lines import asking_for_json

from lauedepth.cli.app import run
from lauedepth.io import read_result

EXAMPLES = Path(__file__).parents[2] / "examples"
SAMPLE = """
sample: {kind: column, sizes_um: [12.0, 20.0, 15.0], start_um: 5.0}
scan: {n_x: 2, step_um: 5.0}
region: {start_px: [640, 768], shape_px: [256, 256]}
exposure: {peak_counts: 6000.0, background: 10.0, spot_sigma_px: 2.0}
opaque_bars: true
"""


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    events: list[dict[str, Any]]
    err: str

    def last(self, event: str) -> dict[str, Any]:
        return [one for one in self.events if one["event"] == event][-1]


Command = Callable[..., Answer]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process; as programs do."""
    handler = signal.getsignal(signal.SIGTERM)

    def call(*words: object) -> Answer:
        capsys.readouterr()
        try:
            code = run(asking_for_json(words))
        finally:
            signal.signal(signal.SIGTERM, handler)
        said = capsys.readouterr()
        events = [json.loads(line) for line in said.out.splitlines() if line.startswith("{")]
        return Answer(code, events, said.err)

    return call


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated scan of two points, made by the command."""
    folder = tmp_path_factory.mktemp("scan")
    (folder / "sample.yml").write_text(SAMPLE, encoding="utf-8")
    words = [sys.executable, "-m", "lauedepth", "simulate", "-e", str(EXAMPLES / "experiment.yml")]
    words += ["-s", str(folder / "sample.yml"), "-o", str(folder), "--seed", "4"]
    subprocess.run(words, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def result(scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first point's result, made by the command."""
    path = tmp_path_factory.mktemp("result") / "r.h5"
    words = [sys.executable, "-m", "lauedepth", "reconstruct", str(scan / "point_0001.h5")]
    words += ["-e", str(scan / "experiment.yml"), "-o", str(path)]
    subprocess.run(words, check=True, capture_output=True)
    return path


def test_a_scan_has_points_truth_and_experiment(scan: Path, command: Command) -> None:
    names = {str(path.relative_to(scan)) for path in scan.rglob("*.*")}
    points = {"point_0001.h5", "point_0002.h5"}
    assert names == points | {f"truth/{name}" for name in points} | {
        "experiment.yml",
        "sample.yml",
    }
    answer = command("validate", *(scan / name for name in points))
    assert answer.code == 0
    assert [one["valid"] for one in answer.events] == [True, True]


def test_the_same_seed_gives_the_same_frames_in_either_layout(
    tmp_path: Path, command: Command
) -> None:
    sample = tmp_path / "sample.yml"
    sample.write_text(SAMPLE.replace("256, 256", "64, 32").replace("n_x: 2", "n_x: 1"), "utf-8")
    folders = tmp_path / "first", tmp_path / "again", tmp_path / "series"
    experiment = tmp_path / "experiment.yml"
    text = (EXAMPLES / "experiment.yml").read_text("utf-8")
    experiment.write_text(text.replace("stop_frame: 261", "stop_frame: 40"), "utf-8")
    words = ("simulate", "-e", experiment, "-s", sample, "--seed", 4)
    for folder in folders:
        layout = "series" if folder.name == "series" else "stack"
        assert command(*words, "-o", folder, "--layout", layout).code == 0
    with (
        h5py.File(folders[0] / "point_0001.h5") as first,
        h5py.File(folders[1] / "point_0001.h5") as again,
        h5py.File(folders[2] / "point_0001" / "point_0001_7.h5") as seventh,
    ):
        frames = first["entry1/data/data"]
        assert frames.shape == (40, 32, 64)
        np.testing.assert_array_equal(frames[()], again["entry1/data/data"][()])
        np.testing.assert_array_equal(frames[6], seventh["entry1/data/data"][()])


def test_reconstruct_finds_the_grains(scan: Path, result: Path, command: Command) -> None:
    from lauedepth.tasks.simulate.scan_files import read_truth

    assert command("validate", result).code == 0
    pixels, truth = read_result(result).pixels, read_truth(scan / "truth" / "point_0001.h5")
    true = {(int(one["row"]), int(one["column"])): one for one in truth if one["n_depths"] == 1}
    found = [one for one in pixels if (int(one["row"]), int(one["column"])) in true]
    bright = [one for one in found if one["intensity"] > 100]
    errors = [
        one["depth"] - true[int(one["row"]), int(one["column"])]["depth_um"] for one in bright
    ]
    assert len(bright) > 50
    assert np.median(np.abs(errors)) < 0.1


def test_several_points_go_into_a_folder_and_a_bad_one_stops_none(
    scan: Path, tmp_path: Path, command: Command
) -> None:
    bad = tmp_path / "bad.h5"
    bad.write_bytes((scan / "point_0001.h5").read_bytes()[:50_000])
    words = (scan / "point_0001.h5", bad, scan / "point_0002.h5")
    answer = command("reconstruct", *words, "-e", scan / "experiment.yml", "-o", tmp_path / "out")
    assert answer.code == 1
    assert answer.last("summary") == {"event": "summary", "points": 3, "done": 2, "failed": 1}
    assert "truncated" in answer.last("error")["message"]
    assert answer.err.count("\n") == 1
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["point_0001.h5", "point_0002.h5"]


def test_export_plot_and_inspect(
    scan: Path, result: Path, tmp_path: Path, command: Command
) -> None:
    answer = command("export", result, "-o", tmp_path / "ex", "--start", 0, "--stop", 5)
    assert answer.last("result")["files"] == 5
    assert command("validate", *(tmp_path / "ex").iterdir()).code == 0
    for kind in ("overview", "sum", "depth-map", "profile", "slices"):
        figure = tmp_path / f"{kind}.png"
        assert command("plot", result, "--kind", kind, "-o", figure).code == 0
        assert figure.read_bytes().startswith(b"\x89PNG")
        assert figure.stat().st_size > 10_000
    brightest = max(read_result(result).pixels, key=lambda one: np.nan_to_num(one["intensity"]))
    place = f"{brightest['row']},{brightest['column']}"
    words = ("inspect", scan / "point_0001.h5", "-e", scan / "experiment.yml", "--pixel", place)
    answer = command(*words, "-o", tmp_path / "pixel.svg")
    assert answer.code == 0
    found = answer.last("pixel")["found"][0]
    assert found["depth_um"] == pytest.approx(float(brightest["depth"]), abs=1e-4)
    assert (tmp_path / "pixel.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")


def test_check_tells_what_a_point_needs_and_makes_nothing(scan: Path, command: Command) -> None:
    before = sorted(scan.rglob("*"))
    answer = command("check", scan / "point_0001.h5", "-e", scan / "experiment.yml")
    assert answer.code == 0
    told = answer.last("point")
    assert told["shape"] == [261, 256, 256]
    assert told["memory_bytes"] > 0
    assert told["decode_seconds"] > 0
    assert sorted(scan.rglob("*")) == before


def test_the_schema_is_the_committed_one(capsys: pytest.CaptureFixture[str]) -> None:
    from lauedepth.config.schema import schema_path

    assert run(["schema"]) == 0
    assert capsys.readouterr().out == schema_path().read_text(encoding="utf-8")
    assert run(["schema", "--simulation"]) == 0
    assert "grain_um" in capsys.readouterr().out


def test_pixels_can_be_a_mask(scan: Path, tmp_path: Path, command: Command) -> None:
    mask = np.zeros((2048, 2048), np.bool_)
    mask[800:810, 700:705] = True
    np.save(tmp_path / "mask.npy", mask)
    words = ("reconstruct", scan / "point_0001.h5", "-e", scan / "experiment.yml")
    answer = command(*words, "-o", tmp_path / "r.h5", "--pixels", tmp_path / "mask.npy")
    assert answer.last("result")["pixels"] == 50


def slow_words(scan: Path, output: Path) -> list[str]:
    """Return a command that takes seconds: the slow backend, pixels in four strips."""
    mask = np.zeros((2048, 2048), np.bool_)
    mask[800:1000:2, 700:730] = True
    np.save(output.with_suffix(".npy"), mask)
    words = [sys.executable, "-m", "lauedepth", "reconstruct", str(scan / "point_0001.h5")]
    words += ["-e", str(scan / "experiment.yml"), "-o", str(output), "--backend", "reference"]
    return [*words, "--pixels", str(output.with_suffix(".npy"))]


def values(path: Path) -> dict[str, bytes]:
    """Return the values of each dataset but the timings."""
    found: dict[str, bytes] = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset) and not name.endswith("timings"):
            found[name] = np.asarray(item[()]).tobytes()

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_stopped_run_leaves_blocks_and_resumes(
    scan: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    output = tmp_path / "r.h5"
    words = slow_words(scan, output)
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        # A shell's background jobs, these tests perhaps, hand down SIGINT as ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    blocks = tmp_path / "r.h5.blocks"
    end = monotonic() + 60
    while not list(blocks.glob("block_*.npz")) and monotonic() < end:
        sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    if number != signal.SIGKILL:
        assert b"--resume" in err
        assert err.count(b"\n") == 1
    assert not output.exists()
    assert list(blocks.glob("block_*.npz"))
    resumed = subprocess.run(
        [*words, "--resume", "--json"], capture_output=True, text=True, check=True
    )
    last = json.loads(resumed.stdout.splitlines()[-1])
    assert last["resumed_blocks"] >= 1
    assert not blocks.exists()
    undisturbed = slow_words(scan, tmp_path / "u.h5")
    subprocess.run(undisturbed, capture_output=True, check=True)
    assert values(output) == values(tmp_path / "u.h5")


def test_a_real_frame_from_end_to_end(shared: Path, tmp_path: Path, command: Command) -> None:
    from lauedepth.tasks.simulate.scan_files import read_truth

    (tmp_path / "part.yml").write_text(
        "region: {start_px: [750, 1000], shape_px: [320, 256]}\n", encoding="utf-8"
    )
    experiment = shared / "data" / "experiments" / "norcada.yml"
    image = shared / "data" / "34ide-frame-2007.SPE"
    words = ("simulate", "-e", experiment, "-s", tmp_path / "part.yml", "--image", image)
    assert command(*words, "-o", tmp_path / "scan").code == 0
    point = tmp_path / "scan" / "point_0001.h5"
    made_with = tmp_path / "scan" / "experiment.yml"
    assert command("reconstruct", point, "-e", made_with, "-o", tmp_path / "r.h5").code == 0
    truth = read_truth(tmp_path / "scan" / "truth" / "point_0001.h5")
    pixels = read_result(tmp_path / "r.h5").pixels
    found = pixels[np.isfinite(pixels["depth"])]
    depth = {(int(one["row"]), int(one["column"])): one["depth"] for one in found}
    errors = np.array(
        [abs(depth.get((int(t["row"]), int(t["column"])), np.inf) - t["depth_um"]) for t in truth]
    )
    assert truth.size > 500
    assert np.mean(np.isfinite(errors)) > 0.99
    assert np.median(errors) < 0.05
    dark = pixels.size - truth.size
    assert found.size - np.isfinite(errors).sum() <= 1e-3 * dark
    assert command("plot", tmp_path / "r.h5", "-o", tmp_path / "r.png").code == 0


def test_a_shell_completes_commands_and_options() -> None:
    for typed, expected in (("lauedepth rec", "reconstruct"), ("lauedepth plot --ki", "--kind")):
        asked = {
            "_LAUEDEPTH_COMPLETE": "complete_bash",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(typed.count(" ")),
        }
        words = [sys.executable, "-m", "lauedepth"]
        done = subprocess.run(
            words, env=os.environ | asked, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == [expected]
