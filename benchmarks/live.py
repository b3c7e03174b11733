"""The live pipeline: what it costs per point, at rest, and how it stands a bad night.

``python -m benchmarks.live [--points 1000] [--megabytes 4] [--torture FOLDER [--kills 30]]``

The same points are first copied, hashed, worked on and copied again by the same parts without
catalog and engine; what the pipeline takes more is its overhead.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import psutil
import yaml
from rich.console import Console
from rich.table import Table

from lauedepth.pipeline.protocols import Item, JobRequest, JobState, here
from lauedepth.pipeline.schedulers import LocalProcesses
from lauedepth.pipeline.transfers import LocalCopy, sha256

NAME = "live"
SLOTS, IN_FLIGHT = 2, 4
COPY = ("/bin/cp", "{point}", "{result}")
TORTURE = Path(__file__).resolve().parents[1] / "tests" / "system" / "live_torture.py"


def make_scan(folder: Path, points: int, megabytes: float) -> None:
    """Write points that differ in every frame."""
    folder.mkdir()
    random = np.random.default_rng(1)
    frames = max(1, round(megabytes * 1e6 / (2 * 512 * 512)))
    for number in range(points):
        with h5py.File(folder / f"p_{number}.h5", "w") as file:
            data = random.integers(0, 60000, (frames, 512, 512), np.uint16)
            file["entry1/data/data"] = data


def bare(scan: Path, work: Path) -> tuple[float, float]:
    """Move and work on every point without catalog and engine; return seconds, of a core too."""
    transfer, scheduler = LocalCopy(), LocalProcesses(work / "jobs", SLOTS)

    def one(path: Path) -> None:
        staged, out = work / "in" / path.name, work / "out" / path.name
        transfer.copy(Item(here(scan), path.name, here(staged)), lambda: False)
        commands = (("/bin/cp", str(staged), str(out)),)
        scheduler.submit(JobRequest(path.stem, commands, work))
        while scheduler.reports([path.stem])[path.stem].state is not JobState.FINISHED:
            time.sleep(0.02)
        result = here(work / "results" / path.name)
        transfer.copy(Item(here(out.parent), path.name, result, sha256=sha256(out)), lambda: False)
        staged.unlink()
        out.unlink()

    (work / "out").mkdir(parents=True)
    begin, core = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        list(pool.map(one, scan.iterdir()))
    return time.monotonic() - begin, time.process_time() - core


def piped(scan: Path, results: Path, points: int) -> dict[str, float]:
    """Have the pipeline do the same; return seconds, memory and what came of it."""
    settings = results.parent / "settings.yaml"
    content = {"commands": [list(COPY)], "still_polls": 1, "keep_free_gb": 0}
    settings.write_text(yaml.safe_dump({**content, "in_flight": IN_FLIGHT}))
    where = ["watch", str(scan), "--results", str(results), "--settings", str(settings)]
    command = [sys.executable, "-m", "lauedepth", *where, "--slots", str(SLOTS)]
    begin, memory = time.monotonic(), []
    with (results.parent / "log").open("w") as log:
        driver = subprocess.Popen(command, stderr=log)
        process = psutil.Process(driver.pid)
        while len(list(results.glob("*.h5"))) < points:
            memory.append(process.memory_info().rss / 1e6)
            time.sleep(0.5)
        took = time.monotonic() - begin
        time.sleep(3)
        core = sum(process.cpu_times()[:2])
        rest = at_rest(process)
        driver.terminate()
        driver.wait()
    with sqlite3.connect(results / ".lauedepth" / "catalog.sqlite") as catalog:
        jobs = catalog.execute("select count(*) from lauedepth_jobs").fetchone()[0]
        query = "select min(started), max(finished) from lauedepth_points where state = 'done'"
        first, last = catalog.execute(query).fetchone()
    return {
        "wall_s": took,
        "seconds": last - first,
        "core_s": core,
        "jobs": jobs,
        "mb_after_a_quarter": memory[len(memory) // 4],
        "mb_at_the_end": memory[-1],
        **rest,
    }


def at_rest(process: psutil.Process, seconds: float = 20.0) -> dict[str, float]:
    """Return what a driver takes that has nothing to do."""
    before = sum(process.cpu_times()[:2])
    time.sleep(seconds)
    used = sum(process.cpu_times()[:2]) - before
    memory = sum(p.memory_info().rss for p in (process, *process.children(recursive=True))) / 1e6
    return {"rest_mb": memory, "rest_core_percent": 100 * used / seconds}


def measure(points: int, megabytes: float) -> dict[str, float]:
    """Work off a scan bare and piped; return the numbers of both.

    Raises
    ------
    AssertionError
        If a result is missing, differs from its point, or was made twice.
    """
    folder = Path(tempfile.mkdtemp(prefix="live-bench-"))
    try:
        make_scan(folder / "scan", points, megabytes)
        alone, alone_core = bare(folder / "scan", folder / "bare")
        (folder / "results").mkdir()
        found = piped(folder / "scan", folder / "results", points)
        assert found["jobs"] == points
        for path in (folder / "scan").iterdir():
            assert sha256(path) == sha256(folder / "results" / path.name), path
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "points": points,
        "bare_s": alone,
        "bare_core_s": alone_core,
        **found,
        "ratio_to_bare": found["seconds"] / alone,
        "overhead_ms_per_point": 1000 * (found["seconds"] - alone) / points,
        "overhead_core_ms_per_point": 1000 * (found["core_s"] - alone_core) / points,
    }


def run(console: Console) -> None:
    """Print the numbers of a short run."""
    table = Table("live pipeline", "value", title="200 points of 4 MB", title_justify="left")
    for name, value in measure(200, 4.0).items():
        table.add_row(name, f"{value:.3g}")
    console.print(table)


def main() -> int:
    """Print the numbers of a run of the size asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--megabytes", type=float, default=4.0)
    parser.add_argument("--torture", type=Path, help="also the long campaign, in this folder")
    parser.add_argument("--torture-points", type=int, default=40, help="8 at least")
    parser.add_argument("--kills", type=int, default=30)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.points, asked.megabytes), indent=1))
    if asked.torture is not None:
        size = ("--points", str(asked.torture_points), "--kills", str(asked.kills))
        long = [sys.executable, str(TORTURE), str(asked.torture), *size]
        subprocess.run(long, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return 0


if __name__ == "__main__":
    sys.exit(main())
