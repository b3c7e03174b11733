"""Simulate a small scan of a polycrystal, reconstruct it, compare with the truth.

Usage: python examples/demo.py [FOLDER]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lauedepth import load_experiment, read_result, reconstruct_point
from lauedepth.figures.maps import draw_map
from lauedepth.figures.style import save_figure
from lauedepth.tasks.simulate.config import load_simulation
from lauedepth.tasks.simulate.earlier import TRUTH_FOLDER
from lauedepth.tasks.simulate.scan_files import (
    read_truth,
    simulated_points,
    write_scan,
)

HERE = Path(__file__).parent
FIGURE = "demo.png"
STAGES = {"select": "selecting", "compile": "compiling, once", "decode": "decoding"}


@dataclass(frozen=True)
class Comparison:
    """What was found in a point, beside what is true.

    Attributes
    ----------
    found : structured array
        Rows of the result's table with a depth, where the truth has one depth.
    true : structured array
        The truth of the same pixels.
    lit : int
        Pixels that are lit in truth.
    """

    found: npt.NDArray[np.void]
    true: npt.NDArray[np.void]
    lit: int

    @property
    def error_um(self) -> npt.NDArray[np.float64]:
        """Found minus true depth."""
        return np.asarray(self.found["depth"] - self.true["depth_um"])


def main(folder: Path) -> None:
    """Run the demo; everything it makes lies in ``folder``."""
    console = Console()
    scan, results = folder / "scan", folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    console.print("[bold]1. Simulate[/] a nickel polycrystal under a coded aperture")
    points = simulate(console, scan)
    console.print("[bold]2. Reconstruct[/] every point")
    for point in points:
        reconstruct(console, point, results / point.name)
    console.print("[bold]3. Compare[/] with the truth")
    compared = [compare(scan, results / point.name) for point in points]
    console.print(table_of_grains(compared))
    console.print(verdict(compared))
    save_figure(draw(compared, results / points[0].name), folder / FIGURE)
    console.print(f"Figure: {folder / FIGURE}")
    console.print(f"NeXus file, for silx or h5web: {results / points[0].name}")


def simulate(console: Console, folder: Path) -> list[Path]:
    """Write the scan."""
    config = load_experiment(HERE / "experiment.yml")
    sample = load_simulation(HERE / "sample.yml")
    with Progress(console=console) as bars:
        tasks = {}

        def show_progress(point: str, done: int, total: int) -> None:
            if point not in tasks:
                tasks[point] = bars.add_task(point, total=total)
            bars.update(tasks[point], completed=done)

        points = simulated_points(sample, config.to_core(), folder=HERE)
        return write_scan(points, folder, config, progress=show_progress)


def reconstruct(console: Console, point: Path, output: Path) -> None:
    """Reconstruct one point, with a bar for each stage."""
    config = load_experiment(point.parent / "experiment.yml")
    with Progress(console=console) as bars:
        tasks = {}

        def show_progress(stage: str, done: int, total: int) -> None:
            if stage in STAGES and stage not in tasks:
                tasks[stage] = bars.add_task(f"{point.name}: {STAGES[stage]}", total=total)
            if stage in tasks:
                bars.update(tasks[stage], completed=done, total=total)

        reconstruct_point(point, config, output, progress=show_progress)


def compare(scan: Path, output: Path) -> Comparison:
    """Match the pixels of a result with the truth."""
    truth, pixels = read_truth(scan / TRUTH_FOLDER / output.name), read_result(output).pixels
    single = truth[truth["n_depths"] == 1]
    place = {(int(one["row"]), int(one["column"])): index for index, one in enumerate(single)}
    found, where = [], []
    for index in np.flatnonzero(np.isfinite(pixels["depth"])):
        known = place.get((int(pixels["row"][index]), int(pixels["column"][index])))
        if known is not None:
            found.append(index)
            where.append(known)
    return Comparison(pixels[found], single[where], truth.size)


def table_of_grains(compared: list[Comparison]) -> Table:
    """Return found and true depth of each grain in each point."""
    table = Table("point", "grain", "pixels", "true depth", "found depth", "error (µm)")
    for number, one in enumerate(compared, 1):
        for grain in np.unique(one.true["grain"]):
            mine = one.true["grain"] == grain
            weight = 1 / one.found["depth_error"][mine] ** 2
            depth = float(np.average(one.found["depth"][mine], weights=weight))
            true = one.true["depth_um"][mine][0]
            row = (number, grain, mine.sum(), f"{true:.2f}", f"{depth:.2f}", f"{depth - true:+.3f}")
            table.add_row(*(str(value) for value in row))
    return table


def verdict(compared: list[Comparison]) -> str:
    """Return the errors of all pixels in a sentence."""
    error = np.abs(np.concatenate([one.error_um for one in compared]))
    claimed = np.concatenate([one.found["depth_error"] for one in compared])
    return (
        f"{error.size} pixels: median depth error {np.median(error):.2f} µm, 90 % below "
        f"{np.quantile(error, 0.9):.2f} µm; the truth lies within the error bar for "
        f"{np.mean(error <= claimed):.0%} of them (68 % expected)"
    )


def draw(compared: list[Comparison], output: Path) -> Figure:
    """Draw the depths of one point's pixels, and all found depths against the truth."""
    figure = Figure(figsize=(12.5, 4.4), layout="constrained")
    pattern, against, errors = figure.subplots(1, 3)
    draw_map(figure, pattern, read_result(output), "depth-map")
    true = np.concatenate([one.true["depth_um"] for one in compared])
    found = np.concatenate([one.found["depth"] for one in compared])
    ends = [true.min() - 5, true.max() + 5]
    against.plot(ends, ends, color="#666666", lw=0.8)
    against.plot(true, found, ".", ms=3, color="#0072B2")
    against.set(xlim=ends, ylim=ends, aspect="equal")
    against.set(xlabel="true depth (µm)", ylabel="found depth (µm)", title="Found against true")
    errors.hist(found - true, bins=np.linspace(-2, 2, 81), color="#0072B2")
    errors.set(xlabel="found − true depth (µm)", ylabel="pixels", title="Depth error")
    errors.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output"))
