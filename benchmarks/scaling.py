"""How one point scales over ranks: strong, weak, step by step, and a prediction for nodes.

The point has 512 × 512 pixels and 300 frames; all pixels are decoded, three in ten are lit.
Ranks have one thread and one core each, to which the launcher binds them: one rank alone reads
and keeps on the core it decodes on, as each of many does. More ranks than cores share them. The
figure is written to ``bench-output/scaling.png``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from scipy.optimize import nnls

from benchmarks.full_point import SMALL, Case, experiment_of, make_point
from lauedepth.config import dump_experiment
from lauedepth.core.arrays import Floats
from lauedepth.tasks.parallel.work import BLOCKS_PER_RANK

NAME = "scaling"
MPIEXEC = Path(sys.executable).with_name("mpiexec")
CASE = Case(SMALL, 300, 0.3)
REPEATS = 5
STEPS = ("start", "prepare", "select", "compile", "read", "cut", "decode", "cpu", "keep", "gather")
OVERSUBSCRIBED = 8
PUBLISHED_PIXELS = 128

NODES = np.arange(1, 11)
RANKS_PER_NODE = 32
FULL_PIXELS = 2048 * 2048
FIGURE = Path("bench-output") / "scaling.png"


@dataclass(frozen=True)
class Trial:
    """One run.

    Attributes
    ----------
    ranks, pixels : int
    wall_s : float
        Of the processes, from their start to their end.
    total_s : float
        From when the ranks have met to the published result.
    write_s : float
    steps : list of dict of str to float
        Seconds of each step, by rank.
    """

    ranks: int
    pixels: int
    wall_s: float
    total_s: float
    write_s: float
    steps: list[dict[str, float]]

    def longest(self, *names: str) -> float:
        """Return the longest time that any rank spent on some steps together."""
        return max(sum(one.get(name, 0.0) for name in names) for one in self.steps)


@dataclass(frozen=True)
class Model:
    """Seconds of a run with R ranks, each on a core of its own: start + fixed + shared / R.

    At the end ranks wait for a block of one of them, of which each finds `BLOCKS_PER_RANK`.
    Talking (milliseconds a rank) and what a shared file system makes slower are left out.

    Attributes
    ----------
    start, fixed, shared : float
        Fitted to runs of `CASE`.
    write : float
        The part of `fixed` that grows with the pixels.
    """

    start: float
    fixed: float
    shared: float
    write: float

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> Model:
        """Fit runs of the same point on several numbers of ranks, none on a shared core."""
        ranks = np.array([trial.ranks for trial in trials], np.float64)
        columns = np.stack([np.ones_like(ranks), _share(ranks)], axis=1)
        total = np.array([trial.total_s for trial in trials])
        # Relative errors count alike.
        (fixed, shared), _ = nnls(columns / total[:, None], np.ones_like(total))
        start = min(trial.longest("start") for trial in trials)
        write = min(trial.write_s for trial in trials)
        return cls(start, float(fixed), float(shared), min(write, float(fixed)))

    def seconds(self, ranks: Floats, pixels: int, slower: float = 1.0) -> Floats:
        """Predict runs of a point with other pixels, and a decoder that is slower."""
        times = pixels / int(np.prod(CASE.shape))
        fixed = self.fixed + self.write * (times - 1)
        work = self.shared * times * slower * _share(ranks)
        return np.asarray(self.start + fixed + work, np.float64)


def _share(ranks: Floats) -> Floats:
    """Return which part of the work the last of some ranks ends with."""
    return np.where(ranks > 1, (1 + 1 / BLOCKS_PER_RANK) / ranks, 1.0)


def run(console: Console) -> None:
    """Measure, print, fit and draw."""
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(dir=os.environ.get("LAUEDEPTH_BENCH")) as name:
        folder = Path(name)
        config = experiment_of(CASE)
        (folder / "experiment.yml").write_text(dump_experiment(config), encoding="utf-8")
        make_point(folder / "point.h5", CASE, config)
        reconstruct(folder, 1)  # compiles, and warms the file's cache
        numbers = sorted({1, *_doubling(cores), OVERSUBSCRIBED})
        strong = _in_rounds(lambda ranks: reconstruct(folder, ranks), numbers)
        weak = _in_rounds(lambda ranks: _part(folder, ranks, ranks / cores), _doubling(cores))
        slower = _published_slowness(folder)
    best = [min(trials, key=lambda trial: trial.total_s) for trials in strong]
    console.print(_table("Strong scaling: the same point", strong))
    console.print(_table("Weak scaling: pixels grow with ranks", weak))
    for trial in best:
        console.print(_steps_table(trial))
    model = Model.of([trial for trial in best if trial.ranks <= cores])
    console.print(
        f"Model: {model.start:.2f} + {model.fixed:.2f} + {model.shared:.2f} / R seconds; "
        f"published method: {slower:.0f} times slower; "
        f"load of this machine now {os.getloadavg()[0]:.1f}"
    )
    console.print(_prediction_table(model, slower))
    draw(model, slower, best)
    console.print(f"Figure: {FIGURE}")


def reconstruct(folder: Path, ranks: int, *more: object) -> Trial:
    """Reconstruct the point with so many ranks of one thread."""
    output = folder / "result.h5"
    bound = () if ranks > len(os.sched_getaffinity(0)) else ("-bind-to", "core")
    words = [MPIEXEC, *bound, "-n", ranks, sys.executable, "-m", "lauedepth", "reconstruct"]
    words += [folder / "point.h5", "-e", folder / "experiment.yml", "-o", output, "--json"]
    words += more or ("--pixels", 0)
    begin = perf_counter()
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"LAUEDEPTH_THREADS": "1"},
    )
    wall_s = perf_counter() - begin
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    seconds = told["seconds"]
    alone = [{**seconds, "start": wall_s - seconds["total"]}]
    steps = [one["seconds"] for one in told["ranks"]] if "ranks" in told else alone
    return Trial(ranks, told["pixels"], wall_s, seconds["total"], seconds["write"], steps)


def _doubling(cores: int) -> list[int]:
    return sorted({min(2**power, cores) for power in range(cores.bit_length() + 1)})


def _in_rounds(once: Callable[[int], Trial], numbers: Sequence[int]) -> list[list[Trial]]:
    """Return the trials of each number of ranks; all are tried in turn, as machines have moods."""
    rounds = [[once(number) for number in numbers] for _ in range(REPEATS)]
    return [list(trials) for trials in zip(*rounds, strict=True)]


def _part(folder: Path, ranks: int, part: float) -> Trial:
    """Reconstruct some of the rows."""
    mask = np.zeros((2048, 2048), np.bool_)
    top, left = (2048 - CASE.shape[0]) // 2, (2048 - CASE.shape[1]) // 2
    mask[top : top + round(part * CASE.shape[0]), left : left + CASE.shape[1]] = True
    np.save(folder / "mask.npy", mask)
    return reconstruct(folder, ranks, "--pixels", folder / "mask.npy")


def _published_slowness(folder: Path) -> float:
    """Return how much slower the published method decodes a pixel, of some here and there."""
    mask = np.zeros((2048, 2048), np.bool_)
    rng = np.random.default_rng(2)
    corner, side = (2048 - CASE.shape[0]) // 2, CASE.shape[0]
    rows, columns = corner + rng.integers(side, size=(2, PUBLISHED_PIXELS))
    mask[rows, columns] = True
    np.save(folder / "mask.npy", mask)
    pixels = ("--pixels", folder / "mask.npy")
    slow = reconstruct(folder, 1, *pixels, "--method", "published")
    fast = reconstruct(folder, 1)
    return (slow.longest("decode") / slow.pixels) / (fast.longest("decode") / fast.pixels)


def _table(title: str, rows: list[list[Trial]]) -> Table:
    """Return a table of medians; how many times faster is told of each round by itself."""
    table = Table(title=title)
    for name in ("ranks", "pixels", "decode s", "×", "of rounds", "total s", "×"):
        table.add_column(name, justify="right")
    table.add_column("start, compile, gather", justify="right")
    for trials in rows:
        faster = _times_faster(rows[0], trials, lambda trial: trial.longest("decode"))
        whole = _times_faster(rows[0], trials, lambda trial: trial.total_s)
        aside = np.median([trial.longest("start", "compile", "gather") for trial in trials])
        table.add_row(
            str(trials[0].ranks),
            str(trials[0].pixels),
            f"{np.median([trial.longest('decode') for trial in trials]):.2f}",
            f"{np.median(faster):.2f}",
            f"{faster.min():.2f}-{faster.max():.2f}",
            f"{np.median([trial.total_s for trial in trials]):.2f}",
            f"{np.median(whole):.2f}",
            f"{aside:.2f} s",
        )
    return table


def _times_faster(
    first: Sequence[Trial], then: Sequence[Trial], seconds: Callable[[Trial], float]
) -> Floats:
    """Return how many times more pixels in a second the trials of each round do."""
    rounds = zip(first, then, strict=True)
    return np.array([(seconds(a) / a.pixels) / (seconds(b) / b.pixels) for a, b in rounds])


def _steps_table(trial: Trial) -> Table:
    table = Table(title=f"Seconds of each step, {trial.ranks} ranks (write: {trial.write_s:.2f})")
    for name in ("rank", *STEPS):
        table.add_column(name, justify="right")
    for rank, seconds in enumerate(trial.steps):
        table.add_row(str(rank), *(f"{seconds.get(name, 0.0):.2f}" for name in STEPS))
    return table


def _prediction_table(model: Model, slower: float) -> Table:
    table = Table(title=f"Predicted, not measured: {FULL_PIXELS} pixels, 300 frames")
    for name in ("nodes", "ranks", "default s", "×", "published s", "×"):
        table.add_column(name, justify="right")
    ranks = NODES.astype(np.float64) * RANKS_PER_NODE
    fast = model.seconds(ranks, FULL_PIXELS)
    slow = model.seconds(ranks, FULL_PIXELS, slower)
    for index, nodes in enumerate(NODES):
        table.add_row(
            str(nodes),
            f"{ranks[index]:.0f}",
            f"{fast[index]:.1f}",
            f"{fast[0] / fast[index]:.2f}",
            f"{slow[index]:.0f}",
            f"{slow[0] / slow[index]:.2f}",
        )
    return table


def draw(model: Model, slower: float, trials: Sequence[Trial]) -> None:
    """Draw what was measured, and run time over nodes as the paper's Figure 3 does."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    axes = figure.subplots(1, 3)
    numbers = [trial.ranks for trial in trials]
    axes[0].plot(numbers, [trial.total_s for trial in trials], "o", label="measured")
    cores = len(os.sched_getaffinity(0))
    ideal = [trials[0].total_s / min(number, cores) for number in numbers]
    axes[0].plot(numbers, ideal, "k--", lw=1, label="ideal on these cores")
    axes[0].set(title=f"This machine, {cores} cores", xlabel="ranks", ylabel="run time (s)")
    ranks = NODES.astype(np.float64) * RANKS_PER_NODE
    for panel, name, factor in (
        (axes[1], "default method", 1.0),
        (axes[2], "published method", slower),
    ):
        seconds = model.seconds(ranks, FULL_PIXELS, factor)
        panel.plot(NODES, seconds, "s-", label="predicted")
        panel.plot(NODES, seconds[0] / NODES, "k--", lw=1, label="ideal")
        panel.set(title=f"Prediction: {name}", xlabel="nodes of 32 ranks", ylabel="run time (s)")
        panel.set_xticks(NODES)
    for panel in axes:
        panel.set_ylim(bottom=0)
        panel.legend(frameon=False)
    figure.suptitle("Scaling of one point; nodes are predicted from a fit, not measured")
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, dpi=120)
