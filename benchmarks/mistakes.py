"""Are natural mistakes named, and good points left alone? ``python -m benchmarks mistakes``.

Each mistake is made in the file of an experiment, with which a simulated point is then
reconstructed. It is named where the file or the point is refused with a word that belongs to it, or
where a warning of the run has a code that does. Good points differ in sample and exposure.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from lauedepth.config import load_experiment
from lauedepth.core.errors import LaueDepthError
from lauedepth.core.notices import Level
from lauedepth.tasks.reconstruct import reconstruct_point
from lauedepth.tasks.simulate.config import SimulationConfig
from lauedepth.tasks.simulate.scan_files import simulated_points, write_scan

NAME: Final = "mistakes"
EXAMPLE: Final = Path(__file__).parents[1] / "examples" / "experiment.yml"
GOOD_POINTS: Final = 100
RADIANS: Final = float(np.pi / 180)

Tree = dict[str, Any]


@dataclass(frozen=True)
class Mistake:
    """A mistake, and what names it.

    Attributes
    ----------
    name : str
    make : callable
        Changes the experiment, or the point's file, in place.
    words : tuple of str
        Codes of warnings, or words of a refusal, of which one must be there.
    """

    name: str
    make: Callable[[Tree, Path], None]
    words: tuple[str, ...]


def change(section: str, **values: Any) -> Callable[[Tree, Path], None]:
    """Return what sets keys of the experiment; callables get the value that was there."""

    def make(tree: Tree, _: Path) -> None:
        for key, value in values.items():
            old = tree[section].get(key)
            tree[section][key] = value(old) if callable(value) else value

    return make


def scaled(factor: float) -> Callable[[Any], Any]:
    """Return what multiplies a number, or each of a list."""
    return lambda old: [x * factor for x in old] if isinstance(old, list) else old * factor


def all_of(section: str, keys: tuple[str, ...], factor: float) -> Callable[[Tree, Path], None]:
    """Return what multiplies several keys."""
    return change(section, **{key: scaled(factor) for key in keys})


def _reverse_frames(_: Tree, point: Path) -> None:
    with h5py.File(point, "r+") as file:
        data = file["entry1/data/data"]
        data[...] = data[()][::-1]


def _move_region(tree: Tree, point: Path) -> None:
    """State the region that the file has, but at the detector's origin."""
    with h5py.File(point, "r+") as file:
        for axis in "xy":
            group = file["entry1/detector"]
            size = int(group[f"end{axis}"][()]) - int(group[f"start{axis}"][()])
            group[f"start{axis}"][...] = 0
            group[f"end{axis}"][...] = size
    del tree


def _readings(_: Tree, point: Path) -> None:
    with h5py.File(point, "r+") as file:
        data = file["entry1/data/data"]
        data[...] = np.minimum(5 * data[()].astype(np.int64) + 100, 65535)


def _result_as_point(_: Tree, point: Path) -> None:
    result = point.with_name("earlier.h5")
    reconstruct_point(point, load_experiment(EXAMPLE), result, backend="cpu")
    shutil.move(result, point)


ANGLES: Final = ("anglex_deg", "angley_deg", "anglez_deg")
PLACES: Final = ("cenx_mm", "dist_mm", "cenz_mm")
OUTSIDE: Final = ("pose-disagrees", "rays-miss-aperture")
MISTAKES: Final = (
    Mistake("code reversed", change("aperture", reversed=True), ("code-reversed",)),
    Mistake("angles in radians", all_of("pose", ANGLES, RADIANS), ("angles-in-radians",)),
    Mistake("step reversed", change("motion", step_um=-1.0), ("step-reversed",)),
    Mistake("step in mm", change("motion", step_um=0.001), ("millimetres",)),
    Mistake("step in nm", change("motion", step_um=1000.0), ("nanometres",)),
    Mistake("depths elsewhere", change("depths", start_um=300.0, stop_um=500.0), OUTSIDE),
    Mistake("half of the depths", change("depths", start_um=50.0, stop_um=250.0), OUTSIDE),
    Mistake("region at the origin", _move_region, OUTSIDE),
    Mistake("frames reversed", _reverse_frames, ("frames-reversed",)),
    Mistake(
        "widths exchanged",
        change("aperture", open_width_um=7.5, bar_width_um=15.0),
        ("widths-swapped",),
    ),
    Mistake("detector size in m", change("detector", size_mm=scaled(1e-3)), ("metres",)),
    Mistake("detector size in µm", change("detector", size_mm=scaled(1e3)), ("micrometres",)),
    Mistake("translation in m", change("detector", translation_mm=scaled(1e-3)), ("metres",)),
    Mistake(
        "rotation in degrees", change("detector", rotation_rad=scaled(1 / RADIANS)), ("degrees",)
    ),
    Mistake("dist negative", change("pose", dist_mm=scaled(-1.0)), ("dist_mm",)),
    Mistake("pose in µm", all_of("pose", PLACES, 1e3), ("micrometres",)),
    Mistake("20 frames", change("data", stop_frame=20), ("pixels-without-measurement",)),
    Mistake("thickness × 1000", change("aperture", thickness_um=scaled(1e3)), ("nanometres", "nm")),
    Mistake(
        "threshold below the background",
        change("selection", min_mean_counts=0.0, rows_px=[0, 700]),
        ("no-coded-light", "no-pixels"),
    ),
    Mistake("a result as point", _result_as_point, ("is a result",)),
    Mistake("shift reversed", change("motion", shift_mm=scaled(-1.0)), ("shift-reversed",)),
    Mistake("axis reversed", change("motion", axis=[-0.7071, -0.7071, 0.0]), ("axis-reversed",)),
    Mistake("step 3 % off", change("motion", step_um=1.03), ("pose-disagrees",)),
    Mistake("turned by 5°", change("pose", angley_deg=4.53), ("pose-disagrees",)),
    Mistake("5 counts per photon above 100", _readings, ("detector-gain",)),
)


def _simulate(folder: Path, seed: int) -> Path:
    """Simulate one point of 160 × 160 pixels; samples and exposures differ."""
    rng = np.random.default_rng(seed)
    experiment = load_experiment(EXAMPLE)
    sample = SimulationConfig.model_validate(
        {
            "crystal": str(rng.choice(["Ni", "Al"])),
            "sample": {
                "kind": "polycrystal",
                "grain_um": float(rng.uniform(8, 40)),
                "depths_um": [0.0, float(rng.uniform(20, 120))],
            },
            "scan": {"n_x": 1},
            "region": {"start_px": [768, 896], "shape_px": [160, 160]},
            "exposure": {
                "peak_counts": float(rng.uniform(2000, 20000)),
                "background": float(rng.uniform(2, 22)),
                "spot_sigma_px": float(rng.uniform(1.5, 4)),
            },
            "seed": seed,
        }
    )
    points = simulated_points(sample, experiment.to_core(), folder=EXAMPLE.parent)
    write_scan(points, folder, experiment)
    return folder / "point_0001.h5"


def _warned(experiment: Path, point: Path, output: Path) -> tuple[str, ...]:
    """Reconstruct; return codes of warnings, or what was refused."""
    try:
        config = load_experiment(experiment)
        summary = reconstruct_point(point, config, output, backend="cpu")
    except LaueDepthError as error:
        return (f"refused: {error}",)
    return tuple(one.code for one in summary.notices if one.level is Level.WARNING)


def _try(mistake: Mistake, point: Path, folder: Path) -> tuple[bool, tuple[str, ...]]:
    tree = copy.deepcopy(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")))
    copied = Path(shutil.copy(point, folder / "point.h5"))
    mistake.make(tree, copied)
    experiment = folder / "experiment.yml"
    experiment.write_text(yaml.safe_dump(tree), encoding="utf-8")
    found = _warned(experiment, copied, folder / "result.h5")
    (folder / "result.h5").unlink(missing_ok=True)
    return any(word in text for word in mistake.words for text in found), found


def run(console: Console, good_points: int = GOOD_POINTS) -> None:
    """Make each mistake once, and reconstruct many good points."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        point = _simulate(folder / "scan", 1)
        table = Table("mistake", "named", "by", title="Mistakes")
        named = 0
        for mistake in MISTAKES:
            good, found = _try(mistake, point, folder)
            named += good
            table.add_row(mistake.name, "yes" if good else "[red]no[/]", ", ".join(found)[:150])
        console.print(table, f"{named} of {len(MISTAKES)} mistakes named")
        _run_good_points(console, folder, good_points)


def _run_good_points(console: Console, folder: Path, wanted: int) -> None:
    """Reconstruct good points; those without a pixel above the threshold show nothing."""
    seed, seen, false = 0, 0, Counter[tuple[str, ...]]()
    while seen < wanted:
        point = _simulate(folder / f"good_{seed}", seed)
        found = _warned(EXAMPLE, point, folder / "result.h5")
        shutil.rmtree(folder / f"good_{seed}")
        seed += 1
        if found != ("no-pixels",):
            seen += 1
            false.update([found] if found else [])
    console.print(f"{false.total()} of {seen} good points warned of: {dict(false)}")
    console.print(f"{seed - seen} more had no pixel bright enough")
