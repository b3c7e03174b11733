"""A campaign against the live pipeline: everything that can go wrong in a night, in a minute.

``python live_torture.py FOLDER --points 40 --kills 30 --megabytes 4``: a scan is worked off
undisturbed, then again while the driver and its jobs are killed at random moments, the writer is
slow, one file is truncated, one rewritten after it was complete, and the disk is full for a while
(``--small-disk /mnt/small``, made with ``mount -t tmpfs``: really full, for everyone).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import yaml

STANDIN = Path(__file__).resolve().with_name("standin.py")
PROGRAM = (sys.executable, "-m", "lauedepth")
TRUNCATED, REWRITTEN, SLOW = 3, 5, 7
"""Which point suffers which fate."""

MOST_HITS = 4
"""Kills of a point's jobs: at the fifth the pipeline gives it up, as it should."""


@dataclass
class Campaign:
    """What to do, and where."""

    folder: Path
    points: int = 12
    kills: int = 8
    megabytes: float = 0.2
    job_s: float = 0.3
    slots: int = 2
    seed: int = 1
    limit_s: float = 60.0
    small_disk: Path | None = None
    program: tuple[str, ...] = PROGRAM
    told: list[str] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)

    def run(self) -> dict[str, float]:
        """Run the campaign; return what was measured, or raise AssertionError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._make_scan()
        calm = self._calm()
        begin = time.monotonic()
        self._disturbed(begin + self.limit_s)
        took = time.monotonic() - begin
        self._compare(calm)
        rows = self._sql("select count(*), count(exit_code = 0 or null) from lauedepth_jobs")[0]
        kinds = {f"killed_{kind}": self.told.count(kind) for kind in sorted(set(self.told))}
        return {"seconds": took, **kinds, "jobs": rows[0], "jobs_well": rows[1]}

    @property
    def live(self) -> Path:
        return self.folder / "live 'n; $(touch owned)"

    @property
    def results(self) -> Path:
        return (self.small_disk or self.folder) / "results"

    # The scan

    def _content(self, number: int, again: bool = False) -> bytes:
        path = self.folder / "make.h5"
        frames = max(2, int(self.megabytes * 1e6 / (2 * 128 * 128)))
        random_numbers = np.random.default_rng([number, again])
        with h5py.File(path, "w") as file:
            data = random_numbers.integers(0, 60000, (frames, 128, 128), dtype=np.uint16)
            file["entry1/data/data"] = data
        return path.read_bytes()

    def _make_scan(self) -> None:
        scan = self.folder / "scan"
        scan.mkdir()
        for number in range(self.points):
            if number != TRUNCATED:
                content = self._content(number, again=number == REWRITTEN)
                (scan / f"p_{number}.h5").write_bytes(content)

    # The two runs

    def _settings(self, name: str, **more: object) -> str:
        standin = (sys.executable, str(STANDIN), "{point}", "{result}", str(self.job_s))
        path = self.folder / name
        content = {"poll_s": 0.1, "still_polls": 3, "unreadable_s": 3, "commands": [list(standin)]}
        path.write_text(yaml.safe_dump({**content, "keep_free_gb": 0, **more}))
        return str(path)

    def _watch(self, folder: Path, results: Path, settings: str, points: int) -> list[str]:
        where = ["watch", str(folder), "--results", str(results), "--settings", settings]
        return [*self.program, *where, *f"--slots {self.slots} --points {points}".split()]

    def _calm(self) -> dict[str, bytes]:
        results = self.folder / "calm"
        command = self._watch(
            self.folder / "scan", results, self._settings("calm.yaml"), self.points - 1
        )
        with (self.folder / "calm.log").open("w") as log:
            subprocess.run([*command, "--until-done"], stderr=log, check=True, timeout=self.limit_s)
        return {path.stem: values(path) for path in results.glob("*.h5")}

    def _disturbed(self, deadline: float) -> None:
        self.live.mkdir()
        disk = Ballast(self.results.parent / "ballast", to_the_brim=self.small_disk is not None)
        settings = self._settings("live.yaml", keep_free_gb=disk.keep_free_gb)
        command = self._watch(self.live, self.results, settings, self.points)
        detector = threading.Thread(target=self._write, daemon=True)
        chance = random.Random(self.seed)
        with (self.folder / "live.log").open("w") as log:
            driver = subprocess.Popen(command, stderr=log)
            detector.start()
            try:
                while self._open_points() or detector.is_alive() or len(self.told) < self.kills:
                    assert time.monotonic() < deadline, f"not done in time:\n{self._status()}"
                    time.sleep(chance.uniform(0.2, 0.9) if len(self.told) < self.kills else 0.3)
                    disk.tick(len(self.told), self.kills)
                    jobs = job_processes(self.results)
                    if len(self.told) < self.kills and (jobs or chance.random() < 0.2):
                        driver = self._kill(chance, driver, command, log)
                    if driver.poll() is not None:
                        driver = subprocess.Popen(command, stderr=log)
            finally:
                driver.send_signal(signal.SIGINT)
                driver.wait(30)
                disk.give_back()

    def _kill(
        self,
        chance: random.Random,
        driver: subprocess.Popen[bytes],
        command: list[str],
        log: object,
    ) -> subprocess.Popen[bytes]:
        spared = {point for point, hits in self.hits.items() if hits == MOST_HITS}
        jobs = [pid for pid, point in job_processes(self.results).items() if point not in spared]
        what = chance.choice(["driver", "job", "both"] if jobs else ["driver"])
        if what != "driver":
            self._kill_job(chance.choice(jobs))
        if what != "job":
            driver.kill()
            driver.wait()
            driver = subprocess.Popen(command, stderr=log)  # type: ignore[call-overload]
        self.told.append(what)
        return driver

    def _kill_job(self, pid: int) -> None:
        point = job_processes(self.results).get(pid)
        if point is not None:
            self.hits[point] += 1
            os.kill(pid, signal.SIGKILL)

    def _write(self) -> None:
        """Write as a detector does: in pieces, under the final name."""
        for number in range(self.points):
            content = self._content(number)
            if number == TRUNCATED:
                content = content[: len(content) // 2]
            pause = 0.6 if number == SLOW else 0.02
            with (self.live / f"p_{number}.h5").open("wb", buffering=0) as file:
                for start in range(0, len(content), len(content) // 4 + 1):
                    file.write(content[start : start + len(content) // 4 + 1])
                    time.sleep(pause)
            if number == REWRITTEN:
                threading.Thread(target=self._rewrite, daemon=True).start()

    def _rewrite(self) -> None:
        deadline = time.monotonic() + self.limit_s
        key = f"p_{REWRITTEN}.h5"
        ready = f"select 1 from lauedepth_points where key = '{key}' and complete is not null"
        while not self._sql(ready) and time.monotonic() < deadline:
            time.sleep(0.05)
        content = self._again
        (self.live / key).write_bytes(content)

    @property
    def _again(self) -> bytes:
        return (self.folder / "scan" / f"p_{REWRITTEN}.h5").read_bytes()

    # What became of it

    def _sql(self, query: str) -> list[tuple[int, ...]]:
        path = self.results / ".lauedepth" / "catalog.sqlite"
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30) as connection:
                return connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []

    def _open_points(self) -> bool:
        final = "('done', 'failed', 'skipped', 'superseded')"
        query = f"select count(distinct key), count(state not in {final} or null)"
        found = self._sql(f"{query} from lauedepth_points")
        return not found or found[0][0] < self.points or found[0][1] > 0

    def _status(self) -> str:
        command = [*self.program, "status", "--results", str(self.results), "--json"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def _compare(self, calm: dict[str, bytes]) -> None:
        status = json.loads(self._status())
        failures = dict(status["failures"])
        assert list(failures) == [f"p_{TRUNCATED}.h5"], status
        assert "truncated" in failures[f"p_{TRUNCATED}.h5"], failures
        found = {path.stem: values(path) for path in self.results.glob("*.h5")}
        rewritten = f"p_{REWRITTEN}"
        newest = f"{rewritten}.v2" if f"{rewritten}.v2" in found else rewritten
        for name, expected in calm.items():
            assert found[newest if name == rewritten else name] == expected, f"{name} differs"
        twice = self._sql(
            "select point_id from lauedepth_jobs where exit_code = 0 group by point_id"
            " having count(*) > 1"
        )
        assert not twice, f"done twice: {twice}"
        assert not list(self.results.rglob("*.partial")), "half a file"
        assert not (Path.cwd() / "owned").exists()


class Ballast:
    """Fills the disk for a while: to the brim, or as far as the pipeline's guard is concerned."""

    def __init__(self, path: Path, to_the_brim: bool) -> None:
        self._path, self._filled, self._to_the_brim = path, False, to_the_brim
        free = shutil.disk_usage(path.parent).free
        self._size = min(8e9, free / 4)
        self.keep_free_gb = (free / 10 if to_the_brim else free - self._size / 2) / 1e9

    def tick(self, number: int, kills: int) -> None:
        """Fill the disk at a third of the way and make room at half of it."""
        if not self._filled and number >= kills // 3:
            self._filled = True
            self._fill()
        elif self._filled and number >= kills // 2:
            self.give_back()

    def _fill(self) -> None:
        size = shutil.disk_usage(self._path.parent).free if self._to_the_brim else self._size
        with self._path.open("wb") as file:
            while size > 4096:
                try:
                    os.posix_fallocate(file.fileno(), 0, int(size) // 4096 * 4096)
                except OSError:  # others write at the same time
                    size *= 0.98
                else:
                    return

    def give_back(self) -> None:
        """Make room."""
        self._path.unlink(missing_ok=True)


def values(path: Path) -> bytes:
    """Return the numbers of a result, bit for bit."""
    with h5py.File(path, "r") as file:
        return bytes(file["entry1/data/data"][()].tobytes()) + str(file.attrs["sha256"]).encode()


def job_processes(folder: Path) -> dict[int, str]:
    """Return the point of each runner and program of a job that works below a folder."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "environ").read_bytes().split(b"\0")
            jobs = [word for word in words if word.startswith(b"LAUEDEPTH_JOB=")]
            if jobs and str(folder).encode() in (entry / "cmdline").read_bytes():
                found[int(entry.name)] = jobs[0].decode().rpartition("-a")[0]
        except (OSError, ValueError):
            continue
    return found


def main() -> int:
    """Run a campaign of the size asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    for name, default in (("points", 40), ("kills", 30), ("seed", 1), ("slots", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, number in (("megabytes", 4.0), ("job-s", 1.0), ("limit-s", 900.0)):
        parser.add_argument(f"--{name}", type=float, default=number)
    parser.add_argument("--small-disk", type=Path, help="a small file system to fill to the brim")
    campaign = Campaign(**vars(parser.parse_args()))
    print(json.dumps(campaign.run()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
