"""Run benchmarks by name, all by default."""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol, cast

from rich.console import Console

import benchmarks


class Benchmark(Protocol):
    """What a module must have to be a benchmark."""

    NAME: str

    def run(self, console: Console) -> None:
        """Measure, and print tables."""
        ...


def found() -> dict[str, Benchmark]:
    """Return the benchmarks by name."""
    modules = [
        import_module(f"benchmarks.{one.name}")
        for one in iter_modules(benchmarks.__path__)
        if not one.name.startswith("_")
    ]
    return {module.NAME: cast(Benchmark, module) for module in modules if hasattr(module, "NAME")}


def machine() -> str:
    """Return what the numbers were measured on."""
    cores = len(os.sched_getaffinity(0))
    model = platform.processor() or platform.machine()
    with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else model}, {cores} cores, Python {platform.python_version()}"


def main(wanted: list[str]) -> int:
    """Run what is wanted; return the exit code."""
    known, console = found(), Console(width=110)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        print(f"no benchmark '{unknown[0]}'; choose from {', '.join(known)}", file=sys.stderr)
        return 2
    console.print(machine())
    for name in wanted or known:
        known[name].run(console)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
