"""Replay a simulated scan as a detector writes it, and reconstruct it meanwhile.

Usage: python examples/live_demo.py SCAN FOLDER
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

CADENCE_S = 3.0
PATIENCE_S = 600.0
SETTINGS = "{poll_s: 0.5, keep_free_gb: 1}\n"


def program(*words: str | Path) -> list[str]:
    """Return a command line of this program."""
    return [sys.executable, "-m", "lauedepth", *map(str, words)]


def main(scan: Path, folder: Path) -> None:
    """Run the live demo; everything it makes lies in ``folder``."""
    shutil.rmtree(folder, ignore_errors=True)
    detector, results = folder / "detector", folder / "results"
    detector.mkdir(parents=True)
    points = len(list(scan.glob("*.h5")))
    settings = folder / "settings.yml"
    settings.write_text(SETTINGS, encoding="utf-8")
    watch = program(
        "watch", detector, "--results", results, "--experiment", scan / "experiment.yml",
        "--settings", settings, "--points", str(points), "--until-done",
    )  # fmt: skip
    with subprocess.Popen(watch) as driver:
        replay = program("replay", scan, detector, "--cadence", str(CADENCE_S), "--marker", ".done")
        subprocess.run(replay, check=True, timeout=PATIENCE_S)
        if driver.wait(timeout=PATIENCE_S):
            sys.exit(driver.returncode)
    subprocess.run(program("status", "--results", results), check=True)
    report = program("report", "--results", results, "--output", folder / "report")
    subprocess.run(report, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
