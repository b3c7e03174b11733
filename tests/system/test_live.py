"""The live pipeline's commands, run as a user runs them."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
import yaml

PROGRAM = (sys.executable, "-m", "lauedepth")
STANDIN = Path(__file__).resolve().with_name("standin.py")


class Bench:
    """A detector's folder, a results folder, and the program."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.scan, self.live, self.results = (tmp_path / n for n in ("scan", "live", "results"))
        self.live.mkdir()
        self.started: list[subprocess.Popen[str]] = []
        self.settings(0.1)

    def settings(self, job_s: float) -> None:
        command = [sys.executable, str(STANDIN), "{point}", "{result}", str(job_s)]
        content = {"poll_s": 0.1, "keep_free_gb": 0, "unreadable_s": 1, "commands": [command]}
        (self.folder / "settings.yaml").write_text(yaml.safe_dump(content))

    def write(self, folder: Path, name: str, seed: int = 0) -> None:
        folder.mkdir(exist_ok=True)
        with h5py.File(folder / name, "w") as file:
            frames = np.random.default_rng(seed).integers(0, 999, (4, 32, 32), np.uint16)
            file["entry1/data/data"] = frames

    def run(self, *words: str, ok: bool = True) -> str:
        done = subprocess.run(
            [*PROGRAM, *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode == 0) is ok, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout if ok else " ".join(done.stderr.split())

    def watch(self, *more: str) -> subprocess.Popen[str]:
        words = ("watch", "live", "--results", "results", "--settings", "settings.yaml", *more)
        process = subprocess.Popen(
            [*PROGRAM, *words], cwd=self.folder, stderr=subprocess.PIPE, text=True
        )
        self.started.append(process)
        return process

    def status(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.run("status", "-r", "results", "--json"))
        return found

    def until(self, condition: Callable[[], bool]) -> None:
        """Look again and again, but not for ever."""
        for _ in range(600):
            if condition():
                return
            time.sleep(0.1)
        raise AssertionError(self.run("status", "-r", "results"))

    def until_driven(self, driver: subprocess.Popen[str]) -> None:
        """Wait until a driver holds the catalog."""
        self.until((self.results / ".lauedepth" / "catalog.sqlite.lock").exists)
        self.until(lambda: f"process {driver.pid} on" in str(self.status()["driver"]))

    def done(self) -> int:
        return len(list(self.results.glob("*.h5")))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def test_from_replay_to_report(bench: Bench) -> None:
    for number in range(4):
        bench.write(bench.scan, f"p_{number}.h5", number)
    driver = bench.watch("--points", "4", "--slots", "2", "--until-done")
    said = bench.run("replay", "scan", "live", "--cadence", "0.5")
    assert "4 points written" in said
    _, log = driver.communicate(timeout=60)
    assert driver.returncode == 0, log
    assert bench.done() == 4
    assert bench.run("status", "-r", "results").startswith("finished: all 4 points done")
    bench.run("report", "-r", "results", "-o", "report")
    table = (bench.folder / "report" / "report.md").read_text()
    assert "| live | 4 | 4 | 0 | 2 |" in table
    for name in ("points.png", "resources.png"):
        assert (bench.folder / "report" / name).read_bytes().startswith(b"\x89PNG")


def test_a_driver_that_is_killed_is_taken_over_and_its_job_found_again(bench: Bench) -> None:
    bench.settings(2.0)
    bench.write(bench.live, "p.h5")
    first = bench.watch()
    jobs = bench.results / ".lauedepth" / "jobs"
    bench.until(lambda: bool(list(jobs.glob("*/pid.json"))))
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert bench.run("status", "-r", "results").startswith("stopped: 1 point not done")
    second = bench.watch("--until-done")
    _, log = second.communicate(timeout=240)
    assert second.returncode == 0, log
    assert bench.done() == 1
    with closing(sqlite3.connect(bench.results / ".lauedepth" / "catalog.sqlite")) as catalog:
        assert catalog.execute("select count(*) from lauedepth_jobs").fetchone() == (1,)


def test_a_second_driver_learns_who_is_there(bench: Bench) -> None:
    driver = bench.watch()
    bench.until_driven(driver)
    words = ("watch", "live", "-r", "results", "-s", "settings.yaml")
    refused = bench.run(*words, ok=False)
    assert f"another driver holds this catalog: process {driver.pid} on" in refused
    driver.send_signal(signal.SIGINT)
    _, log = driver.communicate(timeout=30)
    assert driver.returncode == 0
    assert "draining" in log


def test_a_driver_that_lost_its_lock_leaves_its_work_to_the_next(bench: Bench) -> None:
    bench.settings(4.0)
    bench.write(bench.live, "p.h5")
    first = bench.watch()
    jobs = bench.results / ".lauedepth" / "jobs"
    bench.until(lambda: bool(list(jobs.glob("*/pid.json"))))
    (bench.results / ".lauedepth" / "catalog.sqlite.lock").unlink()
    second = bench.watch("--until-done")
    _, log = first.communicate(timeout=60)
    assert first.returncode != 0
    assert "another driver has taken over this catalog" in log
    assert "Traceback" not in log
    _, log = second.communicate(timeout=240)
    assert second.returncode == 0, log
    assert bench.done() == 1
    with closing(sqlite3.connect(bench.results / ".lauedepth" / "catalog.sqlite")) as catalog:
        assert catalog.execute("select count(*) from lauedepth_jobs").fetchone() == (1,)


def test_a_results_folder_that_goes_is_waited_for(bench: Bench) -> None:
    bench.settings(0.1)
    bench.write(bench.live, "first.h5")
    driver = bench.watch()
    bench.until(lambda: bench.done() == 1)
    away = bench.results.rename(bench.folder / "away")
    bench.write(bench.live, "second.h5", 2)
    assert driver.stderr is not None
    log = ""
    while "trying again" not in log and "cannot be written" not in log:
        line = driver.stderr.readline()
        assert line, log
        log += line
    assert driver.poll() is None
    away.rename(bench.results)
    bench.until(lambda: bench.done() == 2)
    driver.send_signal(signal.SIGINT)
    _, more = driver.communicate(timeout=60)
    assert driver.returncode == 0, log + more


def test_a_detector_that_pauses_in_a_file_made_at_once_is_waited_for(bench: Bench) -> None:
    frames = np.random.default_rng(0).integers(1, 999, (4, 32, 32), np.uint16)
    with h5py.File(bench.live / "p.h5", "w") as file:
        data = file.create_dataset("entry1/data/data", frames.shape, np.uint16)
        data[:2] = frames[:2]
        file.flush()
        driver = bench.watch("--points", "1", "--until-done")
        bench.until_driven(driver)
        bench.until(lambda: "p.h5: is still open for writing" in str(bench.status()["notice"]))
        assert driver.poll() is None
        data[2:] = frames[2:]
    _, log = driver.communicate(timeout=60)
    assert driver.returncode == 0, log
    with h5py.File(bench.results / "p.h5") as result:
        assert result["entry1/data/data"][-1].sum() == frames.sum()


@pytest.mark.parametrize("ending", ["2>&1 | (read -r line; exec sleep 0)", "2>&- >&-"])
def test_ctrl_c_drains_where_nobody_reads_any_more(bench: Bench, ending: str) -> None:
    """As under ``2>&1 | tee``, which Ctrl-C ends first, and without any stderr."""
    bench.settings(1.0)
    bench.write(bench.live, "p.h5")
    words = shlex.join([*PROGRAM, "watch", "live", "-r", "results", "-s", "settings.yaml"])
    code = f"(echo $BASHPID > pid; {words}; echo $? > code) {ending}"
    shell = subprocess.Popen(
        ["bash", "-c", code], cwd=bench.folder, stderr=subprocess.PIPE, text=True
    )
    bench.started.append(shell)
    jobs = bench.results / ".lauedepth" / "jobs"
    bench.until(lambda: bool(list(jobs.glob("*/pid.json"))))
    (driver,) = psutil.Process(int((bench.folder / "pid").read_text())).children()
    driver.send_signal(signal.SIGINT)
    bench.until((bench.folder / "code").exists)
    bench.until(lambda: bool((bench.folder / "code").read_text()))
    assert (bench.folder / "code").read_text() == "0\n"
    assert bench.done() == 1
    assert "idle: 1 point done" in bench.run("status", "-r", "results")


def test_batch_beside_a_watch_and_alone(bench: Bench) -> None:
    for number in range(3):
        bench.write(bench.scan, f"old_{number}.h5", number)
    words = ("batch", "scan", "-r", "results", "-s", "settings.yaml")
    driver = bench.watch()
    bench.until_driven(driver)
    assert f"handed over to process {driver.pid}" in bench.run(*words)
    bench.until(lambda: bench.done() == 3)
    driver.send_signal(signal.SIGINT)
    driver.communicate(timeout=30)
    bench.write(bench.scan, "old_3.h5", 3)
    bench.run(*words)
    assert bench.done() == 4


def test_failures_are_reported_retried_and_skipped(bench: Bench) -> None:
    bench.write(bench.live, "good.h5", 1)
    (bench.live / "text; rm -rf $HOME.h5").write_text("no frames here")
    (bench.live / "empty.h5").touch()
    driver = bench.watch("--until-done")
    driver.communicate(timeout=60)
    text = bench.run("status", "-r", "results")
    assert text.splitlines()[0] == "idle: 1 point done; 2 failed"
    assert "text; rm -rf $HOME.h5: text; rm -rf $HOME.h5: is not an HDF5 file" in text
    assert "empty.h5: empty.h5: is empty" in text
    bench.write(bench.live, "empty.h5", 2)
    assert bench.run("skip", "text; rm -rf $HOME.h5", "-r", "results")
    assert "is done" in bench.run("skip", "good.h5", "-r", "results", ok=False)
    assert "no such point" in bench.run("retry", "nothing.h5", "-r", "results", ok=False)
    bench.watch("--until-done").communicate(timeout=60)
    assert bench.done() == 2


def test_wrong_calls_are_refused(bench: Bench) -> None:
    assert "no catalog here" in bench.run("status", ok=False)
    watch = ("watch", "live", "-r", "results")
    assert "give --experiment" in bench.run(*watch, ok=False)
    assert "no such file" in bench.run(*watch, "-e", "nowhere.yaml", ok=False)
    (bench.folder / "bad.yaml").write_text("pol_s: 3")
    assert "pol_s" in bench.run(*watch, "-s", "bad.yaml", ok=False)
    same = ("watch", "live", "-r", "live", "-s", "settings.yaml")
    assert "points and results are in the same folder" in bench.run(*same, ok=False)


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="needs Linux")
def test_at_rest_it_is_light_and_talks_to_nobody(bench: Bench) -> None:
    for number in range(5):
        bench.write(bench.live, f"p_{number}.h5", number)
    driver = psutil.Process(bench.watch("--slots", "2").pid)
    bench.until(lambda: bench.done() == 5)
    assert driver.net_connections() == []
    # What it takes at rest is measured by benchmarks.live (a number of this machine); a heavy
    # import, which is what could slip in, takes 20 MB at least.
    assert driver.memory_info().rss <= 110e6


def test_no_program_of_the_numerics_is_loaded_by_the_driver(bench: Bench) -> None:
    code = (
        "import sys, lauedepth.pipeline.assembly;"
        "heavy = {'numpy', 'h5py', 'numba', 'scipy', 'matplotlib', 'lauedepth.tasks.reconstruct'};"
        "heavy &= set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=60)


SAMPLE = """
sample: {kind: column, sizes_um: [12.0, 20.0, 15.0], start_um: 5.0}
scan: {n_x: 1}
region: {start_px: [640, 768], shape_px: [96, 96]}
exposure: {peak_counts: 6000.0, background: 10.0, spot_sigma_px: 2.0}
opaque_bars: true
"""


def test_a_simulated_scan_is_reconstructed_while_it_is_replayed(bench: Bench) -> None:
    """The whole of it, with the program's own jobs: the results are those of `reconstruct`."""
    experiment = str(Path(__file__).parents[2] / "examples" / "experiment.yml")
    (bench.folder / "sample.yml").write_text(SAMPLE)
    bench.run("simulate", "-e", experiment, "-s", "sample.yml", "-o", "simulated")
    names = [path.name for path in (bench.folder / "simulated").glob("*.h5")]
    (name,) = names
    bench.scan.mkdir()
    (bench.folder / "simulated" / name).rename(bench.scan / name)
    (bench.folder / "settings.yaml").write_text("{poll_s: 0.2, keep_free_gb: 0}")
    driver = bench.watch("--experiment", experiment, "--points", "1", "--until-done")
    bench.run("replay", "scan", "live", "--cadence", "0.5", "--marker", ".done")
    _, log = driver.communicate(timeout=300)
    assert driver.returncode == 0, log
    assert [path.name for path in bench.results.glob("*.h5")] == names, log
    images = list((bench.results / f"{Path(name).stem}_depths").glob("*.h5"))
    bench.run("reconstruct", f"scan/{name}", "-e", experiment, "-o", "alone.h5")
    with h5py.File(bench.results / name) as live, h5py.File(bench.folder / "alone.h5") as alone:
        depths = live["entry1/data/data"][()]
        assert np.array_equal(depths, alone["entry1/data/data"])
    assert len(images) == depths.shape[0]
