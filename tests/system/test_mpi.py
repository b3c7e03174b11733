"""Several ranks make the same result as one process, and end together whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import h5py
import numpy as np
import psutil
import pytest
from tests.json_lines import asking_for_json

from lauedepth.config import ExperimentConfig, dump_experiment, load_experiment
from lauedepth.core.instrument.experiment import Region
from lauedepth.io import write_point, write_series
from lauedepth.simulation import LightSources, SimulatedPoint
from lauedepth.tasks.reconstruct import Pixels

EXAMPLE = Path(__file__).parents[2] / "examples" / "experiment.yml"
MPIEXEC = Path(sys.executable).with_name("mpiexec")
PROGRAM = (sys.executable, "-m", "lauedepth")
REGION = Region((160, 96), (1000, 900))
Words = list[str]
Command = tuple[object, ...]
ByOne = Callable[..., Path]

pytestmark = pytest.mark.skipif(not MPIEXEC.exists(), reason="no MPI beside this Python")


@dataclass(frozen=True)
class Answer:
    """What a run gave back."""

    code: int
    events: list[dict[str, Any]]
    err: str
    seconds: float

    def last(self, event: str) -> dict[str, Any]:
        return [one for one in self.events if one["event"] == event][-1]


def start(words: Words, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"LAUEDEPTH_THREADS": "1"} | environment,
    )


def answer_of(process: subprocess.Popen[str], timeout_s: float = 120) -> Answer:
    begin = monotonic()
    out, err = process.communicate(timeout=timeout_s)
    events = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return Answer(process.returncode, events, err, monotonic() - begin)


def on_ranks(number: int, *words: object) -> Words:
    """Return the command for so many ranks; 1 is without MPI."""
    plain = [*PROGRAM, *asking_for_json(words)]
    return plain if number == 1 else [str(MPIEXEC), "-n", str(number), *plain]


def run(number: int, *words: object, **environment: str) -> Answer:
    return answer_of(start(on_ranks(number, *words), **environment))


def differing(*commands: Command) -> Words:
    """Return a launch in which each rank gets a command line of its own."""
    words = [str(MPIEXEC)]
    for number, command in enumerate(commands):
        words += [":"] * (number > 0) + ["-n", "1", *PROGRAM, *asking_for_json(command)]
    return words


def contents(path: Path) -> dict[str, object]:
    """Return the bytes, type and attributes of all there is, timings aside."""
    found: dict[str, object] = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        attributes = sorted(
            (key, np.asarray(value).tobytes())
            for key, value in item.attrs.items()
            if key not in {"DIMENSION_LIST", "REFERENCE_LIST"}  # addresses
        )
        data = None
        if isinstance(item, h5py.Dataset) and not name.endswith("timings"):
            data = (item.dtype.str, item.shape, item.chunks, np.asarray(item[()]).tobytes())
        found[name] = (attributes, data)

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def simulated() -> SimulatedPoint:
    """Return spots in two strips of rows over a dark image."""
    rng = np.random.default_rng(3)
    place = np.unique(rng.integers(5, 15, 300) * 96 + rng.integers(0, 96, 300))
    place = np.concatenate([place, place + 96 * 100])
    rows, columns = np.divmod(place, 96)
    begin = np.where(rows < 64, 10.0, 60.0)
    light = LightSources.of(rows, columns, begin, begin + 8.0, 2000.0)
    config = load_experiment(EXAMPLE)
    return SimulatedPoint(config.to_core(), light, REGION, 10.0, seed=5)


@dataclass(frozen=True)
class Scan:
    """A folder with one point in several forms."""

    folder: Path
    config: ExperimentConfig

    @property
    def experiment(self) -> Path:
        return self.folder / "experiment.yml"

    def words(self, output: Path, point: str = "stack.h5", pixels: object = 0) -> Command:
        experiment = ("-e", self.experiment, "-o", output, "--pixels", pixels)
        return ("reconstruct", self.folder / point, *experiment)


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """A point as a stack, as packed frames of which some are lost, and as numbers of a float."""
    folder = tmp_path_factory.mktemp("mpi")
    point, config = simulated(), load_experiment(EXAMPLE)
    frames = list(point.frames())
    more: dict[str, Any] = {
        "region": REGION,
        "detector": config.to_core().detector,
        "sample_xyz": (1.0, 2.0, 3.0),
    }
    write_point(folder / "stack.h5", iter(frames), len(frames), **more)
    lost = {3, 100, 259}
    kept = [None if number in lost else frame for number, frame in enumerate(frames)]
    write_series(folder / "series", "series", iter(kept), len(kept), compression=1, **more)
    with h5py.File(folder / "float.h5", "w") as file:
        scaled = (np.stack(frames) / np.float32(3.0)).astype(np.float32)
        file.create_dataset(
            "entry1/data/data", data=scaled, chunks=(1, *REGION.shape), compression="gzip"
        )
        with h5py.File(folder / "stack.h5") as stack:
            for name in ("detector", "sample"):
                stack.copy(f"entry1/{name}", file["entry1"], name)
    (folder / "experiment.yml").write_text(dump_experiment(config), encoding="utf-8")
    return Scan(folder, config)


@pytest.fixture(scope="session")
def by_one(scan: Scan, tmp_path_factory: pytest.TempPathFactory) -> ByOne:
    """Return the result of one process for a point, a choice of pixels, with energies or not.

    The first run compiles. Sums come out otherwise in their last digits in the process that
    compiles than in those that load its work from the cache, so the second run is the one kept;
    a lock keeps the other workers of a test run from compiling at the same time.
    """
    folder = tmp_path_factory.mktemp("one")
    made: dict[object, Path] = {}

    def make(point: str = "stack.h5", pixels: Pixels = 0.0, energy: bool = False) -> Path:
        key = (point, pixels if isinstance(pixels, float) else pixels.tobytes(), energy)
        if key not in made:
            output, mask = folder / f"{len(made)}.h5", folder / f"{len(made)}.npy"
            if not isinstance(pixels, float):
                np.save(mask, pixels)
            chosen = repr(pixels) if isinstance(pixels, float) else mask
            words = scan.words(output, point, chosen)
            with (tmp_path_factory.getbasetemp().parent / "compiling").open("w") as file:
                flock(file, LOCK_EX)
                for _ in range(2):
                    output.unlink(missing_ok=True)
                    answer = run(1, *words, *(["--energy"] * energy), LAUEDEPTH_THREADS="2")
                    assert answer.code == 0, answer.err
            made[key] = output
        return made[key]

    return make


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """A list of processes that are ended, with their children, after the test."""
    running: list[subprocess.Popen[str]] = []
    yield running
    for process in running:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
        process.communicate()


def ranks_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the ranks that a launcher started, in order."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        environment = child.environ()
        if "PMI_RANK" in environment:
            found.append((int(environment["PMI_RANK"]), child))
    return [child for _, child in sorted(found, key=lambda one: one[0])]


def wait_for(there: Callable[[], object], seconds: float = 60) -> None:
    end = monotonic() + seconds
    while not there():
        assert monotonic() < end, "waited in vain"
        sleep(0.02)


def slow_words(scan: Scan, output: Path) -> Command:
    """Return a command that takes tens of seconds: the slow backend."""
    mask = np.zeros((2048, 2048), np.bool_)
    mask[900:1100:2, 1000:1040] = True
    np.save(output.with_suffix(".npy"), mask)
    return (*scan.words(output, pixels=output.with_suffix(".npy")), "--backend", "reference")


# The same result


@pytest.mark.parametrize(
    ("ranks", "point", "more"),
    [
        (2, "stack.h5", ()),
        (8, "stack.h5", ("--memory", 0.75)),
        (3, "series", ()),
        (3, "float.h5", ()),
        (2, "stack.h5", ("--energy",)),
    ],
)
def test_any_number_of_ranks_makes_the_same_result(
    scan: Scan,
    by_one: ByOne,
    tmp_path: Path,
    ranks: int,
    point: str,
    more: Command,
) -> None:
    output = tmp_path / "r.h5"
    expected = contents(by_one(point, energy="--energy" in more))
    answer = run(ranks, *scan.words(output, point), *more)
    assert answer.code == 0, answer.err
    assert contents(output) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["r.h5"]
    shown = answer.last("result")
    assert [one["rank"] for one in shown["ranks"]] == list(range(ranks))
    assert sum(one["pixels"] for one in shown["ranks"]) == shown["pixels"] == 160 * 96
    assert sum(one["blocks"] for one in shown["ranks"]) == shown["blocks"] >= 4 * ranks
    assert [event["event"] for event in answer.events].count("result") == 1
    assert answer.err == ""
    # every pixel counts as lit, and the floats are a third of the photons each
    warned = {
        "stack.h5": ["background-unknown"],
        "series": ["frames-lost", "background-unknown"],
        "float.h5": ["background-unknown", "small-residuals", "detector-gain"],
    }
    warnings = [one["code"] for one in shown["notices"] if one["level"] == "warning"]
    assert warnings == warned[point]
    assert [e["code"] for e in answer.events if e["event"] == "warning"] == warnings


def test_a_threshold_between_pixels_selects_the_same(
    scan: Scan, by_one: ByOne, tmp_path: Path
) -> None:
    for point in ("stack.h5", "float.h5"):
        with h5py.File(scan.folder / point) as file:
            mean = file["entry1/data/data"][()].astype(np.float64).mean(axis=0)
        threshold = float(np.sort(mean.ravel())[-100])
        output = tmp_path / f"{point}.result"
        expected = contents(by_one(point, threshold))
        assert run(2, *scan.words(output, point, repr(threshold))).code == 0
        assert contents(output) == expected


def test_more_ranks_than_pixels(scan: Scan, by_one: ByOne, tmp_path: Path) -> None:
    mask = np.zeros((2048, 2048), np.bool_)
    mask[910, 1010:1012] = True
    np.save(tmp_path / "mask.npy", mask)
    output = tmp_path / "r.h5"
    expected = contents(by_one("stack.h5", mask))
    answer = run(4, *scan.words(output, pixels=tmp_path / "mask.npy"))
    assert answer.code == 0, answer.err
    assert contents(output) == expected
    assert sorted(one["pixels"] for one in answer.last("result")["ranks"]) == [0, 0, 0, 2]


def test_no_pixel_at_all(scan: Scan, tmp_path: Path) -> None:
    answer = run(2, *scan.words(tmp_path / "r.h5", pixels=1e6))
    assert answer.code == 0, answer.err
    assert answer.last("result")["pixels"] == 0
    assert answer.last("warning")["code"] == "no-pixels"
    assert [one["code"] for one in answer.last("result")["notices"]] == ["no-pixels"]


def test_one_bad_point_does_not_stop_the_others(scan: Scan, tmp_path: Path) -> None:
    bad = tmp_path / "bad.h5"
    bad.write_bytes((scan.folder / "stack.h5").read_bytes()[:50_000])
    points = (scan.folder / "stack.h5", bad, scan.folder / "float.h5")
    words = ("reconstruct", *points, "-e", scan.experiment, "-o", tmp_path / "out")
    answer = run(2, *words)
    assert answer.code == 1
    assert answer.last("summary") == {"event": "summary", "points": 3, "done": 2, "failed": 1}
    assert answer.err.count("\n") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["float.h5", "stack.h5"]


def test_a_finished_result_is_kept(scan: Scan, tmp_path: Path) -> None:
    words = (*scan.words(tmp_path / "r.h5", pixels=40), "--resume")
    assert run(2, *words).code == 0
    stamp = (tmp_path / "r.h5").stat().st_mtime_ns
    answer = run(2, *words)
    assert answer.last("note")["what"] == "was finished already"
    assert (tmp_path / "r.h5").stat().st_mtime_ns == stamp


# What is wrong is reported once, by rank 0


def test_ranks_that_the_launcher_counts_otherwise_are_refused(scan: Scan, tmp_path: Path) -> None:
    words = scan.words(tmp_path / "r.h5")
    fake = {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "4"}
    answer = run(1, *words, **fake)
    assert answer.code == 1
    assert "Open MPI started 4 ranks, but MPI knows of 1" in answer.err
    assert not (tmp_path / "r.h5").exists()


def test_ranks_that_disagree_are_refused(scan: Scan, tmp_path: Path) -> None:
    other = tmp_path / "other.yml"
    other.write_text(
        scan.experiment.read_text(encoding="utf-8").replace("step_um: 1.0", "step_um: 1.01"),
        encoding="utf-8",
    )
    first = scan.words(tmp_path / "r.h5")
    second = [other if word == scan.experiment else word for word in first]
    answer = answer_of(start(differing(first, tuple(second))))
    assert answer.code == 1
    assert "has another configuration than rank 0" in answer.err
    assert answer.err.count("\n") == 1
    answer = answer_of(start(differing(first, scan.words(tmp_path / "r.h5", "float.h5"))))
    assert answer.code == 1
    assert "has another input than rank 0" in answer.err
    assert list(tmp_path.iterdir()) == [other]


@pytest.mark.parametrize(
    ("place", "reason"), [("elsewhere", "is not seen from here"), ("unwritable", "cannot be")]
)
def test_an_output_that_only_some_ranks_can_write_is_refused(
    scan: Scan, tmp_path: Path, place: str, reason: str
) -> None:
    for name in ("first", "elsewhere", "unwritable"):
        (tmp_path / name).mkdir()
    (tmp_path / "unwritable" / "r.h5.blocks").symlink_to("/proc")
    first = scan.words(tmp_path / "first" / "r.h5")
    answer = answer_of(start(differing(first, scan.words(tmp_path / place / "r.h5"))))
    assert answer.code == 1
    assert "rank 1 on" in answer.err
    assert reason in answer.err
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "first" / "r.h5").exists()


def test_a_failure_of_one_rank_ends_all_with_its_reason(scan: Scan, tmp_path: Path) -> None:
    point = tmp_path / "damaged.h5"
    point.write_bytes((scan.folder / "float.h5").read_bytes())
    with h5py.File(point, "r+") as file:
        data = file["entry1/data/data"]
        # The last rows are read by the last rank alone.
        packed = bytearray(data.id.read_direct_chunk((200, 0, 0))[1])
        packed[len(packed) // 2 :] = bytes(len(packed) - len(packed) // 2)
        data.id.write_direct_chunk((200, 0, 0), bytes(packed))
    words = ("reconstruct", point, "-e", scan.experiment, "-o", tmp_path / "r.h5")
    answer = run(3, *words)
    assert answer.code == 1
    assert "damaged" in answer.err
    assert answer.err.count("\n") == 1
    assert answer.seconds < 30
    assert not (tmp_path / "r.h5").exists()


def test_blocks_of_another_configuration_are_refused(
    scan: Scan, tmp_path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    output = tmp_path / "r.h5"
    words = slow_words(scan, output)
    processes.append(process := start(on_ranks(2, *words)))
    wait_for(lambda: list(tmp_path.glob("r.h5.blocks/block_*.npz")))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    answer = run(2, *words, "--energy", "--resume")
    assert answer.code == 1
    assert "made with another configuration" in answer.err
    assert answer.err.count("\n") == 1


# Stop and resume


@pytest.mark.parametrize("whom", ["launcher", "rank 0", "rank 1"])
def test_sigterm_stops_all_within_five_seconds(
    scan: Scan, tmp_path: Path, processes: list[subprocess.Popen[str]], whom: str
) -> None:
    output = tmp_path / "r.h5"
    words = slow_words(scan, output)
    processes.append(process := start(on_ranks(3, *words)))
    wait_for(lambda: list(tmp_path.glob("r.h5.blocks/block_*.npz")))
    ranks = ranks_of(process)
    target = psutil.Process(process.pid) if whom == "launcher" else ranks[int(whom[-1])]
    target.send_signal(signal.SIGTERM)
    answer = answer_of(process, 30)
    assert answer.seconds < 5
    assert answer.code == 143
    assert answer.last("error")["message"].startswith("stopped by SIGTERM")
    assert not output.exists()
    kept = len(list(tmp_path.glob("r.h5.blocks/block_*.npz")))
    assert kept >= 1
    psutil.wait_procs(ranks, timeout=5)
    assert not any(rank.is_running() for rank in ranks)


@pytest.mark.parametrize("whom", ["launcher", "rank 0", "rank 1"])
def test_a_killed_rank_ends_the_run_and_the_same_command_resumes(
    scan: Scan,
    by_one: ByOne,
    tmp_path: Path,
    processes: list[subprocess.Popen[str]],
    whom: str,
) -> None:
    output = tmp_path / "r.h5"
    expected = contents(by_one())
    words = (*scan.words(output), "--resume")
    processes.append(process := start(on_ranks(2, *words)))
    wait_for(lambda: list(tmp_path.glob("r.h5.blocks/block_*.npz")))
    ranks = ranks_of(process)
    target = psutil.Process(process.pid) if whom == "launcher" else ranks[int(whom[-1])]
    target.kill()
    assert answer_of(process, 30).code != 0
    _, alive = psutil.wait_procs(ranks, timeout=10)
    assert not alive
    kept = len(list(tmp_path.glob("r.h5.blocks/block_*.npz")))
    answer = run(3, *words)
    assert answer.code == 0, answer.err
    assert answer.last("result")["resumed_blocks"] == kept
    assert contents(output) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["r.h5"]


def test_a_silent_rank_is_taken_for_lost(
    scan: Scan, tmp_path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    words = on_ranks(2, *slow_words(scan, tmp_path / "r.h5"))
    processes.append(process := start(words, LAUEDEPTH_SILENCE_S="3"))
    wait_for(lambda: list(tmp_path.glob("r.h5.blocks/block_*.npz")))
    ranks_of(process)[1].suspend()
    answer = answer_of(process, 30)
    assert answer.code == 1
    assert "rank 1 on" in answer.last("error")["where"]
    assert "has not been heard of" in answer.last("error")["what"]


def test_ranks_do_not_wait_for_one_that_never_came(scan: Scan, tmp_path: Path) -> None:
    words = [str(MPIEXEC), "-n", "1", sys.executable, "-c", "raise SystemExit(1)", ":"]
    words += ["-n", "1", *on_ranks(1, *scan.words(tmp_path / "r.h5"))]
    answer = answer_of(start(words, LAUEDEPTH_SILENCE_S="1"), 60)
    assert answer.code != 0
    assert answer.seconds < 30
    assert list(tmp_path.iterdir()) == []


def test_check_tells_the_memory_of_a_rank(scan: Scan) -> None:
    words = ("check", scan.folder / "stack.h5", "-e", scan.experiment, "--memory", 0.75)
    shown = run(1, *words).last("point")
    # The program, and the point twice: it is small enough to be read at once.
    assert shown["rank_memory_bytes"] == 2**29 + 2 * 261 * 160 * 96 * 2
