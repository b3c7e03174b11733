"""Table 1 of the paper, and ours, on one card in one run: ``python -m benchmarks.gpu``.

Correctness comes first, and a wrong answer ends the run. Times are the card's own events'
medians after a warm-up, over several sets of input; nothing is told that was not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from lauedepth.core.decoding.cuda.decoder import CudaDecoder

PUBLISHED = {
    1: 443.30, 8: 1015.12, 32: 1199.04, 128: 1263.11, 1024: 1286.67, 2048: 1287.33, 4096: 1282.54,
}  # fmt: skip
"""Pixels per second by batch in the paper's Table 1, on an A100."""


@dataclass(frozen=True)
class Extent:
    """How much is checked and measured.

    Attributes
    ----------
    checked : int
        Pixels of each set that are compared with `reference`.
    frames : tuple of int
        Sets that are measured.
    seeds : tuple of int
        Of the input; medians are told.
    batches : tuple of int
        Of the paper's kernels.
    """

    checked: int
    frames: tuple[int, ...]
    seeds: tuple[int, ...]
    batches: tuple[int, ...]


WHOLE = Extent(1000, (261, 400), (1, 2, 3), tuple(PUBLISHED))
QUICK = Extent(200, (261,), (1,), (1, 1024))


def main(words: list[str]) -> int:
    """Check, measure, print, and write a record; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--check", action="store_true", help="check answers, measure nothing")
    parser.add_argument("--record", type=Path, default=Path("bench-output/gpu.json"))
    parser.add_argument("--quick", action="store_true", help="check and measure less, and once")
    parser.add_argument("--full-point", action="store_true", help="a whole point too; 3 GB of disk")
    arguments = parser.parse_args(words)
    extent = QUICK if arguments.quick else WHOLE
    simulated = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in {"", "0"}
    reason = None if simulated and arguments.check else CudaDecoder().why_unavailable()
    if reason is not None:
        print(f"nothing was measured: {reason}", file=sys.stderr)
        return 3
    from benchmarks import full_point  # noqa: PLC0415  loads the whole program

    from . import checks  # noqa: PLC0415  needs a card

    if simulated:
        checks.check_baseline((1, 3), mask=90, longest=24)
        print("the baseline's kernels are right (simulator); ours are checked by the tests")
        return 0
    checks.check_baseline((1, 8, 100), mask=4096, longest=300)
    checks.check_ours(extent.checked)
    if arguments.check:
        print("all kernels are right")
        return 0
    arguments.record.parent.mkdir(parents=True, exist_ok=True)
    measured: dict[str, Any] = {}
    for measured in measure(extent):
        arguments.record.write_text(json.dumps(measured, indent=1), encoding="utf-8")
    console = Console(width=110)
    show(console, measured)
    if arguments.full_point:
        case = full_point.Case(full_point.FULL, 400, 1.0)
        console.print(full_point.table_of("Full point", [(case, full_point.measure(case))]))
    return 0


def measure(extent: Extent) -> Iterator[dict[str, Any]]:
    """Yield what is measured so far, in pixels per second and parts of what is possible.

    Each step can be written down before the next begins, in case the card is soon gone.
    """
    from numba import cuda  # noqa: PLC0415  needs a card

    from . import ours, timing  # noqa: PLC0415

    bandwidth, rate = timing.copy_bandwidth(), timing.float32_rate()
    result: dict[str, Any] = {
        "device": _name(cuda.get_current_device().name),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "copy_bytes_per_second": bandwidth,
        "float32_per_second": rate,
        "baseline": [],
        "ours": [],
    }
    for frames in extent.frames:
        experiment = ours.SETS[frames]
        case = ours.Case.random(experiment, ours.WHOLE, seed=0)
        operations, moved = ours.search_work(case)
        for energy, options in ours.OPTIONS.items():
            stages = [
                ours.stage_seconds(ours.Case.random(experiment, ours.PIXELS, seed), options)
                for seed in extent.seeds
            ]
            stage = {name: median(one[name] for one in stages) for name in stages[0]}
            result["ours"].append(
                {
                    "frames": frames,
                    "energy": energy,
                    "position": 1.0 / stage["search"],
                    "on_card": 1.0 / sum(stage.values()),
                    "whole": ours.WHOLE / ours.whole_seconds(case, options),
                    "stages": {name: one / sum(stage.values()) for name, one in stage.items()},
                    "of_float32": operations / stage["search"] / rate,
                    "of_copy": moved / stage["search"] / bandwidth,
                }
            )
            yield result
    for batch in extent.batches:
        result["baseline"].append(_baseline(batch, extent.seeds))
        yield result


def _name(name: str | bytes) -> str:
    """Return a device's name, which numba-cuda gave as bytes until 2025."""
    return name.decode() if isinstance(name, bytes) else name


def _baseline(batch: int, seeds: tuple[int, ...]) -> dict[str, float]:
    from .baseline import Baseline, Signals  # noqa: PLC0415  needs a card
    from .timing import seconds_of  # noqa: PLC0415

    kernels, whole = [], []
    for seed in seeds:
        one = Baseline(Signals.random(batch, seed))
        kernels.append(batch / seconds_of(one.kernels))
        whole.append(batch / seconds_of(one.whole))
    return {"batch": batch, "kernels": median(kernels), "whole": median(whole)}


def show(console: Console, measured: dict[str, Any]) -> None:
    """Print the tables."""
    best = max(row["kernels"] for row in measured["baseline"])
    table = Table(title=f"Position search, pixels/s, {measured['device']}, {measured['date']}")
    for name in ("batch", "paper, A100", "paper's kernels", "with copies", "ours / best of them"):
        table.add_column(name, justify="right")
    for row in measured["baseline"]:
        published = PUBLISHED[row["batch"]]
        table.add_row(
            str(row["batch"]), f"{published:.0f}", f"{row['kernels']:.0f}", f"{row['whole']:.0f}"
        )
    for row in measured["ours"]:
        if row["energy"] == "off":
            ratio = f"{row['position'] / best:.0f}"
            table.add_row(f"ours, {row['frames']}", "", f"{row['position']:.0f}", "", ratio)
    console.print(table)
    table = Table(title="Whole decode")
    for name in ("frames", "energy", "pixels/s on the card", "from memory to memory"):
        table.add_column(name, justify="right")
    table.add_column("where the time goes")
    table.add_column("search: of float32, of copy rate", justify="right")
    for row in measured["ours"]:
        parts = ", ".join(f"{name} {part:.0%}" for name, part in row["stages"].items())
        table.add_row(
            str(row["frames"]), row["energy"], f"{row['on_card']:.0f}", f"{row['whole']:.0f}",
            parts, f"{row['of_float32']:.1%}, {row['of_copy']:.1%}",
        )  # fmt: skip
    console.print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
