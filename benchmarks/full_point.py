"""A whole point through the command line: seconds of each step and peak memory.

Points are made in the folder LAUEDEPTH_BENCH (the system's folder for temporary files by
default), which needs 3 GB. Their noise is Gaussian, which is quick to make.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from lauedepth.config import ExperimentConfig, dump_experiment, load_experiment
from lauedepth.core.instrument.experiment import Frames, Motion, Region
from lauedepth.io import write_point
from lauedepth.simulation import LightSources, SimulatedPoint

NAME = "full-point"
EXAMPLE = Path(__file__).parents[1] / "examples" / "experiment.yml"
BACKGROUND, LIGHT, THRESHOLD = 20.0, 300.0, 50.0
SPOT = 8
"""Lit pixels come in squares of this side, as spots do."""

FULL = (2048, 2048)
SMALL = (512, 512)


@dataclass(frozen=True)
class Case:
    """One point: its image, its frames, and the part of its pixels that are lit."""

    shape: tuple[int, int]
    frames: int
    lit: float


@dataclass(frozen=True)
class Measured:
    """What a case took."""

    pixels: int
    seconds: dict[str, float]
    memory_bytes: int
    found: float


def run(console: Console) -> None:
    """Measure whole points, then how time grows with pixels and with frames."""
    full = [Case(FULL, 300, lit) for lit in (0.05, 0.3, 1.0)]
    pixels = [Case((side, side), 300, 1.0) for side in (256, 512, 1024)]
    frames = [Case(SMALL, number, 1.0) for number in (150, 300, 540)]
    for title, cases in (
        ("Full point", full),
        ("Growth with pixels", pixels),
        ("Growth with frames", frames),
    ):
        console.print(table_of(title, [(case, measure(case)) for case in cases]))


def table_of(title: str, rows: list[tuple[Case, Measured]]) -> Table:
    """Return the table; ratios are against its first row."""
    table = Table(title=title)
    for name in ("image", "frames", "lit", "pixels", "select s", "read s", "decode s", "write s"):
        table.add_column(name, justify="right")
    for name in ("total s", "pixels/s", "time ×", "pixels × frames ×", "peak GiB", "found"):
        table.add_column(name, justify="right")
    first_case, first = rows[0]
    work = first.pixels * first_case.frames
    for case, one in rows:
        steps = [f"{one.seconds[step]:.1f}" for step in ("select", "read", "decode", "write")]
        table.add_row(
            f"{case.shape[0]}×{case.shape[1]}",
            str(case.frames),
            f"{case.lit:.0%}",
            str(one.pixels),
            *steps,
            f"{one.seconds['total']:.1f}",
            f"{one.pixels / one.seconds['decode']:.0f}",
            f"{one.seconds['total'] / first.seconds['total']:.1f}",
            f"{one.pixels * case.frames / work:.1f}",
            f"{one.memory_bytes / 2**30:.2f}",
            f"{one.found:.1%}",
        )
    return table


def measure(case: Case) -> Measured:
    """Make a point, reconstruct it in a process of its own, and remove it."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("LAUEDEPTH_BENCH")) as name:
        folder = Path(name)
        config = experiment_of(case)
        (folder / "experiment.yml").write_text(dump_experiment(config), encoding="utf-8")
        with ProcessPoolExecutor(1, get_context("spawn")) as maker:
            # A process counts what its parent held when it was started to its own peak.
            maker.submit(make_point, folder / "point.h5", case, config).result()
        words = [sys.executable, "-m", "lauedepth", "reconstruct", str(folder / "point.h5")]
        words += ["-e", str(folder / "experiment.yml"), "-o", str(folder / "result.h5")]
        with (folder / "out.json").open("wb") as out:
            process = subprocess.Popen([*words, "--pixels", str(THRESHOLD), "--json"], stdout=out)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"reconstruct ended with {process.returncode}")
        last = (folder / "out.json").read_text(encoding="utf-8").splitlines()[-1]
        told: dict[str, Any] = json.loads(last)
        found = told["statuses"].get("decoded", 0) / max(told["pixels"], 1)
        return Measured(told["pixels"], told["seconds"], usage.ru_maxrss * 1024, found)


def experiment_of(case: Case) -> ExperimentConfig:
    """Return the example's experiment with a case's frames over the same travel."""
    core = load_experiment(EXAMPLE).to_core()
    travel_um = core.motion.step_um * len(core.frames)
    motion: Motion = replace(core.motion, step_um=travel_um / case.frames)
    return ExperimentConfig.from_core(replace(core, motion=motion, frames=Frames(0, case.frames)))


def make_point(path: Path, case: Case, config: ExperimentConfig) -> None:
    """Write a point whose lit pixels have coded light from depths all over the range."""
    experiment = config.to_core()
    rng = np.random.default_rng(1)
    rows, columns = np.nonzero(lit_pixels(case, rng))
    cell = rows // SPOT * (case.shape[1] // SPOT) + columns // SPOT
    begin = rng.uniform(0.0, 100.0, int(cell.max()) + 1)[cell]
    light = LightSources.of(rows, columns, begin, begin + 8.0, LIGHT)
    start = (2048 - case.shape[1]) // 2, (2048 - case.shape[0]) // 2
    point = SimulatedPoint(experiment, light, Region(case.shape, start), BACKGROUND)
    write_point(
        path,
        noisy(point, rng),
        case.frames,
        region=point.region,
        detector=experiment.detector,
        sample_xyz=(0.0, 0.0, 0.0),
    )


def lit_pixels(case: Case, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return which pixels are lit: squares here and there."""
    squares = rng.random((case.shape[0] // SPOT, case.shape[1] // SPOT)) < case.lit
    return np.kron(squares, np.ones((SPOT, SPOT), np.bool_))


def noisy(point: SimulatedPoint, rng: np.random.Generator) -> Iterator[npt.NDArray[np.uint16]]:
    """Yield frames with Gaussian noise of the counts' size, drawn from one long table."""
    size = int(np.prod(point.region.shape))
    table = rng.standard_normal(size + 65536).astype(np.float32)
    for rate in point.expected():
        start = int(rng.integers(65536))
        noise = table[start : start + size].reshape(rate.shape)
        counts = rate + np.sqrt(rate) * noise + 0.5
        yield np.maximum(counts, 0.0).astype(np.uint16)
