"""Kills a run of several ranks again and again, at random, and has it go on.

``python -m benchmarks.kills [--kills 200] [--ranks 2] [--seed 1]`` prints one JSON object: how
many results were the bytes of an undisturbed run, and how many blocks were decoded again. Who
is killed (a rank, all of them, the launcher) and when (from the start of the processes to the
end of the run, told by the blocks that are finished) is drawn by chance. Not part of
``make bench``: 200 kills take twenty minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import h5py
import numpy as np
import psutil

from lauedepth.config import dump_experiment, load_experiment
from lauedepth.core.instrument.experiment import Region
from lauedepth.io import write_point
from lauedepth.simulation import LightSources, SimulatedPoint

EXAMPLE = Path(__file__).parents[1] / "examples" / "experiment.yml"
MPIEXEC = Path(sys.executable).with_name("mpiexec")
REGION = Region((128, 128), (1000, 900))
VICTIMS = ("rank", "all ranks", "launcher")
EARLY = 0.1
"""Part of the kills that hit processes which still start."""


@dataclass(frozen=True)
class Whole:
    """An undisturbed run.

    Attributes
    ----------
    begun_s, work_s : float
        How long the processes took to start, and the work.
    blocks : int
    digest : str
        Of the result.
    """

    begun_s: float
    work_s: float
    blocks: int
    digest: str


@dataclass
class Campaign:
    """One point, how it is reconstructed, and what became of it.

    Attributes
    ----------
    folder : Path
    ranks : int
    chance : Random
    outcomes : Counter of str
        Kills by victim, and how often results differed, blocks were lost, files were left.
    """

    folder: Path
    ranks: int
    chance: random.Random
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def output(self) -> Path:
        """The result."""
        return self.folder / "r.h5"

    def start(self) -> subprocess.Popen[str]:
        """Start the command; it is always the same."""
        words = [MPIEXEC, "-n", str(self.ranks), sys.executable, "-m", "lauedepth"]
        words += ["reconstruct", self.folder / "point.h5", "-e", self.folder / "experiment.yml"]
        words += ["-o", self.output, "--pixels", "0", "--resume", "--json"]
        return subprocess.Popen(
            [str(word) for word in words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"LAUEDEPTH_THREADS": "1"},
        )

    def finish(self) -> dict[str, Any]:
        """Run to the end and return what the last event says."""
        process = self.start()
        out, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"the run failed: {out}")
        last: dict[str, Any] = json.loads(out.splitlines()[-1])
        return last

    def one_kill(self, whole: Whole) -> None:
        """Kill a run once, go on, and compare with an undisturbed one."""
        victim = self.chance.choice(VICTIMS)
        process = self.start()
        threading.Thread(target=process.communicate, daemon=True).start()
        self._wait_for_a_moment(process, whole)
        family = psutil.Process(process.pid).children(recursive=True) if alive(process) else []
        self.outcomes[f"{victim} killed" if alive(process) else "ended before"] += 1
        self._kill(victim, process, family)
        process.wait()
        _, staying = psutil.wait_procs(family, timeout=20)
        self.outcomes["ranks that stayed"] += len(staying)
        kept = self.finished_blocks()
        done = self.output.exists()
        last = self.finish()
        self.outcomes["blocks kept"] += kept
        self.outcomes["blocks lost"] += 0 if done else kept - last["resumed_blocks"]
        self.outcomes["results that differ"] += digest(self.output) != whole.digest
        left = {path.name for path in self.folder.iterdir()}
        self.outcomes["files left"] += len(left - {"point.h5", "experiment.yml", "r.h5"})
        self.output.unlink()

    def _wait_for_a_moment(self, process: subprocess.Popen[str], whole: Whole) -> None:
        """Wait until the processes start, until some block is finished, or for publishing."""

        def ended() -> bool:
            return process.poll() is not None

        if self.chance.random() < EARLY:
            sleep_until(monotonic() + self.chance.uniform(0.0, whole.begun_s), ended)
            return
        finished = self.chance.randint(0, whole.blocks)
        sleep_until(inf, lambda: ended() or self.finished_blocks() >= finished)
        sleep_until(monotonic() + self.chance.uniform(0.0, whole.work_s / whole.blocks), ended)

    def finished_blocks(self) -> int:
        """Return how many blocks are kept."""
        return len(list(self.folder.glob("r.h5.blocks/block_*.npz")))

    def _kill(
        self, victim: str, process: subprocess.Popen[str], family: list[psutil.Process]
    ) -> None:
        ranks = [one for one in family if is_rank(one)]
        targets: list[psutil.Process | subprocess.Popen[str]] = [process]
        if victim == "all ranks":
            targets = [process, *family]
        elif victim == "rank" and ranks:
            targets = [self.chance.choice(ranks)]
        for target in targets:
            try:
                target.kill()
            except psutil.NoSuchProcess:
                continue


def is_rank(process: psutil.Process) -> bool:
    """Tell whether a process is a rank, not a part of the launcher."""
    try:
        return "PMI_RANK" in process.environ()
    except psutil.Error:
        return False


def alive(process: subprocess.Popen[str]) -> bool:
    """Tell whether a process still runs."""
    return process.poll() is None


def sleep_until(end: float, enough: Callable[[], bool]) -> None:
    """Sleep until a time, or until it is enough."""
    while monotonic() < end and not enough():
        sleep(0.005)


def digest(path: Path) -> str:
    """Return a digest of the values of all datasets but the timings."""
    whole = hashlib.sha256()

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset) and not name.endswith("timings"):
            whole.update(name.encode() + np.asarray(item[()]).tobytes())

    with h5py.File(path) as file:
        file.visititems(visit)
    return whole.hexdigest()


def write_scan(folder: Path) -> None:
    """Write a small point of which all pixels are decoded, and its experiment."""
    config = load_experiment(EXAMPLE)
    rng = np.random.default_rng(3)
    rows, columns = rng.integers(20, 108, (2, 60))
    light = LightSources.of(rows, columns, 10.0 + rows / 2.0, 18.0 + rows / 2.0, 2000.0)
    point = SimulatedPoint(config.to_core(), light, REGION, 10.0, seed=5)
    write_point(
        folder / "point.h5",
        point.frames(),
        point.shape[0],
        region=REGION,
        detector=config.to_core().detector,
        sample_xyz=(0.0, 0.0, 0.0),
    )
    (folder / "experiment.yml").write_text(dump_experiment(config), encoding="utf-8")


def run_campaign(folder: Path, kills: int, ranks: int, seed: int) -> dict[str, Any]:
    """Kill so many runs and return what came of it."""
    write_scan(folder)
    campaign = Campaign(folder, ranks, random.Random(seed))
    campaign.finish()
    campaign.output.unlink()
    begin = monotonic()
    last = campaign.finish()
    work_s = last["seconds"]["total"]
    begun_s = monotonic() - begin - work_s
    whole = Whole(begun_s, work_s, last["blocks"], digest(campaign.output))
    campaign.output.unlink()
    for number in range(kills):
        campaign.one_kill(whole)
        print(f"{number + 1} of {kills}", dict(campaign.outcomes), file=sys.stderr)
    return {"kills": kills, "ranks": ranks, "blocks": last["blocks"], **campaign.outcomes}


def main() -> int:
    """Read the command line, run, print; exit code 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = run_campaign(Path(folder), asked.kills, asked.ranks, asked.seed)
    print(json.dumps(told))
    bad = ("results that differ", "blocks lost", "files left", "ranks that stayed")
    return int(any(told[name] for name in bad))


if __name__ == "__main__":
    sys.exit(main())
