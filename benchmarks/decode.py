"""Decoding traces: speed against the published method in the same run, and accuracy."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from tests.geometries import NORCADA, TWIN

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.pixels import (
    DecodedPixels,
    DecodeOptions,
    EnergySearch,
    PixelFlag,
    PixelStatus,
)
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.threads import usable_threads
from lauedepth.simulation import Footprints, quick_traces

NAME = "decode"

PIXELS = 4000
BASELINE_PIXELS = 40
REPEATS = 5
PUBLISHED = DecodeOptions(method="published")


@dataclass(frozen=True)
class TraceSet:
    """Traces of one kind with their truth."""

    kind: str
    row: Floats
    column: Floats
    counts: npt.NDArray[np.uint16]
    depth_um: Floats
    second_um: Floats
    energy_kev: Floats
    background: float


def simulate(kind: str, experiment: Experiment, count: int, seed: int) -> TraceSet:
    """Make traces of a kind as the reference data have them."""
    rng = np.random.default_rng(seed)
    row, column = rng.uniform(100, 1947, (2, count))
    span = experiment.depths
    depth = rng.uniform(span.start_um + 50, span.stop_um - 60, count)
    width = rng.uniform(2, 20, count)
    second = np.full(count, np.nan)
    energy = np.full(count, np.nan)
    peak, background = {"faint": (60, 10), "absorbing": (2000, 5)}.get(kind, (2000, 20))
    light = [(depth, width, np.full(count, float(peak)))]
    if kind == "dark":
        light = [(depth, width, np.zeros(count))]
    if kind == "overlap":
        second = depth + rng.choice([-1, 1], count) * rng.uniform(width + 3, width + 40)
        light = [(depth, width, np.full(count, 1200.0)), (second, width, np.full(count, 800.0))]
    if kind == "absorbing":
        energy = rng.uniform(8, 24, count)
    columns = [np.stack(part, axis=1) for part in zip(*light, strict=True)]
    shaped = np.repeat(energy[:, None], len(light), axis=1)
    expected = quick_traces(
        experiment,
        row,
        column,
        Footprints(columns[0], columns[1], columns[2], shaped),
        background=float(background),
    )
    counts = np.minimum(rng.poisson(expected), 65534).astype(np.uint16)
    return TraceSet(kind, row, column, counts, depth, second, energy, float(background))


def rate(work: Callable[[], object], pixels: int, repeats: int) -> float:
    """Return pixels a second, the median of several runs."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return pixels / float(np.median(seconds))


def run_decode(
    experiment: Experiment, traces: TraceSet, options: DecodeOptions | None = None
) -> DecodedPixels:
    return decode(
        experiment,
        traces.row,
        traces.column,
        traces.counts,
        backend="cpu",
        options=options,
        background=traces.background,
    )


def speed(console: Console) -> None:
    """Print pixels a second of both methods and their ratio."""
    table = Table(title=f"Decode, trace to footprint, {usable_threads()} threads")
    for heading in ("traces", "frames", "published, 1 thread (px/s)", "cpu (px/s)", "ratio"):
        table.add_column(heading, justify="left" if heading == "traces" else "right")
    for experiment in (TWIN, NORCADA):
        frames = len(experiment.frames)
        run_decode(experiment, simulate("clean", experiment, 64, 0))
        small = simulate("clean", experiment, BASELINE_PIXELS, 1)
        slow = rate(partial(run_decode, experiment, small, PUBLISHED), BASELINE_PIXELS, 3)
        for kind in ("clean", "faint", "absorbing", "overlap", "dark"):
            traces = simulate(kind, experiment, PIXELS, 2)
            fast = rate(partial(run_decode, experiment, traces), PIXELS, REPEATS)
            table.add_row(kind, str(frames), f"{slow:.1f}", f"{fast:,.0f}", f"{fast / slow:,.0f}")
    console.print(table)


def accuracy(console: Console) -> None:
    """Print depth errors and how honest they are."""
    table = Table(title=f"Accuracy on {PIXELS} simulated traces of each kind")
    for heading in (
        "traces", "frames", "median (µm)", "90 % (µm)", "decoded (%)", "within error (%)", "remark",
    ):  # fmt: skip
        table.add_column(heading, justify="left" if heading in {"traces", "remark"} else "right")
    energy = DecodeOptions(energy=EnergySearch())
    for experiment in (TWIN, NORCADA):
        for kind in ("clean", "faint", "absorbing", "overlap", "dark"):
            traces = simulate(kind, experiment, PIXELS, 3)
            result = run_decode(experiment, traces, energy if kind == "absorbing" else None)
            table.add_row(kind, str(len(experiment.frames)), *judge(traces, result))
    console.print(table)


def hard_x_rays(console: Console) -> None:
    """Print intensities and energies at 14 to 28 keV, by the trace alone and on its background."""
    table = Table(title=f"{PIXELS} simulated traces of 14 to 28 keV, background 20")
    for heading in (
        "counts", "alone: median share of the light", "known: within 10 % (%)",
        "energy within 5 % (%)",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for light in (100.0, 500.0, 3_000.0, 10_000.0):
        rng = np.random.default_rng(int(light))
        row, column = rng.uniform(300, 1700, (2, PIXELS))
        energy = rng.uniform(14, 28, PIXELS)
        source = Footprints(
            rng.uniform(10, 90, PIXELS), rng.uniform(2, 10, PIXELS), np.full(PIXELS, light), energy
        )
        counts = rng.poisson(quick_traces(TWIN, row, column, source, background=20.0))
        alone, known = (
            decode(
                TWIN, row, column, np.minimum(counts, 65534).astype(np.uint16), backend="cpu",
                options=DecodeOptions(energy=EnergySearch()), background=background,
            )
            for background in (None, 20.0)
        )  # fmt: skip
        share = [
            np.bincount(one.trace, np.nan_to_num(one.intensity)) / light for one in (alone, known)
        ]
        first = known.flags & PixelFlag.SECOND_DEPTH == 0
        near = np.abs(known.energy_kev[first] / energy - 1.0) < 0.05
        table.add_row(
            f"{light:.0f}", f"{np.median(share[0]):.2f}",
            f"{np.mean(np.abs(share[1] - 1.0) < 0.1):.0%}", f"{np.mean(near):.0%}",
        )  # fmt: skip
    console.print(table)


def judge(traces: TraceSet, result: DecodedPixels) -> tuple[str, ...]:
    """Return the columns of one row of the accuracy table."""
    first = (result.flags & PixelFlag.SECOND_DEPTH) == 0
    found = first & (result.status == PixelStatus.DECODED)
    decoded = f"{100 * found.sum() / first.sum():.2f}"
    if traces.kind == "dark":
        return "", "", decoded, "", "a depth for a dark pixel is wrong"
    error = np.abs(result.depth_um[found] - traces.depth_um[result.trace[found]])
    if traces.kind == "overlap":
        return "", "", decoded, "", f"both depths within 1 µm: {both_found(traces, result):.1f} %"
    remark = ""
    if traces.kind == "absorbing":
        truth = traces.energy_kev[result.trace[found]]
        right = np.abs(result.energy_kev[found] / truth - 1) < 0.05
        flagged = (result.flags[found] & PixelFlag.ENERGY_AMBIGUOUS) > 0
        remark = (
            f"energy within 5 %: {100 * right.mean():.0f} %, "
            f"wrong and not flagged: {100 * np.mean(~right & ~flagged):.1f} %"
        )
    within = np.mean(error < result.depth_error_um[found])
    return (
        f"{np.median(error):.4f}",
        f"{np.percentile(error, 90):.4f}",
        decoded,
        f"{100 * within:.0f}",
        remark,
    )


def both_found(traces: TraceSet, result: DecodedPixels) -> float:
    """Return the percentage of overlaps of which both depths are right."""
    count = traces.row.size
    second = (result.flags & PixelFlag.SECOND_DEPTH) > 0
    depths = np.full((count, 2), np.nan)
    depths[result.trace[~second], 0] = result.depth_um[~second]
    depths[result.trace[second], 1] = result.depth_um[second]
    wanted = np.sort(np.stack([traces.depth_um, traces.second_um], axis=1), axis=1)
    close = np.abs(np.sort(depths, axis=1) - wanted) < 1.0
    return float(100 * np.mean(close.all(axis=1)))


def run(console: Console) -> None:
    """Run the benchmark."""
    speed(console)
    accuracy(console)
    hard_x_rays(console)
